"""What may be written after `gpt-tui`: one table of commands and options, and the reading of a command line by it.

The table also gives the help and the completion scripts. A run's fields are not listed here: they are read from
`core.config.FIELDS`. Words are read here rather than by argparse, which stops at the first fault, takes -1e-3 for a
flag and knows one spelling of each.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from gpt_tui.core.config import FIELDS, FieldSpec
from gpt_tui.core.errors import Fault, did_you_mean
from gpt_tui.core.presets import PresetShelf

Completes = Literal["", "file", "directory", "run", "dataset", "preset"]
SHELLS = ("bash", "zsh", "fish")


@dataclass(frozen=True)
class Option:
    """A flag.

    name: without its dashes. value: what stands for its value in the help; "" for a switch.
    words: what completes its value, beside `completes`. spec: the run's field that it sets, if it does.
    """

    name: str
    help: str
    value: str = ""
    words: tuple[str, ...] = ()
    completes: Completes = ""
    spec: FieldSpec | None = None

    @property
    def flag(self) -> str:
        return "--" + self.name


@dataclass(frozen=True)
class Command:
    """A command and what it takes.

    name: its words, "" for the program itself. takes: its arguments as the help shows them ("RUN…"), of which there
    must be `least` to `most` (None: any number).
    """

    name: str
    summary: str
    options: tuple[Option, ...] = ()
    takes: str = ""
    least: int = 0
    most: int | None = 0
    words: tuple[str, ...] = ()
    completes: Completes = ""
    notes: str = ""

    def option(self, name: str) -> Option | None:
        return next((option for option in self.options if option.name == name), None)

    @property
    def invocation(self) -> str:
        return " ".join(part for part in ("gpt-tui", self.name, self.takes) if part)


def field_option(spec: FieldSpec) -> Option:
    """The flag of a field."""
    words = ("true", "false") if spec.kind == "bool" else spec.choices
    placeholder = {"int": "N", "float": "X", "text": "TEXT"}.get(spec.kind, "|".join(words))
    if spec.name == "dataset":
        return Option("dataset", spec.help, "NAME|PATH|-", (), "dataset", spec)
    return Option(spec.flag.removeprefix("--"), spec.help, placeholder, words, "", spec)


def _field_options(names: Iterable[str]) -> tuple[Option, ...]:
    return tuple(field_option(FIELDS[name]) for name in names)


HELP = Option("help", "Show this help.")
RUNS_DIR = Option(
    "runs-dir", "Where runs are kept (default: GPT_TUI_RUNS_DIR, or the user's data directory).", "DIR", (), "directory"
)
JSON = Option("json", "Print JSON.")
PRESET = Option("preset", "Start from a named set of fields (see `gpt-tui presets`).", "NAME", (), "preset")
CONFIG = Option("config", "Read fields from a TOML file.", "FILE", (), "file")
RUN_HELP = "a path, a run's name, a part of it that only one run has, or `latest`"

MAIN = Command(
    "",
    "Train a small GPT and watch it learn.",
    (
        Option("headless", "Train without a screen: progress to stderr, data to stdout."),
        PRESET,
        CONFIG,
        Option("resume", "Go on with a run; live fields may change, recorded as edits.", "RUN[@STEP]", (), "run"),
        Option("fork", "Begin a new run from a checkpoint of another, with other fields.", "RUN[@STEP]", (), "run"),
        Option("run-name", "Name of the run and of its directory.", "NAME"),
        RUNS_DIR,
        Option("json", "With --headless: every event to stdout, one JSON object a line."),
        Option("quiet", "With --headless: no progress on stderr, only warnings and errors."),
        Option("target-loss", "With --headless: stop once val_loss is as low; exit status 4 if it never is.", "X"),
        Option("max-seconds", "With --headless: stop after so many seconds of work.", "X"),
        Option("print-config", "Print the configuration as TOML, with where each value came from, and leave."),
        Option("ascii", "Playground without braille and box drawing."),
        Option(
            "serve", "The playground in a browser (needs the extra web); on this machine alone, unless --host says."
        ),
        Option("host", "With --serve: the address to listen on (default: 127.0.0.1).", "ADDRESS"),
        Option("port", "With --serve: the port to listen on (default: 8000; 0 takes one that is free).", "N"),
        Option("version", "Print the version."),
        HELP,
        *_field_options(FIELDS),
    ),
)

_SPEAKING = (
    "prompt", "max_new_tokens", "temperature", "top_k", "top_p", "min_p", "sample_seed", "window_rule", "device",
    "dtype", "threads",
)  # fmt: skip

COMMANDS: dict[str, Command] = {
    command.name: command
    for command in (
        MAIN,
        Command(
            "sample",
            "Let a run's model write text, to stdout as it is generated.",
            (
                *_field_options(_SPEAKING),
                Option("num-samples", "How many samples; sample i uses sample_seed + i.", "N"),
                RUNS_DIR,
                Option("json", "Print one JSON object a sample, with each token's own log-probability in nats."),
                HELP,
            ),
            "RUN[@STEP]", 1, 1, (), "run",
            "--prompt - reads the prompt from standard input. What is not given is as the run's own sampling says; "
            "--dtype is float32 unless given, which gives the same text on one kind of device.",
        ),
        Command("runs", "List the runs, newest first.", (RUNS_DIR, JSON, HELP)),
        Command(
            "runs show", "Show one run: its settings, evaluations and checkpoints.", (RUNS_DIR, JSON, HELP),
            "RUN", 1, 1, (), "run",
        ),
        Command(
            "runs verify", "Check every file of runs: checksums, logs, versions.", (RUNS_DIR, JSON, HELP),
            "[RUN…]", 0, None, (), "run",
            "Without RUN all are checked, also what cannot be opened. Nothing is written. A run that trains may be "
            "checked too. Exit status: 0 all whole, 1 something is damaged, 2 the request was wrong.",
        ),
        Command(
            "runs rm", "Delete runs.", (RUNS_DIR, HELP), "RUN…", 1, None, (), "run",
            "Nothing is asked. All names are checked before the first run is deleted; none may be of one that trains.",
        ),
        Command(
            "runs export", "Write a run's losses to a file.",
            (
                Option("csv", "Write a table: step, losses, learning rate, gradient norm, tokens.", "FILE", (), "file"),
                Option("svg", "Write a plot of the losses.", "FILE", (), "file"),
                RUNS_DIR,
                HELP,
            ),
            "RUN", 1, 1, (), "run",
            "At least one of --csv and --svg. A file that exists is replaced as a whole.",
        ),
        Command(
            "presets", "List the presets and where their figures come from, and those of your own.", (JSON, HELP),
            notes="A preset of your own is a file NAME.toml, as --config takes it, in the folder `presets` beside the "
            "user's configuration file; P in the playground's Setup makes one. It may say in a line, summary = "
            '"…", what it is for.',
        ),
        Command("datasets", "List the datasets.", (JSON, HELP)),
        Command(
            "datasets show", "Explain what a model will read: vocabulary, encoding, a batch, the entropy ladder.",
            (field_option(FIELDS["tokenizer"]), JSON, HELP),
            "NAME|PATH", 1, 1, (), "dataset",
        ),
        Command("datasets clean", "Delete what the program keeps in its cache; it is made again when needed.", (HELP,)),
        Command(
            "shapes", "Walk the tensors of a configuration, from token ids to the loss; nothing is allocated.",
            (
                PRESET,
                CONFIG,
                Option("vocab-size", "Vocabulary to count with (default: the dataset's, or the preset's own).", "N"),
                Option("drawing", "Draw the architecture as blocks, above the table."),
                RUNS_DIR,
                JSON,
                HELP,
                *_field_options(FIELDS),
            ),
            notes="Values come from where those of a run come from (see `gpt-tui --help`). The time is told by the "
            "most similar run that was made on this machine, where there is one.",
        ),
        Command("doctor", "Say what this machine has, what is wrong, and how to mend it.", (RUNS_DIR, JSON, HELP)),
        Command(
            "open", "Open the playground on a run, live (in any process) or finished.",
            (RUNS_DIR, Option("ascii", "No braille and no box drawing."), HELP),
            "RUN", 1, 1, (), "run",
        ),
        Command(
            "completion", "Print a completion script for a shell.", (HELP,), "|".join(SHELLS), 1, 1, SHELLS,
            notes='bash: eval "$(gpt-tui completion bash)" in ~/.bashrc. zsh: the same in ~/.zshrc, after compinit. '
            "fish: gpt-tui completion fish > ~/.config/fish/completions/gpt-tui.fish",
        ),
    )
}  # fmt: skip


def below(command: Command) -> list[str]:
    """The words that lead from this command to those below it."""
    start = f"{command.name} " if command.name else ""
    rest = [name.removeprefix(start) for name in COMMANDS if name and name.startswith(start)]
    return [name for name in rest if name and " " not in name]


# Reading ---------------------------------------------------------------------------------------------------------


@dataclass
class Arguments:
    """What was written: a command, its arguments, its options' values by name ("" for a switch), and what is wrong."""

    command: Command
    words: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)  # option name -> as it was written, for refusals
    faults: list[Fault] = field(default_factory=list)

    def __contains__(self, name: str) -> bool:
        return name in self.options

    def get(self, name: str) -> str | None:
        return self.options.get(name)

    def fields(self) -> dict[str, str]:
        """The values of those options that are a run's fields, by the field's name."""
        specs = {option.name: option.spec for option in self.command.options}
        return {spec.name: value for name, value in self.options.items() if (spec := specs[name]) is not None}

    def field_labels(self) -> dict[str, str]:
        return {name.replace("-", "_"): label for name, label in self.labels.items()}

    def number(self, name: str) -> float | None:
        """The value of an option that is a number more than 0; a fault is noted where it is none."""
        text = self.options.get(name)
        if text is None:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if math.isfinite(value) and value > 0:
            return value
        self.faults.append(Fault(self.labels[name], text, "must be a number more than 0"))
        return None

    def count(self, name: str, default: int, most: int) -> int:
        """The value of an option that is a whole number from 1 to `most`; a fault is noted where it is none."""
        text = self.options.get(name)
        if text is None:
            return default
        if text.isascii() and text.isdigit() and 1 <= int(text) <= most:
            return int(text)
        self.faults.append(Fault(self.labels[name], text, f"must be a whole number from 1 to {most:,}"))
        return default


