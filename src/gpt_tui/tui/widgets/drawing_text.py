"""The drawing of the architecture in the theme's colours, with the part that a field belongs to made out."""

from __future__ import annotations

import re
from collections.abc import Sequence

from textual.content import Content

from gpt_tui.core.drawing import Line

STYLES = {
    "part": "bold $accent",
    "wire": "$border-blurred",
    "shape": "$foreground-muted",
    "note": "",
    "absent": "$foreground-disabled",
    "mask": "$accent",
    "hidden": "$border-blurred",
}
_FOUND = "bold reverse"

# What of the drawing a field is about: a pattern of the words there, also of those that stand for what is absent.
PARTS = {
    "n_layer": "^block",
    "n_head": "attention",
    "n_embd": "token embedding",
    "block_size": "token ids",
    "position": "positions",
    "attention": "attention",
    "feed_forward": "feed-forward",
    "residual": r"x \+ y|residual stream",
    "output_projection": "projection",
    "norm": "LayerNorm|RMSNorm|no norm",
    "norm_weight": "LayerNorm|RMSNorm|no norm",
    "activation": "feed-forward",
    "ffn_mult": "feed-forward",
    "qkv_bias": "attention",
    "head": "^head$|^no head$|^table$",
    "head_bias": "^head$|^no head$",
    "tied_head": "^head$|^no head$",
    "qk_norm": "attention",
    "mix_previous": "the token before",
    "dropout": "^dropout",
    "embd_dropout": "^dropout",
}
_ABOUT = ("part", "note", "absent", "shape")


def of_drawing(lines: Sequence[Line], field: str = "") -> tuple[Content, int | None]:
    """The drawing, and the first of its lines that the field is about; None where there is none."""
    about = PARTS.get(field)
    found: int | None = None
    drawn = []
    for row, line in enumerate(lines):
        cells = []
        for span in line:
            style = STYLES[span.role]
            if about and span.role in _ABOUT and re.search(about, span.text.strip()):
                found = row if found is None else found
                style = f"{style} {_FOUND}".strip()
            cells.append((span.text, style))
        drawn.append(Content.assemble(*cells))
    return Content("\n").join(drawn), found
