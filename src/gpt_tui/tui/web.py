"""The playground in a browser: Textual's driver for that, and what it lacks, so that no way of leaving loses a run.

Textual's ends the program at once when the page closes, and never notices that the server is gone. Here both are a
hang-up, as that of a terminal, and what the program does then is save.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from textual.drivers.web_driver import WebDriver


class SavingWebDriver(WebDriver):
    _left = False

    def start_application_mode(self) -> None:
        self._loop = asyncio.get_running_loop()
        super().start_application_mode()
        if sys.platform != "win32":
            for number in (signal.SIGINT, signal.SIGTERM):
                self._loop.add_signal_handler(number, self._hang_up)

    def stop_application_mode(self) -> None:
        try:
            super().stop_application_mode()
        except OSError:
            pass  # nobody is there to be told

    def write(self, data: str) -> None:
        if self._left:
            return
        try:
            super().write(data)
        except OSError:  # the server is gone
            self._hang_up()

    def run_input_thread(self) -> None:
        super().run_input_thread()
        if not self.exit_event.is_set():  # the input ended, not the program
            self._hang_up()

    def on_meta(self, packet_type: str, payload: dict[str, object]) -> None:
        if packet_type == "quit":
            self._hang_up()
        else:
            super().on_meta(packet_type, payload)

    def _hang_up(self) -> None:
        if self._left:
            return
        self._left = True
        if sys.platform == "win32":
            self._loop.call_soon_threadsafe(self._app.leave, 129)  # type: ignore[attr-defined]
        else:
            os.kill(os.getpid(), signal.SIGHUP)