def parse(argv: Sequence[str]) -> Arguments:
    """Read a command line. Nothing is raised: everything wrong is in `faults`."""
    command, rest = find_command(argv)
    arguments = Arguments(command)
    words = list(rest)
    while words:
        word = words.pop(0)
        if word == "--":
            arguments.words += words
            break
        if word == "-h":
            arguments.options["help"] = ""
        elif word.startswith("-") and word != "-":
            _read_flag(arguments, word, words)
        else:
            arguments.words.append(word)
    _check_words(arguments)
    return arguments


def find_command(argv: Sequence[str]) -> tuple[Command, Sequence[str]]:
    """The command that a command line begins with, and the words after it."""
    for length in (2, 1):
        name = " ".join(argv[:length])
        if len(argv) >= length and name and name in COMMANDS:
            return COMMANDS[name], argv[length:]
    return MAIN, argv


def _read_flag(arguments: Arguments, word: str, words: list[str]) -> None:
    """Read one flag, and its value from `words` where it takes one."""
    written, equals, value = word.partition("=")
    option = arguments.command.option(written[2:].replace("_", "-")) if written.startswith("--") else None
    if option is None:
        if not equals and words and not _is_flag(words[0]) and not arguments.command.takes:
            words.pop(0)  # most likely its value, and no fault of its own
        arguments.faults.append(_unknown_flag(arguments.command, written))
        return
    if option.value and not equals:
        if not words or _is_flag(words[0]):
            allowed = f": {option.spec.allowed}" if option.spec else ""
            arguments.faults.append(Fault(written, None, f"needs a value{allowed}"))
            return
        value = words.pop(0)
    elif not option.value and equals:
        arguments.faults.append(Fault(written, value, "is a switch and takes no value"))
        return
    arguments.options[option.name] = value
    arguments.labels[option.name] = written


