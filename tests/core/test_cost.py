"""What a configuration costs: figures that are published, arithmetic done anew here, and times of the right size."""

from __future__ import annotations

from typing import Any

import pytest

from gpt_tui.core.config import DatasetFacts, RunConfig
from gpt_tui.core.cost import Cost, Pace, count_cost, estimate_seconds
from gpt_tui.core.presets import PRESETS
from published import PARAMETERS

SHAKESPEARE = DatasetFacts("shakespeare", "0" * 64, 1_115_394, 65, 1_003_854, 111_540)
NANOGPT = PRESETS["nanogpt-cpu"].config().replace(dtype="float32")


def cost(
    config: RunConfig, facts: DatasetFacts | None = None, pace: Pace | None = None, vocab_size: int | None = None
) -> Cost:
    return count_cost(config, facts, pace, lambda: 2, vocab_size)


def seconds(cores: int = 2, vocab_size: int = 65, **fields: Any) -> float:
    return estimate_seconds(NANOGPT.replace(**fields), vocab_size, cores)


# Counts ----------------------------------------------------------------------------------------------------------


def test_what_nanogpt_s_small_preset_takes_is_what_is_published_and_what_arithmetic_says() -> None:
    counted = cost(NANOGPT, SHAKESPEARE)
    assert counted.parameters == 804_096
    assert counted.tokens == 12 * 64
    matrices = 4 * 12 * 128**2 + 128 * 65  # in each block 4 C² for attention and 8 C² for the feed-forward part
    assert counted.flops == 12 * 64 * (6 * matrices + 12 * 4 * 128 * 64)  # PaLM, appendix B
    assert counted.epochs == pytest.approx(2000 * 768 / 1_003_854)
    assert (counted.vocab_size, counted.vocab_known) == (65, True)


@pytest.mark.parametrize("name", ["gpt2", "gpt2-medium", "gpt2-large", "gpt2-xl"])
def test_gpt_2_has_its_published_size_at_its_own_vocabulary(name: str) -> None:
    vocab_size, parameters = PARAMETERS[name]
    assert cost(PRESETS[name].config(), vocab_size=vocab_size).parameters == parameters


def test_memory_holds_weights_gradients_and_two_averages_beside_what_grows_with_the_batch() -> None:
    one, two, three = (cost(NANOGPT.replace(batch_size=batch)).memory for batch in (1, 2, 3))
    assert three - two == two - one > 64 * 128 * 4  # a batch's own share, more than one layer's stream
    assert one - (two - one) == 4 * 4 * 804_096 + 4  # and the loss


def test_without_a_dataset_the_vocabulary_is_assumed_and_said_to_be() -> None:
    assumed, byte, given = cost(NANOGPT), cost(NANOGPT.replace(tokenizer="byte")), cost(NANOGPT, vocab_size=50_257)
    assert (assumed.vocab_size, assumed.vocab_known, assumed.epochs) == (65, False, None)
    assert (byte.vocab_size, byte.vocab_known) == (256, True)
    assert (given.vocab_size, given.vocab_known) == (50_257, True)
    assert given.parameters - assumed.parameters == (50_257 - 65) * 128


def test_batches_added_up_before_a_step_cost_arithmetic_and_time_and_no_memory() -> None:
    one, eight = cost(NANOGPT), cost(NANOGPT.replace(gradient_accumulation_steps=8))
    assert (eight.tokens, eight.flops) == (8 * one.tokens, 8 * one.flops)
    assert eight.memory == one.memory
    assert one.seconds is not None
    assert eight.seconds is not None
    assert 7 * one.seconds < eight.seconds < 8 * one.seconds  # the step itself is taken once


# Time ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "more",
    [
        {"n_layer": 8},
        {"n_embd": 256},
        {"block_size": 128},
        {"batch_size": 24},
        {"ffn_mult": 8},
        {"gradient_accumulation_steps": 2},
        {"threads": 1},
        {"vocab_size": 50_257},
    ],
    ids=str,
)
def test_a_larger_model_and_a_larger_batch_take_longer(more: dict[str, Any]) -> None:
    assert seconds(**more) > 1.1 * seconds()


