"""Completion scripts for shells, made from the table of commands: subcommands, flags, and the values that they take."""

from __future__ import annotations

import re
from collections.abc import Iterable

from gpt_tui.cli.arguments import COMMANDS, SHELLS, Arguments, Command, Completes, below
from gpt_tui.console import Console
from gpt_tui.core.config import user_config_path
from gpt_tui.core.dataset_names import DATASET_NAMES
from gpt_tui.core.errors import Fault, Refusal, did_you_mean
from gpt_tui.core.presets import PRESETS


def run(arguments: Arguments, console: Console) -> int:
    """Obey `gpt-tui completion`."""
    faults = list(arguments.faults)
    shell = arguments.words[0] if arguments.words else ""
    if shell and shell not in SHELLS:
        hint = did_you_mean(shell, SHELLS)
        faults.append(Fault("shell", shell, "must be bash, zsh or fish" + (f"; {hint}" if hint else "")))
    if faults:
        raise Refusal(faults)
    from gpt_tui.core.runs import default_runs_dir

    console.data(script(shell, str(default_runs_dir()), str(user_config_path())), end="")
    return 0


def script(shell: str, runs_dir: str, config: str) -> str:
    """The completion script for `shell`.

    Run names are the folders of `runs_dir`, or of GPT_TUI_RUNS_DIR if set; presets of one's own are the files of
    `presets` beside the user's configuration file, `config`, or the one that GPT_TUI_CONFIG names.
    """
    if shell == "fish":
        return _fish(runs_dir, config)
    if shell == "zsh":
        return "autoload -U +X bashcompinit && bashcompinit\n" + _bash(runs_dir, config)
    return _bash(runs_dir, config)


# bash ------------------------------------------------------------------------------------------------------------


def _bash(runs_dir: str, config: str) -> str:
    lines = [
        "_gpt_tui_runs() {",
        "    local folder",
        f"    for folder in {_bash_place('GPT_TUI_RUNS_DIR', runs_dir)}/*/; do",
        '        [ -d "$folder" ] && basename "$folder"',
        "    done",
        "    echo latest",
        "}",
        "_gpt_tui_presets() {",
        "    local file",
        f"    printf '%s\\n' {' '.join(PRESETS)}",
        f'    for file in "$(dirname {_bash_place("GPT_TUI_CONFIG", config)})"/presets/*.toml; do',
        '        [ -f "$file" ] && basename "$file" .toml',
        "    done",
        "}",
        "_gpt_tui() {",
        '    local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}"',
        "    local command='' words='' paths='' i=1 IFS=$'\\n'",
        "    # bash takes --flag=value apart at the equals sign",
        '    if [ "$current" = "=" ]; then',
        "        current=''",
        '    elif [ "$previous" = "=" ]; then',
        '        previous="${COMP_WORDS[COMP_CWORD-2]}"',
        "    fi",
        '    while [ "$i" -lt "$COMP_CWORD" ]; do',
        '        case "$command ${COMP_WORDS[i]}" in',
        *(f"            '{_before(name)}') command='{name}' ;;" for name in COMMANDS if name),
        "            *) break ;;",
        "        esac",
        "        i=$((i + 1))",
        "    done",
        '    case "$command:${previous//_/-}" in',
        *(line for command in COMMANDS.values() for line in _bash_values(command)),
        '        *) case "$command" in',
        *(line for command in COMMANDS.values() for line in _bash_words(command)),
        "        esac ;;",
        "    esac",
        '    COMPREPLY=($(compgen -W "$words" -- "$current"))',
        '    if [ -n "$paths" ]; then',
        "        compopt -o filenames 2>/dev/null",
        '        COMPREPLY+=($(compgen "$paths" -- "$current"))',
        "    fi",
        "}",
        "complete -F _gpt_tui gpt-tui",
    ]
    return "\n".join(lines) + "\n"


def _bash_place(variable: str, path: str) -> str:
    safe = re.sub(r'([\\"$`])', r"\\\1", path)
    return f'"${{{variable}:-{safe}}}"'


