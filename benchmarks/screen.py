"""What the screen costs a run, and how long a key press waits while one trains.

    python benchmarks/screen.py                     all of it, half an hour
    python benchmarks/screen.py cost keys           some of it
    python benchmarks/screen.py cost --case "5 ms" --repeats 7

The playground runs in a pseudo-terminal of 120×40 and draws as for a person; what it draws is taken at once and looked
at when all is over. Each turn starts the program anew.

    cost    steps a second with the playground open on Train, of those of `gpt-tui --headless` with the same
            configuration, for steps of about 5 ms, 30 ms and 3 s, as the runs' own logs tell them. Both run in the same
            minute: one is stopped (SIGSTOP) while the other has its two or eight seconds, six times each.
    keys    how long a key waits while shakespeare-6x6 trains on two cores: from the press to the end of the first frame
            that shows what the key does, in Train and through the views, tab and the help, at irregular times
    steady  the same of a key pressed every 50 ms that changes the chart: the longest wait is the longest gap in which
            the screen did not answer
    loading the same from the first frame on until the run trains, while torch is loaded, of letters typed into the
            palette
"""

from __future__ import annotations

import argparse
import itertools
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import cycle, takewhile
from pathlib import Path
from typing import Any

import numpy as np
from measure import PROGRAM, machine
from terminal import PATIENCE, SIZE, Terminal, environment

from gpt_tui.core.events import Step
from gpt_tui.core.runs import LogTail, Run

STOPPABLE = (  # Textual takes the terminal anew after every stop
    sys.executable, "-c", "from textual.drivers.linux_driver import LinuxDriver; from gpt_tui.__main__ import run; "
    "LinuxDriver._sigcont_application = lambda *_: None; run()",
)  # fmt: skip
EVERY, APART = 0.05, (0.3, 0.9)  # seconds between keys: of those that are steady, of those that are not
LATE = 0.05  # a key that waited longer
NAME = "run"  # of each run that is measured, in a place of its own


@dataclass(frozen=True)
class Case:
    """filled: steps after which the chart has something on it. seconds: that each side has at a time."""

    preset: str
    max_iters: int
    filled: int
    seconds: float = 2.0

    def options(self, place: Path) -> list[str]:
        every = str(self.max_iters)
        return [
            "--preset", self.preset, "--dataset", "masque", "--max-iters", every, "--eval-interval", every,
            "--eval-iters", "1", "--runs-dir", str(place / "runs"), "--run-name", NAME,
        ]  # fmt: skip


CASES = {
    "5 ms": Case("lecture-layernorm", 10000, 500),
    "30 ms": Case("nanogpt-cpu", 1200, 150),
    "3 s": Case("nanogpt-gpu", 100, 2, 8.0),
}
KEYS = Case("shakespeare-6x6", 200, 3)
SLICES = 6  # that each side has in a turn


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", help=f"{', '.join(MEASURED)}; all where none is named")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--case", choices=tuple(CASES), action="append", help="of cost: which steps (all)")
    parser.add_argument("--preset", default=KEYS.preset, help="what trains while keys are pressed (%(default)s)")
    parser.add_argument("--each", action="store_true", help="tell every key that waited longer than 50 ms")
    options = parser.parse_args()
    if unknown := [name for name in options.what if name not in MEASURED]:
        parser.error(f"{unknown[0]}: there are {', '.join(MEASURED)}")
    asked = options.what or list(MEASURED)
    print(f"{machine()}; {options.repeats} turns\n")
    if "cost" in asked:
        tell_cost(options)
    if pressing := [name for name in asked if name != "cost"]:
        tell_keys(pressing, options)
    return 0


# What the screen costs ---------------------------------------------------------------------------------------------


def tell_cost(options: argparse.Namespace) -> None:
    print("| steps of | preset | headless | with the screen | steps/s of headless |\n|---|---|---|---|---|")
    for name in options.case or CASES:
        turns = [cost(CASES[name], f"{name}, turn {number + 1}") for number in range(options.repeats)]
        headless, screen, ratio = (statistics.median(figures) for figures in zip(*turns, strict=True))
        print(f"| {name} | {CASES[name].preset} | {headless * 1e3:,.2f} ms | {screen * 1e3:,.2f} ms | {ratio:.1%} |")