@pytest.mark.parametrize("less", [{"attention": False}, {"feed_forward": False}, {"norm": "none"}], ids=str)
def test_a_part_that_is_switched_off_takes_no_time(less: dict[str, Any]) -> None:
    assert seconds(**less) < seconds()


def test_a_number_of_threads_that_is_asked_for_counts_and_not_the_cores() -> None:
    assert seconds(cores=4, threads=2) == seconds(cores=2) == seconds(cores=1, threads=2)
    assert seconds(cores=4) < seconds(cores=2) < seconds(cores=1)


def test_half_the_digits_are_faster() -> None:
    assert seconds(dtype="bfloat16", n_embd=384) < seconds(dtype="float32", n_embd=384)


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [("nanogpt-cpu", 0.027, 0.032), ("nanogpt-gpu", 6.0, 9.8)],  # measured with nanoGPT in float32, on two cores
)
def test_an_estimate_is_of_the_size_of_what_was_measured(name: str, least: float, most: float) -> None:
    config = PRESETS[name].config().replace(dtype="float32")
    assert least / 3 < estimate_seconds(config, 65, 2) < most * 3


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_has_a_time(name: str) -> None:
    found = cost(PRESETS[name].config(), vocab_size=PRESETS[name].vocab_size).seconds
    assert found is not None
    assert 0 < found < 24 * 3600


def test_a_pace_scales_the_estimate() -> None:
    plain, paced = cost(NANOGPT).seconds, cost(NANOGPT, pace=Pace(2.5, "a-run"))
    assert plain is not None
    assert paced.seconds == pytest.approx(2.5 * plain)
    assert paced.pace == Pace(2.5, "a-run")


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_of_another_device_nothing_is_known_without_a_run_on_it(device: str) -> None:
    config = NANOGPT.replace(device=device)
    assert cost(config).seconds is None
    assert cost(config, pace=Pace(0.01, "a-run")).seconds == pytest.approx(0.01 * seconds())


def test_cores_are_not_counted_where_no_time_is_told() -> None:
    def count() -> int:
        raise AssertionError

    assert count_cost(NANOGPT.replace(device="cuda"), None, None, count).seconds is None


# The whole run ---------------------------------------------------------------------------------------------------


def in_all(facts: DatasetFacts | None = None, **fields: Any) -> float:
    counted = cost(NANOGPT.replace(**fields), facts)
    assert counted.in_all is not None
    return counted.in_all


def test_a_run_takes_its_steps_and_the_looking_besides() -> None:
    counted = cost(NANOGPT)
    assert counted.seconds is not None
    assert 1 < in_all() / (2000 * counted.seconds) < 1.2
    assert counted.looking == pytest.approx(in_all() - 2000 * counted.seconds)
    batch = counted.seconds / 3  # forward alone, a third of what a step takes
    more = in_all(eval_iters=200) - in_all(eval_iters=100)
    assert more == pytest.approx(9 * 2 * 100 * batch, rel=0.05)  # nine evaluations of 2,000 steps, on two splits
    often = in_all(eval_interval=100) - in_all(eval_interval=200)
    assert often > 10 * 2 * 20 * batch
    assert in_all(max_new_tokens=3000) > in_all(max_new_tokens=300)
    assert in_all(max_new_tokens=3000, window_rule="full") > in_all(max_new_tokens=3000)  # half is the default
    assert in_all(max_new_tokens=60, window_rule="full") == in_all(max_new_tokens=60)  # within one window


def test_an_evaluation_on_the_whole_split_is_judged_by_the_split_s_size() -> None:
    small = DatasetFacts("small", "0" * 64, 20_000, 65, 18_000, 2_000)
    large = DatasetFacts("large", "0" * 64, 10**9, 65, 9 * 10**8, 10**8)
    assert in_all(small, eval_iters=0) < in_all(SHAKESPEARE, eval_iters=0) < in_all(large, eval_iters=0)
    larger = DatasetFacts("larger", "0" * 64, 10**10, 65, 9 * 10**9, 10**9)
    assert in_all(large, eval_iters=0) == in_all(larger, eval_iters=0)  # a million tokens at most


def test_the_short_preset_is_mostly_evaluation() -> None:
    short = cost(PRESETS["shakespeare-1x1-short"].config())
    assert short.seconds is not None
    assert short.in_all is not None
    assert short.in_all > 3 * 100 * short.seconds
