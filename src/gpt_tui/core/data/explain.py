"""What a model will read of a dataset, as data and as plain lines: vocabulary, a text encoded, a batch, the ladder."""

from __future__ import annotations

import textwrap
import unicodedata
from dataclasses import dataclass

import numpy as np

from gpt_tui.core.data.batches import sample_batch
from gpt_tui.core.data.dataset import Dataset
from gpt_tui.core.data.watch import Progress, ShouldStop, Watch
from gpt_tui.core.errors import visible

_COUNTED_TOKENS = 1 << 18  # at a time
_EXCERPT_CHARACTERS = 32
_LISTED_TOKENS = 512


@dataclass(frozen=True)
class VocabularyRow:
    """One token: its id, how it is shown, how often the text has it."""

    id: int
    text: str
    count: int


@dataclass(frozen=True)
class Explanation:
    """Everything that `gpt-tui datasets show` tells of a dataset.

    text, ids, decoded: a text, its ids, and those ids decoded again
    x, y:               one small batch, rows of ids (B, T); y is x shifted by one token
    x_text, y_text:     the same rows as text
    """

    name: str
    source: str
    sha256: str
    characters: int
    tokenizer: str
    train_tokens: int
    val_tokens: int
    why: str | None
    notices: tuple[str, ...]
    vocabulary: tuple[VocabularyRow, ...]
    text: str
    ids: tuple[int, ...]
    decoded: str
    x: tuple[tuple[int, ...], ...]
    y: tuple[tuple[int, ...], ...]
    x_text: tuple[str, ...]
    y_text: tuple[str, ...]
    ladder: dict[str, float]
    ladder_note: str | None


def explain(
    dataset: Dataset,
    text: str | None = None,
    *,
    batch_size: int = 3,
    block_size: int = 8,
    seed: int = 1337,
    progress: Progress | None = None,
    should_stop: ShouldStop | None = None,
) -> Explanation:
    """What a model will read. `text` is the text to encode; without it the beginning of the dataset is.

    progress, should_stop: as in `load_dataset`, while the tokens of a large one are counted. Raises Stopped, and
    UnknownCharacter where `text` has a character that the dataset has not.
    """
    if text is None:
        text = dataset.tokenizer.decode(dataset.train[:_EXCERPT_CHARACTERS])
    ids = dataset.tokenizer.encode(text)
    block_size = min(block_size, dataset.train_tokens - 1)
    x, y = sample_batch(dataset.train, np.random.default_rng(seed), batch_size, block_size)
    return Explanation(
        name=dataset.name,
        source=dataset.source,
        sha256=dataset.sha256,
        characters=dataset.characters,
        tokenizer=dataset.tokenizer.kind,
        train_tokens=dataset.train_tokens,
        val_tokens=dataset.val_tokens,
        why=dataset.why,
        notices=dataset.notices,
        vocabulary=_vocabulary(dataset, Watch(progress, should_stop)),
        text=text,
        ids=tuple(ids.tolist()),
        decoded=dataset.tokenizer.decode(ids),
        x=tuple(map(tuple, x.tolist())),
        y=tuple(map(tuple, y.tolist())),
        x_text=tuple(dataset.tokenizer.decode(row) for row in x),
        y_text=tuple(dataset.tokenizer.decode(row) for row in y),
        ladder=dict(dataset.ladder),
        ladder_note=dataset.ladder_note,
    )


def _vocabulary(dataset: Dataset, watch: Watch) -> tuple[VocabularyRow, ...]:
    counts, done = np.zeros(dataset.vocab_size, dtype=np.int64), 0
    for split in (dataset.train, dataset.val):
        for start in range(0, len(split), _COUNTED_TOKENS):
            block = split[start : start + _COUNTED_TOKENS]
            counts += np.bincount(block, minlength=dataset.vocab_size)
            done += block.nbytes
            watch.report("counting", done, dataset.train.nbytes + dataset.val.nbytes)
    return tuple(
        VocabularyRow(token, dataset.tokenizer.token_text(token), count) for token, count in enumerate(counts.tolist())
    )


