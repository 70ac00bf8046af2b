"""The help of each command, from the table of commands and the run's fields."""

from __future__ import annotations

from gpt_tui.cli.arguments import COMMANDS, MAIN, RUN_HELP, Command, Option
from gpt_tui.console import Output, wrap
from gpt_tui.core.config import SECTIONS

_LEFT = 26  # columns of flags and command names, before what they mean


def help_text(command: Command, output: Output) -> str:
    """What `--help` prints, as wide as the output is."""
    width = output.prose_width
    parts = [_usage(command, output), wrap(command.summary, width)]
    if command is MAIN:
        names = [(c.invocation.removeprefix("gpt-tui "), c.summary) for c in COMMANDS.values() if c is not MAIN]
        parts.append(_block("Commands", names, output))
    parts.append(_block("Options", [_option_row(o) for o in command.options if o.spec is None], output))
    sections = {section: _fields_of(command, section) for section in SECTIONS}
    several = sum(map(bool, sections.values())) > 1
    for section, rows in sections.items():
        if rows:
            parts.append(_block(f"Fields: {section}" if several else "Fields", rows, output))
    if "RUN" in command.takes:
        parts.append(wrap(f"RUN is {RUN_HELP}.", width))
    if command is MAIN:
        parts.append(_main_notes(width))
    if command.notes:
        parts.append(wrap(command.notes, width))
    return "\n\n".join(parts)


def _fields_of(command: Command, section: str) -> list[tuple[str, str]]:
    return [_option_row(o) for o in command.options if o.spec is not None and o.spec.section == section]


def _usage(command: Command, output: Output) -> str:
    if command is not MAIN:
        return output.bold("Usage: ") + command.invocation + " [options]"
    lines = [
        "gpt-tui [options]             open the playground",
        "gpt-tui --headless [options]  train from a script",
        "gpt-tui --serve [options]     open the playground in a browser",
    ]
    return output.bold("Usage: ") + "\n       ".join(lines)


def _option_row(option: Option) -> tuple[str, str]:
    left = option.flag + (f" {option.value}" if option.value else "")
    spec = option.spec
    if spec is None:
        return ("-h, --help" if option.name == "help" else left), option.help
    if spec.kind in ("bool", "choice") and spec.name != "dataset":
        left = f"{option.flag} {'BOOL' if spec.kind == 'bool' else 'WORD'}"
    default = spec.show(spec.default) or "empty"
    live = "; live" if spec.live else ""
    return left, f"{spec.help} [{spec.allowed}; default {default}{live}]"


def _block(title: str, rows: list[tuple[str, str]], output: Output) -> str:
    return "\n".join([output.bold(title), *(_row(left, right, output.prose_width) for left, right in rows)])


def _row(left: str, right: str, width: int) -> str:
    """`left` in its column and `right` wrapped beside it, or under it where the left is long or the screen narrow."""
    narrow = width < 60
    indent = " " * (6 if narrow else _LEFT)
    text = wrap(right, width, indent)
    head = "  " + left
    if narrow or len(head) > _LEFT - 2:
        return f"{head}\n{text}"
    return head.ljust(_LEFT) + text[_LEFT:]


def _main_notes(width: int) -> str:
    paragraphs = (
        "A field is given as --n-layer 6, --n-layer=6 or --n_layer=6. A value that begins with two dashes needs the =. "
        "A live field may also change in a run that has begun; any other needs a new run.",
        "A value comes from, weakest first: default, user configuration file, --preset, --config, the environment "
        "(GPT_TUI_N_LAYER and so on), flag. With --resume and --fork it comes from the run, and over that from "
        "--preset, --config and flags.",
        f"RUN is {RUN_HELP}; @STEP names one of its checkpoints.",
        "Exit status: 0 finished, 1 failed, 2 the request was wrong (nothing was written), 3 diverged, "
        "4 --target-loss not reached, 130, 143 or 129 stopped by SIGINT, SIGTERM or SIGHUP with a checkpoint saved.",
    )
    return "\n\n".join(wrap(paragraph, width) for paragraph in paragraphs)
