"""The drawing shows what the model has, and no more."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gpt_tui.core.config import ModelConfig
from gpt_tui.core.drawing import WIDTH, draw, plain
from gpt_tui.core.presets import PRESETS

SMALL: dict[str, Any] = {"n_layer": 3, "n_head": 2, "n_embd": 16, "block_size": 4}


def drawn(**fields: Any) -> str:
    return plain(draw(ModelConfig(**{**SMALL, **fields}), 65))


def test_the_causal_mask_is_shown_as_what_it_is() -> None:
    rows = [
        "".join(span.text for span in line if span.role in ("mask", "hidden")).split()
        for line in draw(ModelConfig(**SMALL), 65)
    ]
    assert [row for row in rows if row] == [
        ["■", "·", "·", "·"],
        ["■", "■", "·", "·"],
        ["■", "■", "■", "·"],
        ["■", "■", "■", "■"],
    ]


def test_a_part_that_is_switched_off_is_absent_and_named() -> None:
    everything = drawn(position="learned")
    for field, box, name in (
        ("attention", "│ attention", "no attention"),
        ("feed_forward", "│ feed-forward", "no feed-forward"),
        ("residual", "x + y", "no residual stream"),
        ("output_projection", "projection to 16", "no projection"),
    ):
        without = drawn(position="learned", **{field: False})
        assert box in everything
        assert name not in everything
        assert name in without
        assert without.count(box) < everything.count(box), field
    assert drawn(norm="none").count("no norm") == 3
    assert "no positions" in drawn(position="none")
    assert "■" not in drawn(attention=False)
    assert "⊕ x" not in drawn(residual=False)


def test_what_a_part_consists_of_is_written_into_it() -> None:
    text = drawn(norm="layernorm", norm_weight=True, bias=True, activation="gelu", ffn_mult=4.0, dropout=0.25)
    for words in ("block × 3", "2 heads of 8", "64 numbers wide", "GELU", "dropout 0.25", "gain and bias", "65 × 16"):
        assert words in text, words
    assert "1 head of 16" in drawn(n_head=1)
    assert "the embedding's table" in drawn(tied_head=True)
    assert "the token before" in drawn(mix_previous=True)


def test_the_bigram_is_a_table_and_a_list_of_what_it_lacks() -> None:
    text = plain(draw(PRESETS["lecture-bigram"].config().model, 65))
    assert "65 × 65" in text
    assert "block" not in text
    for part in ("positions", "attention", "feed-forward", "residual stream", "norm", "head"):
        assert f"no {part}" in text


def test_one_wire_leads_from_the_token_ids_to_the_logits() -> None:
    for preset in PRESETS.values():
        lines = plain(draw(preset.config().model, preset.vocab_size)).split("\n")
        assert "token ids" in lines[0]
        assert "logits" in lines[-1]
        inside = False
        for line in lines[1:-1]:
            if line[17] == "┴":
                assert not inside
                inside = True
            elif line[17] == "┬":
                assert inside
                inside = False
            else:
                assert inside or line[17] in "│⊕○┼┤", line
        assert not inside
        assert all(len(line) <= WIDTH for line in lines)


@settings(max_examples=60)
@given(
    n_head=st.integers(1, 1024),
    size=st.integers(1, 64),
    block_size=st.integers(1, 1_048_576),
    ffn_mult=st.floats(0.01, 64),
    switches=st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_no_configuration_draws_over_its_edges(
    n_head: int, size: int, block_size: int, ffn_mult: float, switches: list[bool]
) -> None:
    names = ("attention", "feed_forward", "residual", "output_projection", "tied_head", "norm_weight")
    model = ModelConfig(
        n_layer=1024,
        n_head=n_head,
        n_embd=n_head * size,
        block_size=block_size,
        ffn_mult=ffn_mult,
        activation="gelu_tanh",
        norm="layernorm",
        bias=True,
        dropout=0.123456,
        position="learned",
        **dict(zip(names, switches, strict=True)),
    )
    lines = plain(draw(model, 50_257)).split("\n")
    assert all(len(line) <= WIDTH for line in lines)
    framed = [line for line in lines if line.startswith("│")]
    assert all(line.endswith("│") and len(line) == WIDTH for line in framed)


def test_in_ascii_nothing_else_is_used() -> None:
    for preset in PRESETS.values():
        drawn_plainly = plain(draw(preset.config().model, preset.vocab_size, ascii=True))
        assert drawn_plainly.isascii(), preset.name
        as_ever = plain(draw(preset.config().model, preset.vocab_size))
        assert [len(line) for line in drawn_plainly.split("\n")] == [len(line) for line in as_ever.split("\n")]