def render_explanation(explanation: Explanation, width: int = 80) -> str:
    """The explanation as plain text of at most `width` columns where its words allow, without colour or markup."""
    sections = [
        _render_facts(explanation, width),
        _render_vocabulary(explanation, width),
        _render_encoding(explanation, width),
        _render_batch(explanation, width),
        _render_ladder(explanation, width),
    ]
    return "\n\n".join("\n".join(lines) for lines in sections)


def _render_facts(explanation: Explanation, width: int) -> list[str]:
    told = [] if explanation.why is None else [explanation.why]
    lines = [
        f"dataset     {visible(explanation.name)}",
        f"source      {visible(explanation.source)}",
        f"sha256      {explanation.sha256}",
        f"characters  {explanation.characters:,}",
        f"tokens      {explanation.train_tokens:,} to train on, {explanation.val_tokens:,} to validate on",
        f"tokenizer   {explanation.tokenizer}, {len(explanation.vocabulary):,} ids",
    ]
    for text in (*told, *explanation.notices):
        lines += textwrap.wrap(visible(text), width)
    return lines


def _render_vocabulary(explanation: Explanation, width: int) -> list[str]:
    rows: list[VocabularyRow] = [row for row in explanation.vocabulary if row.count]
    title = "Vocabulary: id, token, how often it occurs"
    if len(rows) > _LISTED_TOKENS:
        title += f" (the {_LISTED_TOKENS} commonest of {len(rows):,})"
        rows = sorted(rows, key=lambda row: -row.count)[:_LISTED_TOKENS]
    id_width = max(len(str(row.id)) for row in rows)
    text_width = max(_columns(_token(row)) for row in rows)
    count_width = max(len(f"{row.count:,}") for row in rows)
    cells = []
    for row in rows:
        padding = " " * (text_width - _columns(_token(row)))
        cells.append(f"{row.id:>{id_width}} {_token(row)}{padding} {row.count:>{count_width},}")
    return [title, *_side_by_side(cells, width, cell_width=id_width + text_width + count_width + 2)]


def _token(row: VocabularyRow) -> str:
    return "space" if row.text == " " else row.text


def _columns(text: str) -> int:
    """How many columns of a terminal a text takes: East Asian characters take two, combining marks none."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _side_by_side(cells: list[str], width: int, cell_width: int, gap: str = "    ") -> list[str]:
    """Cells side by side, read down each column."""
    columns = max(1, (width + len(gap)) // (cell_width + len(gap)))
    height = -(-len(cells) // columns)
    return [gap.join(cells[row::height]) for row in range(height)]


def _render_encoding(explanation: Explanation, width: int) -> list[str]:
    ids = " ".join(map(str, explanation.ids))
    return [
        "A text, its ids, and the ids decoded again",
        f"  {visible(explanation.text)}",
        *textwrap.wrap(ids, width, initial_indent="  ", subsequent_indent="  "),
        f"  {visible(explanation.decoded)}",
    ]


def _render_batch(explanation: Explanation, width: int) -> list[str]:
    rows = len(explanation.x)
    lines = textwrap.wrap(
        f"One batch of {rows} rows of {len(explanation.x[0])} tokens: at each place the model sees x up to there "
        "and is asked for y",
        width,
    )
    id_width = max(len(str(token)) for row in (*explanation.x, *explanation.y) for token in row)
    for row in range(rows):
        for label, ids, text in (
            ("x", explanation.x[row], explanation.x_text[row]),
            ("y", explanation.y[row], explanation.y_text[row]),
        ):
            shown = " ".join(f"{token:>{id_width}}" for token in ids)
            lines.append(f"  {label}  {shown}   {visible(text)}")
    return lines


def _render_ladder(explanation: Explanation, width: int) -> list[str]:
    if not explanation.ladder:
        return ["The entropy ladder has not been counted yet."]
    name_width = max(map(len, explanation.ladder))
    lines = textwrap.wrap(
        "The entropy ladder: nats per token of the validation split for one who knows only how often "
        "tokens follow one another in the training split",
        width,
    )
    lines += [f"  {name:<{name_width}}  {nats:.4f}" for name, nats in explanation.ladder.items()]
    if explanation.ladder_note is not None:
        lines += textwrap.wrap(f"({explanation.ladder_note})", width)
    return lines
