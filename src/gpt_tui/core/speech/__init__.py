"""Letting a model speak while something else goes on.

One voice is one thread: it says one thing at a time, several samples of it at once where that is wished, and the newest
wish counts. What has been said can be gone on with, or left at any token for another. Nothing here imports torch until
something is said.
"""

from gpt_tui.core.speech.models import Models
from gpt_tui.core.speech.speech import Speech
from gpt_tui.core.speech.utterance import Alternative, Source, SpeechState, Spoken, Tokens, Utterance

__all__ = ["Alternative", "Models", "Source", "Speech", "SpeechState", "Spoken", "Tokens", "Utterance"]
