"""`python -m gpt_tui`."""

import sys

from gpt_tui.cli import main

if __name__ == "__main__":
    sys.exit(main())
