"""gpt-tui: train small GPTs in a terminal, and watch them learn."""

__version__ = "0.1.0"
