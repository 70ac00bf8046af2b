"""The words that stand for a dataset. Apart from what reads one, so that a command line is checked without numpy."""

DATASET_NAMES = ("auto", "shakespeare", "masque", "python-docs")
STANDARD_INPUT = "-"
