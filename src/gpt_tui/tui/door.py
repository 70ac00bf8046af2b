"""The door of the playground: opened, kept until it is left, and left well: by a signal, a hang-up or a crash too."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from textual import events
from textual.geometry import Size

from gpt_tui.console import Console
from gpt_tui.core.activity import SAVING
from gpt_tui.crash import report_traceback
from gpt_tui.tui.app import SAVE_SECONDS, Playground
from gpt_tui.tui.request import PlaygroundRequest

if TYPE_CHECKING:
    from gpt_tui.core.session import Outcome, Session

LOOK_SECONDS = 0.5  # between two looks at the terminal


def run_playground(request: PlaygroundRequest) -> int:
    """Open the playground and stay until it is left. Returns the exit status; raises what nobody foresaw."""
    app = Playground(request)
    asyncio.run(_run(app))
    console, session, status = Console.standard(), app.session, app.status or app.return_code or 0
    if session is not None and not app.hurried:
        status = _wait_for_save(session, status, console, crashed=app.crash is not None)
    if session is not None and session.alive:
        status = _tell_unsaved(session, status, console)
    if app.crash is not None:
        raise app.crash
    for text in app.tracebacks:
        report_traceback(text, console)
    if session is not None and session.alive:
        os._exit(status)  # waiting for the worker would hold the terminal
    if app.left is None or app.left.outcome is None:
        return status
    _tell_failure(app.left.outcome, app.left.snapshot.run_name, console, told=app.tracebacks)
    return _exit_status(app.left.outcome, status)


def _wait_for_save(session: Session, status: int, console: Console, *, crashed: bool) -> int:
    """The terminal is itself again, and the worker still deep in something: only a checkpoint is worth waiting for.

    After a crash nothing was waited for yet. Returns the exit status.
    """
    saving = session.snapshot.activity == SAVING
    try:
        if saving:
            console.warn("gpt-tui: the run is still being saved; ctrl+c leaves without that")
        if saving or crashed:
            session.leave(SAVE_SECONDS)
    except KeyboardInterrupt:
        return 130
    return status


def _tell_unsaved(session: Session, status: int, console: Console) -> int:
    """How to go on. Returns the exit status: never that of a run that is kept whole."""
    if (path := session.snapshot.run_path) is None:
        return status
    from gpt_tui.core.runs import going_on

    resume = going_on("--resume", path)
    console.warn(f"gpt-tui: the run was left before it was saved; {resume} goes on from its last checkpoint")
    return status or 1


def _tell_failure(outcome: Outcome, run: str, console: Console, *, told: list[str]) -> None:
    """What broke while the run was left: no screen shows it any more. told: tracebacks that need not be told again."""
    from gpt_tui.core.events import Failed
    from gpt_tui.core.runs.history import how_failed

    if outcome.traceback is not None and outcome.traceback not in told:
        report_traceback(outcome.traceback, console)
    if isinstance(event := outcome.event, Failed):
        console.warn(f"gpt-tui: {run} {how_failed(event)}")
    elif outcome.kind == "failed":
        console.warn(f"gpt-tui: {outcome.error}")


def _exit_status(outcome: Outcome | None, status: int) -> int:
    """That of a signal says that the run is saved; where it broke instead, that is told, as it is without a screen."""
    if outcome is None or outcome.kind != "failed":
        return status
    from gpt_tui.core.events import Failed

    return 3 if isinstance(outcome.event, Failed) and outcome.event.reason == "diverged" else 1


async def _run(app: Playground) -> None:
    loop = asyncio.get_running_loop()
    for name, status in (("SIGTERM", 143), ("SIGHUP", 129), ("SIGINT", 130)):
        number = getattr(signal, name, None)
        if number is None:
            continue
        try:
            loop.add_signal_handler(number, _leave_for, app, status)
        except NotImplementedError:  # Windows: the console's own handling stays
            break
    left = threading.Event()
    threading.Thread(target=_watch_terminal, args=(app, loop, left), name="gpt-tui terminal", daemon=True).start()
    try:
        await app.run_async()
    finally:
        left.set()


def _watch_terminal(app: Playground, loop: asyncio.AbstractEventLoop, left: threading.Event) -> None:
    """Leave once the terminal has hung up, and be of its size; the signals of both do not always tell.

    That of hanging up reaches only who was started first in the terminal, say make. That of a new size may come again
    while the one before it is handled, which then tells its old size last.

    In a thread, because drawing on a terminal that is gone can hold up the loop for ever.
    """
    while not left.wait(LOOK_SECONDS):
        gone = _terminal_is_gone()
        session = app.remember_session() if gone else None
        with suppress(RuntimeError):  # the loop is closed: the program has been left meanwhile
            if gone:
                loop.call_soon_threadsafe(app.leave, 129)
            elif not app.is_web:
                loop.call_soon_threadsafe(_fit, app)
        if gone:
            _insist(session, 129)


def _fit(app: Playground) -> None:
    size = Size(*shutil.get_terminal_size())
    if size != app.size and all(size):
        app.post_message(events.Resize(size, size))


def _terminal_is_gone() -> bool:
    if sys.platform == "win32" or sys.__stdin__ is None:
        return False
    import termios

    try:
        termios.tcgetattr(sys.__stdin__.fileno())
    except termios.error as error:
        return bool(error.args[0] == errno.EIO)  # anything else: not a terminal at all
    except (OSError, ValueError):
        return False
    return False


def _leave_for(app: Playground, status: int) -> None:
    """A signal: save and leave, even where the terminal is gone and nothing can be drawn any more."""
    session = app.remember_session()  # it may end, and not well, before the app looks
    threading.Thread(target=_insist, args=(session, status), name="gpt-tui leave", daemon=True).start()
    app.leave(status)


def _insist(session: Session | None, status: int) -> None:
    if session is not None:
        session.leave(SAVE_SECONDS)
    time.sleep(3)
    os._exit(_exit_status(session.outcome if session is not None else None, status))
