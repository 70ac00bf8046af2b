"""`python -m gpt_tui`."""

from gpt_tui.cli import program

if __name__ == "__main__":
    program()
