"""Draw the pictures of the README and the guide: the real program in a real terminal, its cells as a PNG.

    python assets/make_pictures.py [--shakespeare FILE] [--max-iters N] [--only NAME]

Trains Tiny Shakespeare with the default preset: FILE, else the one in TEST_DATASETS, else what `shakespeare` finds.
Needs the development packages and the font DejaVu Sans Mono. Braille is drawn dot by dot, as terminals do.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from html import escape
from itertools import groupby
from pathlib import Path

import resvg_py

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests"), str(HERE.parent / "tests" / "e2e")]

from pseudo_terminal import Terminal  # noqa: E402
from pyte.screens import Char  # noqa: E402

COLUMNS, ROWS = 120, 36
FONT, FONT_SIZE = "DejaVu Sans Mono", 20.0
WIDTH, HEIGHT, BASELINE = 12.04, 23.28, 18.56  # of a cell: the font's advance, line and ascent at that size
MARGIN = 18.0
BACKGROUND, FOREGROUND = "#14161a", "#d3d7de"
PRESET_OF_THE_DRAWING = 6  # presses to the right from quick: lecture-layernorm
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
        f'<rect width="100%" height="100%" rx="10" fill="{BACKGROUND}"/>',
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


# What is drawn ----------------------------------------------------------------------------------------------------


def train(terminal: Terminal, max_iters: int) -> None:
    """A run after two thirds of its steps."""
    terminal.wait("READY")
    terminal.press("space")
    terminal.wait(lambda: _step(terminal) > max_iters * 0.68 and "TRAINING   " in terminal.text, LONG)


def setup(terminal: Terminal, _: int) -> None:
    """The form before a run, with one field changed."""
    terminal.wait("READY")
    terminal.press("2")
    terminal.wait("setup · ")
    terminal.wait("characters", LONG)
    while not re.search(r"▸n_layer ", terminal.text):
        before = terminal.text
        terminal.press("j")
        terminal.wait(lambda before=before: terminal.text != before)
    terminal.press("right")
    terminal.wait("● was")


def architecture(terminal: Terminal, _: int) -> None:
    """The form of a rung of the lecture, with its drawing beside it."""
    terminal.wait("READY")
    terminal.press("2")
    terminal.wait("setup · ")
    terminal.wait("characters", LONG)
    for _press in range(PRESET_OF_THE_DRAWING):
        before = terminal.text
        terminal.press("right")
        terminal.wait(lambda before=before: terminal.text != before)
    terminal.wait("setup · lecture-layernorm")
    terminal.press("v")
    terminal.wait("shapes of a batch")
    terminal.press("v")
    terminal.wait("architecture · ")


def _step(terminal: Terminal) -> int:
    found = re.search(r"step +(\d+)/", terminal.text)
    return int(found[1]) if found else 0


PICTURES: dict[str, Callable[[Terminal, int], None]] = {"train": train, "setup": setup, "architecture": architecture}


def make(name: str, place: Path, arguments: list[str], environ: dict[str, str], max_iters: int) -> Path:
    """Bring the program to where the picture is taken, and draw it."""
    with Terminal(place, *arguments, columns=COLUMNS, rows=ROWS, **environ) as terminal:
        PICTURES[name](terminal, max_iters)
        cells = terminal.cells()
        terminal.press("q")
        terminal.end()
    path = HERE / f"{name}.png"
    path.write_bytes(render(draw(cells)))
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the pictures of the README and the guide.")
    parser.add_argument("--shakespeare", type=Path, metavar="FILE", default=_development_copy())
    parser.add_argument("--max-iters", type=int, metavar="N", help="default: what the preset quick says")
    parser.add_argument("--only", choices=PICTURES, help="only this picture")
    asked = parser.parse_args()
    check_font()
    from gpt_tui.core.data.cache import default_cache_dir
    from gpt_tui.core.presets import find_preset

    max_iters = asked.max_iters or find_preset("quick").config().training.max_iters
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        cache = default_cache_dir()
        if asked.shakespeare:
            cache = place / "cache"
            (cache / "texts").mkdir(parents=True)
            shutil.copy(asked.shakespeare, cache / "texts" / "shakespeare.txt")
        # The terminal's own single thread is for tests; here the machine is the person's.
        environ = {"GPT_TUI_CACHE_DIR": str(cache), "OMP_NUM_THREADS": str(os.cpu_count() or 1)}
        arguments = ["--dataset", "shakespeare", "--max-iters", str(max_iters)]
        for name in [asked.only] if asked.only else PICTURES:
            print(make(name, place, arguments, environ, max_iters))


def _development_copy() -> Path | None:
    path = Path(os.environ.get("TEST_DATASETS", "")) / "tinyshakespeare" / "input.txt"
    return path if path.is_file() else None


if __name__ == "__main__":
    main()
