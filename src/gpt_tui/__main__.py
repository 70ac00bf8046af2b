"""`python -m gpt_tui`, and the program that is installed."""

from typing import NoReturn

from gpt_tui import loading
from gpt_tui.interrupt import leave_while_loading


def run() -> NoReturn:
    leave_while_loading()
    loading.begin()
    from gpt_tui.cli import program

    program()


if __name__ == "__main__":
    run()