def _before(name: str) -> str:
    """What the loop over the words so far looks at when it reaches a command: the one above it, then its last word."""
    above, _, last = name.rpartition(" ")
    return f"{above} {last}"


def _bash_values(command: Command) -> Iterable[str]:
    for option in command.options:
        if option.value:
            offer = _bash_offer(option.words, option.completes)
            yield f"        '{command.name}:{option.flag}') {offer} ;;"


def _bash_words(command: Command) -> Iterable[str]:
    flags = _bash_list(option.flag for option in command.options)
    yield f"            '{command.name}')"
    yield f"                {_bash_offer([*below(command), *command.words], command.completes)}"
    yield f"                case \"$current\" in -*) words={flags} paths='' ;; esac ;;"


def _bash_offer(words: Iterable[str], completes: Completes) -> str:
    if completes == "run":
        return 'words="$(_gpt_tui_runs)"'
    if completes == "preset":
        return 'words="$(_gpt_tui_presets)"'
    if completes == "dataset":
        return f"words={_bash_list(DATASET_NAMES)} paths=-f"
    paths = {"file": " paths=-f", "directory": " paths=-d"}.get(completes, "")
    return f"words={_bash_list(words)}{paths}"


def _bash_list(words: Iterable[str]) -> str:
    return "$'" + "\\n".join(words) + "'"


# fish ------------------------------------------------------------------------------------------------------------


def _fish(runs_dir: str, config: str) -> str:
    lines = [
        "function __gpt_tui_runs",
        f"    set -l folder {_fish_quoted(runs_dir)}",
        "    set -q GPT_TUI_RUNS_DIR; and set folder $GPT_TUI_RUNS_DIR",
        "    for run in $folder/*/; basename $run; end; echo latest",
        "end",
        "function __gpt_tui_presets",
        f"    set -l config {_fish_quoted(config)}",
        "    set -q GPT_TUI_CONFIG; and set config $GPT_TUI_CONFIG",
        f"    string join \\n {' '.join(PRESETS)}",
        "    for file in (dirname $config)/presets/*.toml; basename $file .toml; end",
        "end",
        "function __gpt_tui_is",
        "    # whether the command line is at this command: its words, and none of a command below it",
        f"    set -l commands {' '.join(_fish_quoted(name) for name in COMMANDS if name)}",
        "    set -l found",
        "    for word in (commandline -opc)[2..]",
        '        contains -- (string join " " $found $word) $commands; or break',
        "        set -a found $word",
        "    end",
        '    test (string join " " $found) = "$argv[1]"',
        "end",
        "complete -c gpt-tui -f",
    ]
    for command in COMMANDS.values():
        at = f'-n "__gpt_tui_is {_fish_quoted(command.name)}"'
        for name in below(command):
            summary = COMMANDS[f"{command.name} {name}".strip()].summary
            lines.append(f"complete -c gpt-tui {at} -a {name} -d {_fish_quoted(summary)}")
        if command.words or command.completes:
            lines.append(f"complete -c gpt-tui {at} {_fish_offer(command.words, command.completes)}")
        for option in command.options:
            takes = f" -x {_fish_offer(option.words, option.completes)}" if option.value else ""
            lines.append(f"complete -c gpt-tui {at} -l {option.name}{takes} -d {_fish_quoted(option.help)}")
    return "\n".join(lines) + "\n"


def _fish_offer(words: Iterable[str], completes: Completes) -> str:
    offered = list(words)
    if completes == "run":
        offered.append("(__gpt_tui_runs)")
    elif completes == "preset":
        offered.append("(__gpt_tui_presets)")
    elif completes == "dataset":
        offered += [*DATASET_NAMES, "(__fish_complete_path (commandline -ct))"]
    elif completes == "file":
        offered.append("(__fish_complete_path (commandline -ct))")
    elif completes == "directory":
        offered.append("(__fish_complete_directories (commandline -ct))")
    return f"-a {_fish_quoted(' '.join(offered))}" if offered else ""


def _fish_quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
