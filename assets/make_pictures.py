"""Draw the pictures of the README and the guide: the real program in a real terminal, its cells as a PNG.

    python assets/make_pictures.py [--shakespeare FILE] [--max-iters N] [--keep FOLDER] [--only NAME …]

Trains Tiny Shakespeare with the default preset: FILE, else the one in TEST_DATASETS, else what `shakespeare` finds; a
few runs for the shelf, and once more for the picture of training. That takes some minutes on two cores, and nothing
else should be at work meanwhile: the pictures tell times. With --keep the shelf is trained once, for several calls.
Needs the development packages and the font DejaVu Sans Mono. Braille is drawn dot by dot, as terminals do.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path

import resvg_py
from small_png import small

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests"), str(HERE.parent / "tests" / "e2e")]

from pseudo_terminal import Terminal  # noqa: E402
from pyte.screens import Char  # noqa: E402

import program  # noqa: E402

COLUMNS, ROWS = 120, 36
FONT, FONT_SIZE = "DejaVu Sans Mono", 20.0
WIDTH, HEIGHT, BASELINE = 12.04, 23.28, 18.56  # of a cell: the font's advance, line and ascent at that size
MARGIN = 18.0
BACKGROUND, FOREGROUND = "#14161a", "#d3d7de"
PRESET_OF_THE_DRAWING = "lecture-layernorm"
LONG = 600.0  # seconds that a training may take
DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))  # where a braille character's bits stand


# From cells to a picture ------------------------------------------------------------------------------------------


def colours(cell: Char) -> tuple[str, str]:
    """Foreground and background as CSS."""
    fore, back = _css(cell.fg, FOREGROUND), _css(cell.bg, BACKGROUND)
    return (back, fore) if cell.reverse else (fore, back)


def _css(colour: str, default: str) -> str:
    if colour == "default":
        return default
    return f"#{colour}" if re.fullmatch(r"[0-9a-fA-F]{6}", colour) else colour


def draw(rows: list[list[Char]]) -> str:
    """The cells as SVG; it names a font and fetches nothing."""
    width, height = COLUMNS * WIDTH + 2 * MARGIN, len(rows) * HEIGHT + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'font-family="{FONT}" font-size="{FONT_SIZE}">',
        f'<rect width="100%" height="100%" fill="{BACKGROUND}"/>',
    ]
    for row, cells in enumerate(rows):
        top = MARGIN + row * HEIGHT
        placed = list(enumerate(cells))
        for (_, back), run in groupby(placed, key=lambda at: (None, colours(at[1])[1])):
            columns = [column for column, _ in run]
            if back != BACKGROUND:
                x, wide = MARGIN + columns[0] * WIDTH, len(columns) * WIDTH
                parts.append(f'<rect x="{x:.2f}" y="{top:.2f}" width="{wide:.2f}" height="{HEIGHT}" fill="{back}"/>')
        styled = groupby(placed, key=lambda at: (colours(at[1])[0], at[1].bold, at[1].italics, at[1].underscore))
        for style, run in styled:
            parts.append(_text(list(run), top, *style))
    return "\n".join([*parts, "</svg>"])


def _text(run: list[tuple[int, Char]], top: float, fill: str, bold: bool, italic: bool, underlined: bool) -> str:
    """Characters of one style, each at its own place; braille as dots."""
    dots = [_braille(column, cell.data, top) for column, cell in run if _is_braille(cell.data)]
    parts = [f'<g fill="{fill}">{"".join(dots)}</g>'] if dots else []
    letters = [(column, cell.data) for column, cell in run if cell.data.strip() and not _is_braille(cell.data)]
    if letters:
        places = " ".join(f"{MARGIN + column * WIDTH:.2f}" for column, _ in letters)
        style = ' font-weight="bold"' * bold + ' font-style="italic"' * italic
        text = escape("".join(letter for _, letter in letters))
        parts.append(f'<text x="{places}" y="{top + BASELINE:.2f}" fill="{fill}"{style}>{text}</text>')
    if underlined and letters:
        x, wide = MARGIN + letters[0][0] * WIDTH, (letters[-1][0] - letters[0][0] + 1) * WIDTH
        parts.append(f'<rect x="{x:.2f}" y="{top + BASELINE + 2:.2f}" width="{wide:.2f}" height="1.4" fill="{fill}"/>')
    return "".join(parts)


def _is_braille(character: str) -> bool:
    return len(character) == 1 and 0x2800 <= ord(character) < 0x2900


def _braille(column: int, character: str, top: float) -> str:
    left, bits = MARGIN + column * WIDTH, ord(character) - 0x2800
    places = [place for bit, place in enumerate(DOTS) if bits >> bit & 1]
    return "".join(
        f'<circle cx="{left + (x + 0.5) * WIDTH / 2:.2f}" cy="{top + (y + 0.5) * HEIGHT / 4:.2f}" r="1.9"/>'
        for x, y in places
    )


def render(svg: str) -> bytes:
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, font_family=FONT))


def check_font() -> None:
    """Raise SystemExit where the font is missing: the picture would be empty."""
    page = '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><text y="16" font-family="{}">M</text></svg>'
    if render(page.format(FONT)) == render(page.format("no such font").replace("M<", " <")):
        raise SystemExit(f"the font {FONT} is not installed; on Debian it is in the package fonts-dejavu-core")


# The shelf --------------------------------------------------------------------------------------------------------

RUNS: dict[str, list[str]] = {  # the oldest first; each differs from the first in one thing
    "hasty": ["--muon-lr", "0.3"],
    "blind": ["--position", "none"],
    "shallow": ["--n-layer", "1"],
    "quick": [],
}
TITLES = {"hasty": "10 times as fast"}
NOTE = "What the others are measured against.\nNext: the same with two more seeds."
AT_WORK = "wider"


def fill_shelf(place: Path, environ: dict[str, str], max_iters: int) -> None:
    """Train what is missing on the shelf, and say a little about it, as a person would."""
    from gpt_tui.core.runs import Run, ShelfNotes

    for name, fields in RUNS.items():
        path = place / "runs" / name
        if not path.exists() or Run.open(path).state() != "finished":
            shutil.rmtree(path, ignore_errors=True)
            steps = max_iters // 4 if name == "hasty" else max_iters
            asked = ["--headless", "--dataset", "shakespeare", "--max-iters", str(steps), *fields, "--run-name", name]
            subprocess.run(
                program.command(*asked, "--quiet"),
                env=program.environment(place, **environ),
                cwd=place,
                stdout=subprocess.DEVNULL,
                check=True,
            )
        run = Run.open(path)
        pins = (run.checkpoints()[len(run.checkpoints()) // 2].name,) if name == "quick" else ()
        note = NOTE if name == "quick" else ""
        run.replace_shelf_notes(ShelfNotes(title=TITLES.get(name, ""), note=note, pins=pins))


# What is drawn ----------------------------------------------------------------------------------------------------


def train(terminal: Terminal, max_iters: int) -> None:
    """A run after two thirds of its steps."""
    terminal.wait("READY")
    terminal.press("space")
    terminal.wait(lambda: _step(terminal) > max_iters * 0.68 and "TRAINING   " in terminal.text, LONG)


def setup(terminal: Terminal, _: int) -> None:
    """The form before a run, with one field changed."""
    terminal.wait("READY")
    _form(terminal)
    for row in ("dataset", "tokenizer", "n_layer"):
        terminal.press("j")
        terminal.wait(f"▸{row}")
    terminal.press("right")
    terminal.wait("● was 2")


def architecture(terminal: Terminal, _: int) -> None:
    """The form of a rung of the lecture, with its drawing beside it."""
    terminal.wait("READY")
    _form(terminal)
    while (preset := _preset(terminal)) != PRESET_OF_THE_DRAWING:
        terminal.press("right")
        terminal.wait(lambda left=preset: _preset(terminal) != left)
    terminal.press("v")
    terminal.wait("shapes of a batch")
    terminal.press("v")
    terminal.wait("architecture · ")


def welcome(terminal: Terminal, _: int) -> None:
    """The first start."""
    terminal.wait("Look at an old run")


def samples(terminal: Terminal, _: int) -> None:
    """Untrained beside trained, before the end of the run."""
    terminal.wait("FINISHED")
    _view(terminal, "3", "time · evaluation")
    terminal.wait("← earlier")
    for back in range(1, 5):
        terminal.press("h")
        terminal.wait(lambda back=back: _evaluations_left(terminal) == back)


def samples_surprise(terminal: Terminal, _: int) -> None:
    """What of a passage surprises either model."""
    terminal.wait("FINISHED")
    _view(terminal, "3", "time · evaluation")
    terminal.press("c")
    terminal.wait("most surprising")
    terminal.wait("c no colours")


def generate(terminal: Terminal, _: int) -> None:
    """A text, and what else was likely at one of its letters."""
    terminal.wait("FINISHED")
    _speak(terminal)
    terminal.press("home", *"LLLLLLLl")
    terminal.wait(lambda: re.search(r"▸\S ", terminal.text))


def generate_pair(terminal: Terminal, _: int) -> None:
    """The untrained model answers the same prompt."""
    terminal.wait("FINISHED")
    _view(terminal, "4", "sampler")
    terminal.press("v")
    terminal.wait("untrained, step 0")
    _speak(terminal, answers=2)


def lens(terminal: Terminal, _: int) -> None:
    """The passage of the validation split: what is learned of each character."""
    terminal.wait("FINISHED")
    _view(terminal, "3", "time · evaluation")
    terminal.press("a")
    terminal.wait("bits a character")
    terminal.press("d")
    terminal.wait("by kind")


def lens_heads(terminal: Terminal, _: int) -> None:
    """The heads of the last layer, on a text that was just written."""
    terminal.wait("FINISHED")
    _speak(terminal)
    terminal.press("home", *"LLLLLLL")
    terminal.press("a")
    terminal.wait("bits a character")
    terminal.press("a")
    terminal.wait("rows ask, columns answer")


def runs(terminal: Terminal, max_iters: int) -> None:
    """The shelf, with a run at work on it, and the cursor on another."""
    terminal.wait("READY")
    terminal.press("space")
    terminal.wait(lambda: _step(terminal) > max_iters * 0.2, LONG)
    _view(terminal, "5", "shallow")
    terminal.press("j", "m")
    terminal.wait("1 marked")
    terminal.press("j", "m")
    terminal.wait("2 marked")
    terminal.press("k")
    terminal.wait(NOTE[:15])


def compare(terminal: Terminal, _: int) -> None:
    """Three of the runs laid over each other."""
    terminal.wait("READY")
    _view(terminal, "5", f"1/{len(RUNS)}")
    compared = list(reversed(RUNS))[:3]
    for marked in range(1, 4):
        terminal.press("m", "j")
        terminal.wait(f"{marked} marked")
    terminal.press("o")
    terminal.wait("3 runs compared")
    terminal.wait(lambda: all(terminal.text.count(f"{digit} {name}") > 2 for digit, name in enumerate(compared, 1)))


def _form(terminal: Terminal) -> None:
    terminal.press("2")
    terminal.wait("setup · ")
    terminal.wait("characters", LONG)


def _preset(terminal: Terminal) -> str:
    found = re.search(r"setup · (\S+)", terminal.text)
    return found[1] if found else ""


def _view(terminal: Terminal, key: str, shows: str) -> None:
    terminal.press(key)
    terminal.wait(shows)


def _speak(terminal: Terminal, answers: int = 1) -> None:
    """Let it answer a prompt, and wait for the end."""
    _view(terminal, "4", "sampler")
    terminal.press("p")
    terminal.wait("enter")
    terminal.press("R", "O", "M", "E", "O", ":", "enter")
    terminal.wait(lambda: terminal.text.count(" tokens · ") == answers and "space speak" in terminal.text)


def _evaluations_left(terminal: Terminal) -> int:
    found = re.search(r"evaluation (\d+) of (\d+)", terminal.text)
    return int(found[2]) - int(found[1]) if found else 0


def _step(terminal: Terminal) -> int:
    found = re.search(r"step +(\d+)/", terminal.text)
    return int(found[1]) if found else 0


@dataclass(frozen=True)
class Picture:
    """drive: brings the program to where the picture is taken. arguments: of the program; None: those of a first run.

    shelf: whether it shows the prepared runs
    """

    drive: Callable[[Terminal, int], None]
    arguments: tuple[str, ...] | None = None
    shelf: bool = True


PICTURES: dict[str, Picture] = {
    "welcome": Picture(welcome, (), shelf=False),
    "setup": Picture(setup, shelf=False),
    "architecture": Picture(architecture, shelf=False),
    "train": Picture(train, shelf=False),
    "samples": Picture(samples, ("open", "quick")),
    "samples-surprise": Picture(samples_surprise, ("open", "quick")),
    "generate": Picture(generate, ("open", "quick")),
    "generate-pair": Picture(generate_pair, ("open", "quick")),
    "lens": Picture(lens, ("open", "quick")),
    "lens-heads": Picture(lens_heads, ("open", "quick")),
    "compare": Picture(compare, ()),
    "runs": Picture(runs, ("--dataset", "shakespeare", "--n-embd", "192", "--run-name", AT_WORK)),
}


def make(name: str, place: Path, environ: dict[str, str], max_iters: int) -> Path:
    """Bring the program to where the picture is taken, and draw it."""
    picture = PICTURES[name]
    first = ("--dataset", "shakespeare", "--max-iters", str(max_iters))
    runs_dir = place / ("runs" if picture.shelf else f"runs-of-{name}")
    state = place / "state"
    shutil.rmtree(state, ignore_errors=True)  # each picture is of a program that remembers nothing
    if name != "welcome":
        state.mkdir()
        (state / "playground.json").write_text("{}", encoding="utf-8")
    environ = {**environ, "GPT_TUI_RUNS_DIR": str(runs_dir)}
    arguments = first if picture.arguments is None else picture.arguments
    with Terminal(place, *arguments, columns=COLUMNS, rows=ROWS, **environ) as terminal:
        picture.drive(terminal, max_iters)
        cells, text = terminal.cells(), terminal.text
        terminal.press("q", "q")
        terminal.end()
    if f"{place.anchor}{place.parts[1]}/" in text:
        raise SystemExit(f"a path of this machine is in the picture {name}:\n{text}")
    shutil.rmtree(place / "runs" / AT_WORK, ignore_errors=True)
    path = HERE / f"{name}.png"
    path.write_bytes(small(render(draw(cells))))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the pictures of the README and the guide.")
    parser.add_argument("--shakespeare", type=Path, metavar="FILE", default=_development_copy())
    parser.add_argument("--max-iters", type=int, metavar="N", help="default: what the preset quick says")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the shelf there, and take it from there")
    parser.add_argument("--only", nargs="+", choices=PICTURES, default=list(PICTURES), help="only these pictures")
    asked = parser.parse_args()
    check_font()
    from gpt_tui.core.data.cache import default_cache_dir
    from gpt_tui.core.presets import find_preset

    max_iters = asked.max_iters or find_preset("quick").config().training.max_iters
    with nullcontext(asked.keep) if asked.keep else tempfile.TemporaryDirectory() as folder:
        place = Path(folder).absolute()
        cache = default_cache_dir()
        if asked.shakespeare:
            cache = place / "cache"
            (cache / "texts").mkdir(parents=True, exist_ok=True)
            shutil.copy(asked.shakespeare, cache / "texts" / "shakespeare.txt")
        # The terminal's own single thread is for tests; here the machine is the person's.
        environ = {"GPT_TUI_CACHE_DIR": str(cache), "OMP_NUM_THREADS": str(os.cpu_count() or 1)}
        if any(PICTURES[name].shelf for name in asked.only):
            fill_shelf(place, environ, max_iters)
        for name in asked.only:
            print(make(name, place, environ, max_iters).name)


def _development_copy() -> Path | None:
    path = Path(os.environ.get("TEST_DATASETS", "")) / "tinyshakespeare" / "input.txt"
    return path if path.is_file() else None


if __name__ == "__main__":
    main()
