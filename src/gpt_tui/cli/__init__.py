"""The command line: reads what was asked and opens one door. Imports neither torch nor textual to do so."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

from gpt_tui import __version__, loading
from gpt_tui.console import Console
from gpt_tui.interrupt import INTERRUPTED, loaded

if TYPE_CHECKING:
    from gpt_tui.cli.arguments import Arguments

SUCCESS, FAILURE, WRONG_REQUEST = 0, 1, 2


def program() -> NoReturn:
    """The whole process: run the program with its arguments, and end."""
    status = main()
    if threading.active_count() > 1 or status == INTERRUPTED or "torch" in sys.modules:
        # Somebody still reads or speaks, all of which may be cut off. When the interpreter is taken down beside it,
        # its thread is unwound through compiled code (torch's, pydantic's), which aborts the process. And after an
        # interrupt it may end by the signal instead of with this status. And taking torch down takes half a second.
        atexit._run_exitfuncs()  # temporary folders go all the same
        os._exit(status)
    sys.exit(status)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with these arguments (the process's own by default) and return its exit status."""
    argv = list(sys.argv[1:] if argv is None else argv)
    console = Console.standard()
    try:
        status = _obey(argv, console)
        # A run is safe in its directory; anything else that was asked for is not there now.
        return FAILURE if console.out.lost and status == SUCCESS and "--headless" not in argv else status
    except KeyboardInterrupt:
        console.warn("gpt-tui: interrupted")
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last line of defence: told in a sentence, kept in a file
        if isinstance(error.__cause__, KeyboardInterrupt):  # it fell into the making of a class
            console.warn("gpt-tui: interrupted")
            return INTERRUPTED
        from gpt_tui.crash import report_crash

        report_crash(error, console)
        return FAILURE
    finally:
        console.finish()


def _obey(argv: list[str], console: Console) -> int:
    if argv == ["--version"]:  # answered before anything that takes time is imported
        return _tell_version(console)
    from gpt_tui.core.errors import GptTuiError, Refusal

    try:
        from gpt_tui.cli.arguments import parse

        arguments = parse(argv)
        if "help" in arguments:
            from gpt_tui.cli.help import help_text

            console.layout(help_text(arguments.command, console.out))
            return SUCCESS
        if "version" in arguments:
            return _tell_version(console)
        loaded()
        loading.end()
        return _open_door(arguments, console)
    except Refusal as refusal:
        for fault in refusal.faults:
            console.warn(f"gpt-tui: {fault}")
        return WRONG_REQUEST
    except GptTuiError as error:
        console.warn(f"gpt-tui: {error}")
        return FAILURE


def _tell_version(console: Console) -> int:
    console.data(f"gpt-tui {__version__}")
    return SUCCESS


def _open_door(arguments: Arguments, console: Console) -> int:
    """Run the command that was asked for; each is imported only when it is."""
    command = arguments.command.name.partition(" ")[0]
    if command in ("", "open"):
        from gpt_tui.cli import training

        return training.run(arguments, console)
    if command == "sample":
        from gpt_tui.cli import sample

        return sample.run(arguments, console)
    if command == "shapes":
        from gpt_tui.cli import shapes

        return shapes.run(arguments, console)
    if arguments.command.name == "runs":
        from gpt_tui.cli import listing

        return listing.run(arguments, console)
    if command == "runs":
        from gpt_tui.cli import runs

        return runs.run(arguments, console)
    if command == "doctor":
        from gpt_tui.cli import doctor

        return doctor.run(arguments, console)
    if command == "completion":
        from gpt_tui.cli import completion

        return completion.run(arguments, console)
    from gpt_tui.cli import catalogue

    return catalogue.run(arguments, console)
