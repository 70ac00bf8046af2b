"""Text to tokens: sources, tokenizers, splits and batches, the entropy ladder. Imports no torch, textual or rich."""

from gpt_tui.core.config import DatasetFacts
from gpt_tui.core.data.batches import sample_batch, windows
from gpt_tui.core.data.cache import clean_cache
from gpt_tui.core.data.catalogue import DatasetInfo, list_datasets
from gpt_tui.core.data.dataset import Dataset, OtherText, load_dataset, recall_dataset
from gpt_tui.core.data.explain import Explanation, VocabularyRow, explain, render_explanation
from gpt_tui.core.data.ladder import SOURCE_RUNG, entropy_ladder
from gpt_tui.core.data.tokenizers import (
    TOKENIZERS,
    ByteTokenizer,
    CharTokenizer,
    Tokenizer,
    UnknownCharacter,
)
from gpt_tui.core.data.watch import Progress, ShouldStop, Stopped
from gpt_tui.core.dataset_names import DATASET_NAMES, STANDARD_INPUT
from gpt_tui.core.errors import visible

__all__ = [
    "DATASET_NAMES",
    "SOURCE_RUNG",
    "STANDARD_INPUT",
    "TOKENIZERS",
    "ByteTokenizer",
    "CharTokenizer",
    "Dataset",
    "DatasetFacts",
    "DatasetInfo",
    "Explanation",
    "OtherText",
    "Progress",
    "ShouldStop",
    "Stopped",
    "Tokenizer",
    "UnknownCharacter",
    "VocabularyRow",
    "clean_cache",
    "entropy_ladder",
    "explain",
    "list_datasets",
    "load_dataset",
    "recall_dataset",
    "render_explanation",
    "sample_batch",
    "visible",
    "windows",
]