def _is_flag(word: str) -> bool:
    """Whether a word is a flag where a value could stand. -1e-3 and - are values; text that begins with -- needs =."""
    return word.startswith("--") or word == "-h"


def _unknown_flag(command: Command, written: str) -> Fault:
    flags = [option.flag for option in command.options]
    hint = did_you_mean("--" + written.lstrip("-").replace("_", "-"), flags)
    where = f" of gpt-tui {command.name}" if command.name else ""
    return Fault(written, None, f"there is no such option{where}" + (f"; {hint}" if hint else ""))


def _check_words(arguments: Arguments) -> None:
    """The command must have as many arguments as it takes."""
    command, words = arguments.command, arguments.words
    if len(words) < command.least:
        arguments.faults.append(Fault(command.name, None, f"needs {command.takes}: {command.invocation}"))
    if command.most is None or len(words) <= command.most:
        return
    surplus = words[command.most :]
    if not command.takes and below(command):
        surplus = surplus[:1]  # a command that is not known; what follows it may be right
    for word in surplus:
        arguments.faults.append(_surplus(command, word))


def _surplus(command: Command, word: str) -> Fault:
    known = below(command)
    if word in known:
        return Fault(word, None, "a command comes before its options")
    if command.option("preset") and word in PresetShelf().names():
        return Fault(word, None, f"is a preset: did you mean --preset {word}?")
    if command.takes or not known:
        return Fault(word, None, f"is one argument too many for gpt-tui {command.name}")
    hint = did_you_mean(word, known)
    return Fault(word, None, f"there is no such command; there are {', '.join(known)}" + (f"; {hint}" if hint else ""))