def cost(case: Case, label: str) -> tuple[float, float, float]:
    """Seconds a step of both sides, and the share of headless's steps/s that the screen leaves."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        places = Path(one), Path(other)
        with headless(case, places[0]) as process, Terminal([*STOPPABLE, *case.options(places[1])], places[1]) as shown:
            shown.first_frame()
            shown.press(" ")
            for place in places:
                wait_for_step(place, case.filled)
            take_turns((process, shown.process), case.seconds)
        both = [pieces(place, case.seconds) for place in places]
    pairs = list(zip(*both, strict=False))
    seconds = [statistics.median(of_side) for of_side in zip(*pairs, strict=True)]
    ratio = statistics.median(alone / beside for alone, beside in pairs)
    told = f"headless {seconds[0] * 1e3:,.2f} ms, with the screen {seconds[1] * 1e3:,.2f} ms"
    print(f"{label}: {told}, {ratio:.1%}", file=sys.stderr, flush=True)
    return seconds[0], seconds[1], ratio


@contextmanager
def headless(case: Case, place: Path) -> Iterator[subprocess.Popen[bytes]]:
    nothing = subprocess.DEVNULL
    command = [*PROGRAM, "--headless", *case.options(place)]
    process = subprocess.Popen(  # in a session of its own, as who has a terminal: Linux shares its processors by these
        command, stdin=nothing, stdout=nothing, stderr=nothing, env=environment(place), start_new_session=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def take_turns(sides: Sequence[subprocess.Popen[bytes]], seconds: float) -> None:
    for side in sides:
        side.send_signal(signal.SIGSTOP)
    for side in sides * SLICES:
        side.send_signal(signal.SIGCONT)
        time.sleep(seconds)
        side.send_signal(signal.SIGSTOP)


def pieces(place: Path, seconds: float) -> list[float]:
    """Seconds a step, of each piece of the run in which it was let go on, but the first, which began in company.

    A step that took as long as the other side had its turn was held up by that.
    """
    times = Run.open(place / "runs" / NAME).history().times
    stops = np.flatnonzero(np.diff(times) > seconds)
    whole = [times[begin + 1 : end + 1] for begin, end in itertools.pairwise(stops)]
    return [float(piece[-1] - piece[0]) / (len(piece) - 1) for piece in whole if len(piece) > 1]


def wait_for_step(place: Path, wanted: int) -> None:
    tail = LogTail(place / "runs" / NAME / "events.jsonl", thin=True)
    news, step = time.monotonic(), -1
    while step < wanted:
        if time.monotonic() - news > PATIENCE:
            raise SystemExit(f"no step after {step} within {PATIENCE:.0f} s")
        time.sleep(0.1)
        for event in tail.poll():
            if isinstance(event, Step):
                news, step = time.monotonic(), event.step


# How long a key waits ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Screen:
    """A whole frame, as far as keys change it, and when it had come.

    view: the number that is underlined in the first line. focus: the colours of the panes' corners. chart: its title
    point: the step that the crosshair reads out. letters: that stand in the palette
    """

    at: float
    view: str
    focus: tuple[str, ...]
    helped: bool
    chart: str
    point: str
    letters: int


@dataclass
class Press:
    """A key, when it was pressed, and whether a frame shows what it does, given the last one without that."""

    key: str
    at: float
    shown: Callable[[Screen, Screen], bool]
    waited: float = -1.0


def tell_keys(asked: Sequence[str], options: argparse.Namespace) -> None:
    waited: dict[str, list[float]] = {name: [] for name in asked}
    case = replace(KEYS, preset=options.preset)
    for number in range(options.repeats):
        with tempfile.TemporaryDirectory() as folder:
            pressed = press_keys(asked, case, Path(folder), random.Random(number))
        for name, presses in pressed.items():
            waited[name] += [press.waited for press in presses]
            told = ", ".join(summary([press.waited for press in presses]))
            print(f"{name}, turn {number + 1}: {told}", file=sys.stderr, flush=True)
            late = [f"{press.key!r} {press.waited * 1e3:.0f}" for press in presses if press.waited > LATE]
            if options.each and late:
                print(f"  {', '.join(late)}", file=sys.stderr, flush=True)
    print("| pressed | keys | median | 95th percentile | longest |\n|---|---|---|---|---|")
    for name, seconds in waited.items():
        print(f"| {name} | {' | '.join(summary(seconds))} |")


def summary(waited: Sequence[float]) -> list[str]:
    percentile = statistics.quantiles(waited, n=20, method="inclusive")[-1]
    return [str(len(waited)), *(f"{s * 1e3:,.0f} ms" for s in (statistics.median(waited), percentile, max(waited)))]


def press_keys(asked: Sequence[str], case: Case, place: Path, chance: random.Random) -> dict[str, list[Press]]:
    """One playground, from its start: its run is begun, and keys are pressed while that is made ready and trains."""
    pressed: dict[str, list[Press]] = {}
    with Terminal([*PROGRAM, *case.options(place), "--threads", "2"], place) as terminal:
        terminal.first_frame()
        terminal.press(" ")
        if "loading" in asked:
            terminal.press(":")
            pressed["loading"] = list(typing(terminal, place))
            time.sleep(1)  # what was pressed last is to be seen too
            terminal.press("\x1b")
            time.sleep(1)  # or the next key would be one with alt
        wait_for_step(place, case.filled)
        terminal.press("x")
        time.sleep(1)
        if "keys" in asked:
            pressed["keys"] = list(wandering(terminal, chance))
        if "steady" in asked:
            pressed["steady"] = list(redrawing(terminal))
        time.sleep(1)
        frames = terminal.frames()
    seen = list(screens(frames))
    for name, presses in pressed.items():
        (judge_in_turn if name == "keys" else judge_together)(presses, seen)
    return pressed


def typing(terminal: Terminal, place: Path) -> Iterator[Press]:
    """Letters into the palette, taken back again, until a step is done."""
    tail = LogTail(place / "runs" / NAME / "events.jsonl", thin=True)
    end, letters, more = time.monotonic() + PATIENCE, 0, 1
    while not any(isinstance(event, Step) for event in tail.poll()):
        if time.monotonic() > end:
            raise SystemExit(f"no step within {PATIENCE:.0f} s")
        more = {0: 1, 20: -1}.get(letters, more)
        letters += more
        key = "z" if more > 0 else "\x7f"
        yield Press(key, terminal.press(key), lambda _, now, letters=letters: now.letters == letters)
        time.sleep(EVERY)


def redrawing(terminal: Terminal) -> Iterator[Press]:
    """Smoothing and logarithmic axes, for ten seconds; the same look comes again after sixteen keys."""
    smoothings = cycle(["smoothing 0.98", "no smoothing", "smoothing 0.6", "smoothing 0.9"])
    smoothing, logs = "smoothing 0.9", ""
    for _, key in zip(range(200), cycle("aaaoaaaO"), strict=False):
        if key == "a":
            smoothing = next(smoothings)
        else:
            axis = "y" if key == "o" else "x"
            logs = logs.replace(axis, "") if axis in logs else "".join(sorted(logs + axis))
        title = " · ".join([smoothing, "x steps", *([f"log {' '.join(logs)}"] if logs else [])])
        yield Press(key, terminal.press(key), lambda _, now, title=title: now.chart == title)
        time.sleep(EVERY)


def wandering(terminal: Terminal, chance: random.Random) -> Iterator[Press]:
    """Through all that a key changes, at irregular times."""

    def other(what: str) -> Callable[[Screen, Screen], bool]:
        return lambda before, now: getattr(now, what) != getattr(before, what)

    crosshair = [(key, other("point")) for key in "hlhl"]
    views = [(name, lambda _, now, name=name: now.view == name) for name in "23451"]
    for key, shown in [*crosshair, ("\t", other("focus")), *[("?", other("helped"))] * 2, *views] * 5:
        yield Press(key, terminal.press(key), shown)
        time.sleep(chance.uniform(*APART))


def judge_in_turn(presses: Sequence[Press], seen: Sequence[Screen]) -> None:
    """Each key by the first frame that shows it, after that of the key before it."""
    answered = 0.0
    for press in presses:
        since = max(press.at, answered)
        before = next(screen for screen in reversed(seen) if screen.at <= since)
        answered = next((now.at for now in seen if now.at > since and press.shown(before, now)), 0.0)
        if not answered:
            raise SystemExit(f"what {press.key!r} does was never seen")
        press.waited = answered - press.at


def judge_together(presses: Sequence[Press], seen: Sequence[Screen]) -> None:
    """Each key by the first frame that shows it, or one that was pressed later: keys are obeyed in their order, and
    several of them between two frames. For what every frame shows by itself."""
    for number, press in enumerate(presses):
        for now in seen:
            if now.at > press.at and any(
                later.shown(now, now) for later in takewhile(lambda p, now=now: p.at < now.at, presses[number:])
            ):
                press.waited = now.at - press.at
                break
        else:
            raise SystemExit(f"what {press.key!r} does was never seen")


def screens(frames: Sequence[tuple[float, bytes]]) -> Iterator[Screen]:
    import pyte

    screen = pyte.Screen(*SIZE)
    stream = pyte.ByteStream(screen)
    for at, frame in frames:
        stream.feed(frame)
        yield read_off(at, screen.display, screen.buffer)


def read_off(at: float, lines: Sequence[str], cells: Any) -> Screen:
    def found(pattern: str) -> str:
        match = re.search(pattern, "\n".join(lines), re.MULTILINE)
        return match[1] if match else ""

    return Screen(
        at,
        view=next((cells[0][x].data for x in range(SIZE[0]) if cells[0][x].underscore), ""),
        focus=tuple(cells[y][x].fg for y, line in enumerate(lines) for x in range(len(line)) if line[x] == "╭"),
        helped="╭─ help: " in "\n".join(lines),
        chart=found(r"^╭─ loss · (.*?) ─"),
        point=found(r"^│.{5,60}? step (\d+)  "),
        letters=len(found(r"│ (z+)  ")),
    )


MEASURED = ("cost", "keys", "steady", "loading")

if __name__ == "__main__":
    sys.exit(main())
