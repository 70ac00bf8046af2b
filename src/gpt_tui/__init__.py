"""gpt-tui: train small GPTs in a terminal, and watch them learn.

As a library:

    import gpt_tui

    dataset = gpt_tui.load_dataset("shakespeare")
    config = gpt_tui.find_preset("nanogpt-cpu").config().replace(max_iters=500)
    trainer = gpt_tui.Trainer(config, dataset)
    for _ in range(config.training.max_iters):
        result = trainer.step()
    print(trainer.evaluate(eval_iters=0).val_loss)
    speaker = gpt_tui.Speaker(trainer.model, dataset.tokenizer, config)
    print(speaker.speak("ROMEO:"))

Each name is imported when it is first used, so `import gpt_tui` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from gpt_tui.core.config import RunConfig
    from gpt_tui.core.data import Dataset, load_dataset
    from gpt_tui.core.errors import GptTuiError, Refusal
    from gpt_tui.core.model import GPT
    from gpt_tui.core.presets import PRESETS, find_preset
    from gpt_tui.core.runs import Run, Shelf
    from gpt_tui.core.sampling import Speaker
    from gpt_tui.core.training import Trainer

_HOMES = {
    "RunConfig": "config",
    "Dataset": "data",
    "load_dataset": "data",
    "GptTuiError": "errors",
    "Refusal": "errors",
    "GPT": "model",
    "PRESETS": "presets",
    "find_preset": "presets",
    "Run": "runs",
    "Shelf": "runs",
    "Speaker": "sampling",
    "Trainer": "training",
}

__all__ = [
    "GPT",
    "PRESETS",
    "Dataset",
    "GptTuiError",
    "Refusal",
    "Run",
    "RunConfig",
    "Shelf",
    "Speaker",
    "Trainer",
    "find_preset",
    "load_dataset",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'gpt_tui' has no attribute {name!r}")
    return getattr(import_module(f"gpt_tui.core.{_HOMES[name]}"), name)
