"""A model speaks in a thread of its own: what `gpt-tui sample` would write, with what else was likely at each place."""

from __future__ import annotations

import itertools
import math
import shutil
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from gpt_tui.core.config import RunConfig, SamplingConfig
from gpt_tui.core.data import ByteTokenizer, CharTokenizer
from gpt_tui.core.events import Step
from gpt_tui.core.runs import Run, newest_whole_checkpoint
from gpt_tui.core.sampling import Speaker, sample_text
from gpt_tui.core.session import Lend, Pause, Plan, Save, Session, SingleStep, Stop
from gpt_tui.core.speech import Alternative, Source, Speech, Spoken, Utterance, writing
from gpt_tui.core.speech import speech as voice
from patience import PATIENCE, until
from small_runs import TEXT, finished, planned

DRAWING = sys.modules["gpt_tui.core.sampling.generate"]  # the package has a function of that name
GREEDY = SamplingConfig(temperature=0, max_new_tokens=60)
SAMPLED = SamplingConfig(temperature=0.9, top_k=12, top_p=0.95, min_p=0.01, sample_seed=5, max_new_tokens=60)


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two finished runs, one of characters and one of bytes."""
    return finished(tmp_path_factory.mktemp("speech"), {"char": {}, "byte": {"tokenizer": "byte"}})


def begin(folder: Path, run_name: str, **fields: Any) -> Session:
    session = planned(folder, run_name, **fields)
    session.start()
    return session


@pytest.fixture
def speech() -> Iterator[Speech]:
    speech = Speech()
    yield speech
    speech.close()


def said(speech: Speech, source: Source, prompt: str = "", sampling: SamplingConfig = GREEDY) -> Utterance:
    speech.say(source, prompt, sampling)
    assert speech.utterance.state != "silent"
    until(lambda: speech.utterance.state in ("finished", "failed"))
    return speech.utterance


def ended(speech: Speech) -> Utterance:
    until(lambda: speech.utterance.state in ("finished", "failed"))
    assert speech.utterance.state == "finished", speech.utterance.error
    return speech.utterance


def written(utterance: Utterance) -> str:
    return text_of(utterance.tokens)


def text_of(tokens: Sequence[Spoken]) -> str:
    """What the model wrote of it."""
    return "".join(token.text for token in tokens if not token.given)


@pytest.mark.parametrize("sampling", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
@pytest.mark.parametrize("prompt", ["", "ANNA:\n", "The house of ANNA is number 7, là-bas."])
@pytest.mark.parametrize("name", ["char", "byte"])
def test_the_text_is_the_one_that_sample_writes(
    runs_dir: Path, speech: Speech, name: str, prompt: str, sampling: SamplingConfig
) -> None:
    run = Run.open(runs_dir / name)
    utterance = said(speech, Source(run.path), prompt, sampling)
    assert utterance.state == "finished", utterance.error
    assert written(utterance) == Speaker.from_run(run).speak(prompt, sampling)
    assert "".join(t.text for t in utterance.tokens if t.given) == (prompt or "\n") == utterance.prompt
    assert (utterance.run, utterance.step, utterance.seed) == (name, 40, sampling.sample_seed)
    assert utterance.first_token_seconds is not None
    assert utterance.tokens_per_second is not None


FILTERED = SamplingConfig(temperature=0.5, top_k=5, top_p=0.9, max_new_tokens=3)


def test_every_token_says_how_likely_it_was_and_what_else_was(runs_dir: Path, speech: Speech) -> None:
    path = runs_dir / "char"
    prompt = "The house of ANNA is"  # longer than the window of 16
    utterance = said(speech, Source(path), prompt, FILTERED)
    speaker = Speaker.from_run(Run.open(path))
    ids = speaker.tokenizer.encode(prompt).tolist()
    with torch.no_grad():
        logits = speaker.model(torch.tensor([ids[-16:]]))[0][0].double()
    tokens = utterance.tokens
    assert [t.shown for t in tokens] == [speaker.tokenizer.token_text(t.id) for t in tokens]
    for at in range(len(ids) - 15, len(ids) + 1):
        row = logits[at - (len(ids) - 16) - 1]
        chances = torch.softmax(row, -1)
        cooled = torch.softmax(row / 0.5, -1)
        five = only(cooled, torch.topk(cooled, 5).indices.tolist())
        most = torch.sort(five, descending=True)
        nucleus = only(five, most.indices[: 1 + int((most.values.cumsum(-1) < 0.9).sum())].tolist())
        token = tokens[at]
        assert token.given == (at < len(ids))
        assert token.logprob == pytest.approx(math.log(chances[token.id]), rel=1e-6)
        assert token.rank == 1 + int((chances > chances[token.id]).sum())
        assert token.filters == ("temperature", "top_k", "top_p")
        assert token.after == token.chances[-1]
        assert len(token.alternatives) == 8
        assert [a.id for a in token.alternatives] == torch.topk(chances, 8).indices.tolist()
        for other in (token, *token.alternatives):
            assert other.chances == pytest.approx([float(p[other.id]) for p in (chances, cooled, five, nucleus)])
        for other in token.alternatives:
            assert (other.before, other.after) == (other.chances[0], other.chances[3])
            assert (other.text, other.shown) == (
                speaker.tokenizer.decode([other.id]),
                speaker.tokenizer.token_text(other.id),
            )


def only(chances: torch.Tensor, kept: list[int]) -> torch.Tensor:
    """These alone, as likely beside each other as before."""
    left = torch.zeros_like(chances)
    left[kept] = chances[kept]
    return left / left.sum()


def test_a_filter_that_is_off_has_no_part_in_it(runs_dir: Path, speech: Speech) -> None:
    utterance = said(speech, Source(runs_dir / "char"), "", SamplingConfig(temperature=1, max_new_tokens=2))
    assert [token.filters for token in utterance.tokens] == [()] * 3
    for token in utterance.tokens[1:]:
        assert token.chances == (token.after,) == pytest.approx((math.exp(token.logprob or 0),))


def test_a_text_that_is_longer_than_the_window_is_read_from_its_beginning(runs_dir: Path, speech: Speech) -> None:
    path = runs_dir / "char"
    prompt = TEXT[:101]
    tokens = said(speech, Source(path), prompt, FILTERED).tokens
    speaker = Speaker.from_run(Run.open(path))
    ids = speaker.tokenizer.encode(prompt).tolist()
    assert tokens[0].logprob is None
    for at in range(1, 101 - 15):
        # In windows of 16, each of which begins with the half of the one before that is known already.
        start = 0 if at <= 16 else (at - 17) // 8 * 8 + 8
        with torch.no_grad():
            logits = speaker.model(torch.tensor([ids[start:at]]))[0][0, -1].double()
        assert tokens[at].logprob == pytest.approx(float(torch.log_softmax(logits, -1)[ids[at]]), rel=1e-4), at
        assert at - start >= min(at, 8)


def test_the_sampler_at_zero_leaves_the_likeliest_alone(runs_dir: Path, speech: Speech) -> None:
    utterance = said(speech, Source(runs_dir / "char"), "BEN:", GREEDY)
    for token in utterance.tokens[4:]:
        assert (token.rank, token.after) == (1, 1.0)
        assert [other.after for other in token.alternatives] == [1.0] + [0.0] * 7


def test_any_checkpoint_speaks_and_the_last_two_stay_loaded(
    runs_dir: Path, speech: Speech, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[int | None] = []
    really = Speaker.from_run

    def counted(run: Run, step: int | None = None, device: str = "auto") -> Speaker:
        loaded.append(step)
        return really(run, step, device)

    monkeypatch.setattr(Speaker, "from_run", counted)
    path = runs_dir / "char"
    texts = {step: written(said(speech, Source(path, step))) for step in (0, 20, 0, 20)}
    assert loaded == [0, 20]
    assert texts[0] != texts[20]
    said(speech, Source(path))
    said(speech, Source(path, 40))  # the newest by its own step is the same model
    assert loaded == [0, 20, None]
    said(speech, Source(path, 0))
    assert loaded == [0, 20, None, 0]


@pytest.mark.parametrize(
    ("source", "prompt", "why"),
    [
        ("char@None", "naïve", "the character ï"),
        ("char@21", "", "no checkpoint of that step; near it are"),
        ("nowhere@None", "", "there is no run at"),
    ],
)
def test_what_cannot_be_said_fails_with_a_sentence_and_the_next_wish_is_heard(
    runs_dir: Path, speech: Speech, source: str, prompt: str, why: str
) -> None:
    name, step = source.split("@")
    utterance = said(speech, Source(runs_dir / name, int(step) if step != "None" else None), prompt)
    assert utterance.state == "failed"
    assert why in utterance.error
    assert said(speech, Source(runs_dir / "char")).state == "finished"


def test_a_damaged_checkpoint_gives_way_and_that_is_told(runs_dir: Path, tmp_path: Path, speech: Speech) -> None:
    path = tmp_path / "damaged"
    shutil.copytree(runs_dir / "char", path)
    newest = Run.open(path).checkpoints()[-1].path / "model.safetensors"
    newest.write_bytes(newest.read_bytes()[:-8])
    utterance = said(speech, Source(path))
    assert utterance.state == "finished"
    assert utterance.step == 20
    assert "the newest that is whole" in " ".join(utterance.notices)


def test_stopping_and_saying_anew_take_effect_at_once(runs_dir: Path, speech: Speech) -> None:
    source = Source(runs_dir / "char")
    endless = SamplingConfig(max_new_tokens=1_000_000)
    speech.say(source, "ANNA", endless)
    until(lambda: len(speech.utterance.tokens) > 30)
    speech.stop()
    stopped = speech.utterance
    assert stopped.state == "stopped"
    count, text = len(stopped.tokens), "".join(t.text for t in stopped.tokens)
    utterance = said(speech, source, "BEN")
    assert utterance.prompt == "BEN"
    assert utterance.state == "finished"
    assert speech.utterance is utterance
    assert (len(stopped.tokens), "".join(t.text for t in stopped.tokens)) == (count, text)
    speech.say(source, "ANNA", endless)
    speech.close()
    assert speech.utterance.state == "stopped"
    speech.say(source, "BEN", GREEDY)
    assert speech.utterance.state == "stopped"


# Several samples at once --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sampling", [SAMPLED, SAMPLED.model_copy(update={"window_rule": "full"})], ids=["half", "full"]
)
@pytest.mark.parametrize("name", ["char", "byte"])
def test_several_samples_are_each_what_its_own_seed_writes(
    runs_dir: Path, speech: Speech, name: str, sampling: SamplingConfig
) -> None:
    run = Run.open(runs_dir / name)
    speech.say(Source(run.path), "ANNA:\n", sampling, samples=3)
    utterance = ended(speech)
    speaker = Speaker.from_run(run)
    texts = [speaker.speak("ANNA:\n", sampling, seed=5 + number) for number in range(3)]
    assert [text_of(sample) for sample in utterance.samples] == texts
    assert len(set(texts)) == 3
    assert utterance.tokens == utterance.samples[0]


def test_the_speed_counts_the_tokens_of_all_samples(
    runs_dir: Path, speech: Speech, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = itertools.count()
    monkeypatch.setattr(voice.time, "perf_counter", lambda: float(next(ticks)))  # a second a token
    for samples in (1, 4):
        speech.say(Source(runs_dir / "char"), "", SAMPLED, samples)
        assert ended(speech).tokens_per_second == samples


# Going on ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["char", "byte"])
def test_what_was_stopped_goes_on_as_if_it_never_had_been(runs_dir: Path, speech: Speech, name: str) -> None:
    source = Source(runs_dir / name)
    endless = SAMPLED.model_copy(update={"max_new_tokens": 1_000_000})
    speech.say(source, "ANNA:\n", endless, samples=2)
    until(lambda: len(speech.utterance.tokens) > 40)
    speech.stop()
    stopped = speech.utterance
    speech.go_on(stopped, SAMPLED)
    assert speech.utterance.tokens == stopped.tokens  # they stay in sight meanwhile
    utterance = ended(speech)
    assert utterance.number == stopped.number
    for sample, before in zip(utterance.samples, stopped.samples, strict=True):
        assert len(sample) == len(before) + 60
    written_whole(runs_dir, name, utterance, SAMPLED)
    speech.go_on(utterance, SAMPLED)
    again = ended(speech)
    assert len(again.tokens) == len(utterance.tokens) + 60
    written_whole(runs_dir, name, again, SAMPLED)


def written_whole(runs_dir: Path, name: str, utterance: Utterance, sampling: SamplingConfig) -> None:
    """Each sample is what comes of its seed at one go."""
    speaker = Speaker.from_run(Run.open(runs_dir / name))
    long = sampling.model_copy(update={"max_new_tokens": sum(not token.given for token in utterance.tokens)})
    for number, sample in enumerate(utterance.samples):
        assert text_of(sample) == speaker.speak(utterance.prompt, long, seed=sampling.sample_seed + number)


def test_a_text_goes_on_after_another_was_said(runs_dir: Path, speech: Speech) -> None:
    source = Source(runs_dir / "char")
    first = said(speech, source, "ANNA:", SAMPLED)
    said(speech, source, "BEN:", SAMPLED)
    speech.go_on(first, SAMPLED)
    written_whole(runs_dir, "char", ended(speech), SAMPLED)


def test_other_settings_go_on_from_all_that_stands_there_as_a_new_draw(runs_dir: Path, speech: Speech) -> None:
    run = Run.open(runs_dir / "char")
    speech.say(Source(run.path), "ANNA:\n", SAMPLED, samples=2)
    before = ended(speech)
    other = SamplingConfig(temperature=1.5, sample_seed=90, max_new_tokens=25)
    speech.go_on(before, other)
    utterance = ended(speech)
    assert utterance.seed == 90
    speaker = Speaker.from_run(run)
    for number, (sample, text) in enumerate(zip(utterance.samples, before.samples, strict=True)):
        whole = "".join(token.text for token in text)
        assert "".join(token.text for token in sample) == whole + speaker.speak(whole, other, seed=90 + number)
        assert list(sample[: len(text)]) == list(text)


def test_a_text_goes_on_with_its_model_after_others_pushed_that_out_of_the_last_two(
    runs_dir: Path, speech: Speech
) -> None:
    path = runs_dir / "char"
    first = said(speech, Source(path, 20), "ANNA:", SAMPLED)
    for step in (0, 40):
        said(speech, Source(path, step), "BEN:", SAMPLED)
    speech.go_on(first, SAMPLED)
    utterance, long = ended(speech), SAMPLED.model_copy(update={"max_new_tokens": 120})
    assert written(utterance) == Speaker.from_run(Run.open(path), 20).speak("ANNA:", long)


@pytest.mark.parametrize("limit", ["WRITINGS_KEPT", "WINDOWS_KEPT", "WEIGHTS_KEPT"])
def test_what_is_no_longer_held_ready_goes_on_from_all_that_stands_there(
    runs_dir: Path, speech: Speech, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    monkeypatch.setattr(voice, limit, 1)
    path = runs_dir / "char"
    first = said(speech, Source(path, 20), "ANNA:", SAMPLED)
    for step in (0, 40):  # two other models push out the first
        said(speech, Source(path, step), "BEN:", SAMPLED)
    speech.go_on(first, SAMPLED)
    utterance = ended(speech)
    whole = "".join(token.text for token in first.tokens)
    assert utterance.step == 20
    assert "".join(token.text for token in utterance.tokens) == whole + Speaker.from_run(Run.open(path), 20).speak(
        whole, SAMPLED
    )


def test_what_was_stopped_before_its_first_token_begins_anew(runs_dir: Path, speech: Speech) -> None:
    first = said(speech, Source(runs_dir / "char"), "ANNA:", SAMPLED)
    speech.go_on(replace(first, samples=()), SAMPLED)
    assert list(ended(speech).tokens) == list(first.tokens)


def test_what_failed_in_the_middle_goes_on_from_what_stands_there(
    runs_dir: Path, speech: Speech, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.open(runs_dir / "char")
    really = writing.weigh

    def breaks(*given: Any) -> Any:
        if len(speech.utterance.tokens) > 30:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4096 bytes")
        return really(*given)

    monkeypatch.setattr(writing, "weigh", breaks)
    failed = said(speech, Source(run.path), "ANNA:", SAMPLED)
    assert failed.state == "failed"
    assert "could not speak, for want of memory: 4.1 kB asked for, " in failed.error
    monkeypatch.setattr(writing, "weigh", really)
    speech.go_on(failed, SAMPLED)
    whole = "".join(token.text for token in failed.tokens)
    told = "".join(token.text for token in ended(speech).tokens)
    assert told == whole + Speaker.from_run(run).speak(whole, SAMPLED)


def test_a_text_of_the_newest_checkpoint_goes_on_with_that_one_when_there_is_a_newer(
    runs_dir: Path, tmp_path: Path, speech: Speech
) -> None:
    path = tmp_path / "growing"
    shutil.copytree(runs_dir / "char", path)
    newest = Run.open(path).checkpoints()[-1].path
    newest.rename(tmp_path / "to come")
    first = said(speech, Source(path), "ANNA:", SAMPLED)
    assert first.step == 20
    (tmp_path / "to come").rename(newest)
    for step in (0, 40):
        said(speech, Source(runs_dir / "char", step), "BEN:", SAMPLED)
    speech.go_on(first, SAMPLED)
    assert ended(speech).step == 20


def test_what_was_stopped_while_its_model_was_loaded_still_wants_as_many_samples(
    runs_dir: Path, speech: Speech, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, really = threading.Event(), Speaker.from_run

    def slowly(*given: Any) -> Speaker:
        assert held.wait(PATIENCE)
        return really(*given)

    monkeypatch.setattr(Speaker, "from_run", slowly)
    speech.say(Source(runs_dir / "char"), "ANNA:", SAMPLED, samples=3)
    speech.stop()
    speech.go_on(speech.utterance, SAMPLED)
    held.set()
    utterance = ended(speech)
    assert len(utterance.samples) == 3
    written_whole(runs_dir, "char", utterance, SAMPLED)


# Very long texts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("samples", [1, 2])
def test_of_a_very_long_text_only_the_newest_tokens_say_what_else_was_likely(
    runs_dir: Path, speech: Speech, monkeypatch: pytest.MonkeyPatch, samples: int
) -> None:
    path = runs_dir / "char"
    speech.say(Source(path), "ANNA:\n", SAMPLED, samples)
    whole = ended(speech)
    monkeypatch.setattr(writing, "TOLD_WHOLE", 20)
    speech.say(Source(path), "ANNA:\n", SAMPLED, samples)
    utterance = ended(speech)

    def told_of_the_newest(newest: int) -> None:
        for sample, before in zip(utterance.samples, whole.samples, strict=True):
            assert len(sample) >= len(before) == 66
            for at, (token, same) in enumerate(zip(sample, before, strict=False)):
                assert (token.id, token.text, token.shown, token.given) == (same.id, same.text, same.shown, same.given)
                assert (token.logprob, token.rank) == (same.logprob, same.rank)
                expected = (
                    same if len(sample) - at <= newest else replace(same, filters=(), chances=(), alternatives=())
                )
                assert token == expected

    told_of_the_newest(20 // samples)
    speech.go_on(utterance, SAMPLED)
    utterance = ended(speech)
    told_of_the_newest(20 // samples)
    assert all(token.alternatives for sample in utterance.samples for token in sample[-20 // samples :])
    written_whole(runs_dir, "char", utterance, SAMPLED)
    warmer = SAMPLED.model_copy(update={"temperature": 1.2})
    speech.go_on(utterance, warmer)
    utterance = ended(speech)
    told_of_the_newest(20 // samples)
    speech.branch(utterance, 0, len(utterance.tokens) - 1, utterance.tokens[-1].alternatives[1], SAMPLED)
    utterance = ended(speech)
    assert [bool(token.alternatives) for token in utterance.tokens[-21:]] == [False] + [True] * 20


def test_a_token_whose_alternatives_were_let_go_of_meanwhile_can_be_branched_from(
    runs_dir: Path, speech: Speech, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "TOLD_WHOLE", 20)
    utterance = said(speech, Source(runs_dir / "char"), "ANNA:", SAMPLED)
    assert not utterance.tokens[9].alternatives
    other = next(token for token in utterance.tokens[::-1] if token.id != utterance.tokens[9].id)
    chosen = Alternative(other.id, other.text, other.shown, (0.25, 0.5))
    speech.branch(utterance, 0, 9, chosen, SAMPLED)
    token = ended(speech).tokens[9]
    assert (token.id, token.rank, token.logprob) == (other.id, None, math.log(0.25))


# Branches ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "at"), [("char", 12), ("char", 3), ("char", 40), ("byte", 9)])
def test_a_branch_is_the_text_up_to_a_token_then_another_and_then_what_the_model_makes_of_it(
    runs_dir: Path, speech: Speech, name: str, at: int
) -> None:
    run = Run.open(runs_dir / name)
    speech.say(Source(run.path), "ANNA:\n", SAMPLED, samples=2)
    trunk = ended(speech)
    stood = trunk.samples[1][at]
    chosen = next(other for other in stood.alternatives if other.id != stood.id)
    speech.branch(trunk, 1, at, chosen, SAMPLED, samples=3)
    assert list(speech.utterance.tokens) == list(trunk.samples[1][:at])
    utterance = ended(speech)
    assert utterance.number != trunk.number
    assert len(utterance.samples) == 3
    speaker = Speaker.from_run(run)
    for number, sample in enumerate(utterance.samples):
        assert list(sample[:at]) == list(trunk.samples[1][:at])
        token = sample[at]
        assert (token.id, token.shown, token.chosen, token.given) == (chosen.id, chosen.shown, True, False)
        assert token.logprob == pytest.approx(math.log(chosen.before))
        assert (token.rank, token.chances) == (stood.alternatives.index(chosen) + 1, chosen.chances)
        assert token.alternatives == stood.alternatives
        assert not any(other.chosen for other in [*sample[:at], *sample[at + 1 :]])
        start = "".join(other.text for other in sample[: at + 1])
        rest = "".join(other.text for other in sample[at + 1 :])
        assert rest == speaker.speak(start, SAMPLED, seed=5 + number)
    written_whole(runs_dir, name, trunk, SAMPLED)  # which is what it was


def test_the_token_that_stands_there_may_be_chosen_again_wherever_it_ranks(runs_dir: Path, speech: Speech) -> None:
    path = runs_dir / "char"
    trunk = said(speech, Source(path), "", SamplingConfig(temperature=20, max_new_tokens=60))
    at, stood = next((at, token) for at, token in enumerate(trunk.tokens) if (token.rank or 0) > 8)
    speech.branch(trunk, 0, at, Alternative(stood.id, stood.text, stood.shown, stood.chances), GREEDY)
    token = ended(speech).tokens[at]
    assert (token.id, token.text, token.rank) == (stood.id, stood.text, stood.rank)
    assert token.logprob == pytest.approx(stood.logprob)


@pytest.mark.parametrize("at", [1, 2])
def test_a_branch_in_the_middle_of_a_character_goes_on_with_its_other_bytes(
    runs_dir: Path, speech: Speech, at: int
) -> None:
    trunk = said(speech, Source(runs_dir / "byte"), "là", GREEDY)
    assert [token.text for token in trunk.tokens[:3]] == ["l", "", "à"]
    stood = trunk.tokens[at]
    speech.branch(trunk, 0, at, Alternative(stood.id, stood.text, stood.shown, stood.chances), GREEDY)
    tokens = ended(speech).tokens
    assert tokens[at].text == stood.text
    whole = bytes(token.id for token in tokens).decode("utf-8", "replace")
    assert "".join(token.text for token in tokens) == whole


def test_a_branch_that_was_stopped_before_its_first_token_is_still_that_branch(
    runs_dir: Path, speech: Speech, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run.open(runs_dir / "char")
    trunk = said(speech, Source(run.path), "ANNA:", SAMPLED)
    held, really = threading.Event(), writing.put_after

    def slowly(*given: Any) -> Spoken:
        assert held.wait(PATIENCE)
        return really(*given)

    monkeypatch.setattr(writing, "put_after", slowly)
    chosen = trunk.tokens[20].alternatives[1]
    speech.branch(trunk, 0, 20, chosen, SAMPLED, samples=3)
    speech.stop()
    speech.go_on(speech.utterance, SAMPLED)
    held.set()
    utterance = ended(speech)
    start = "".join(token.text for token in trunk.tokens[:20]) + chosen.text
    speaker = Speaker.from_run(run)
    texts = ["".join(token.text for token in sample) for sample in utterance.samples]
    assert texts == [start + speaker.speak(start, SAMPLED, seed=5 + number) for number in range(3)]
    assert utterance.put is None


def test_a_stopped_branch_goes_on_too(runs_dir: Path, speech: Speech) -> None:
    run = Run.open(runs_dir / "char")
    trunk = said(speech, Source(run.path), "ANNA:", SAMPLED)
    speech.branch(trunk, 0, 20, trunk.tokens[20].alternatives[1], SAMPLED)
    branch = ended(speech)
    speech.go_on(branch, SAMPLED)
    utterance = ended(speech)
    start = "".join(token.text for token in utterance.tokens[:21])
    long = SAMPLED.model_copy(update={"max_new_tokens": 120})
    assert "".join(token.text for token in utterance.tokens) == start + Speaker.from_run(run).speak(start, long)


# Bytes ---------------------------------------------------------------------------------------------------------------


def spoken_bytes(monkeypatch: pytest.MonkeyPatch, block: bytes) -> None:
    """Whatever a model gives, these are drawn, again and again."""
    following = itertools.cycle(block)
    monkeypatch.setattr(DRAWING, "choose", lambda *given: next(following))


def test_a_text_that_ends_within_a_character_says_so_once_it_has_ended(
    runs_dir: Path, speech: Speech, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, euro = Run.open(runs_dir / "byte"), "€".encode()
    for length, end in ((3, "€"), (4, "€\ufffd"), (5, "€\ufffd"), (6, "€€")):
        sampling = SamplingConfig(max_new_tokens=length)
        spoken_bytes(monkeypatch, euro)
        assert Speaker.from_run(run).speak("a", sampling) == end
        spoken_bytes(monkeypatch, euro)
        assert sample_text(Speaker.from_run(run).model, ByteTokenizer(), sampling) == end
        spoken_bytes(monkeypatch, euro)
        utterance = said(speech, Source(run.path), "a", sampling)
        assert written(utterance) == end
        speech.go_on(utterance, SamplingConfig(max_new_tokens=9 - length))  # which makes the character whole
        assert written(ended(speech)) == "€€€"
        spoken_bytes(monkeypatch, euro[length % 3 :] + euro[: length % 3])
        speech.go_on(utterance, SamplingConfig(max_new_tokens=9 - length, temperature=2))
        assert written(ended(speech)) == "€€€"


def test_while_it_streams_the_bytes_of_a_character_wait_for_its_last(
    runs_dir: Path, speech: Speech, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, following = threading.Event(), iter("ab€".encode())

    def slowly(*given: Any) -> int:
        if len(speech.utterance.tokens) == 5:
            assert held.wait(PATIENCE)
        return next(following)

    monkeypatch.setattr(DRAWING, "choose", slowly)
    speech.say(Source(runs_dir / "byte"), "a", SamplingConfig(max_new_tokens=5))
    until(lambda: len(speech.utterance.tokens) == 5)
    assert written(speech.utterance) == "ab"
    speech.stop()
    assert written(speech.utterance) == "ab\ufffd"
    held.set()


def test_an_alternative_that_is_the_sign_for_the_unreadable_itself_says_so(tmp_path: Path, speech: Speech) -> None:
    (tmp_path / "text.txt").write_text(TEXT + "\ufffd" * 100, encoding="utf-8")
    session = begin(tmp_path, "sign", max_iters=1, warmup_iters=0)
    assert session.join(PATIENCE)
    assert session.snapshot.run_path is not None
    tokens = said(speech, Source(session.snapshot.run_path), "ANNA:", SamplingConfig(max_new_tokens=200)).tokens
    others = [other for token in tokens for other in token.alternatives]
    assert all(len(other.text) == 1 for other in others)
    assert any(other.text == "\ufffd" for other in others)


# A session that lends its weights -------------------------------------------------------------------------------------


def losses(session: Session, meanwhile: Callable[[Session], None]) -> list[float]:
    """The losses of a session while something is done from outside."""
    reader = session.subscribe()
    session.start()
    until(lambda: session.snapshot.step >= 1)
    meanwhile(session)
    assert session.join(PATIENCE)
    assert session.outcome is not None
    assert session.outcome.kind == "finished", session.outcome
    return [event.loss for event in reader.drain() if isinstance(event, Step)]


def test_a_run_at_work_lends_its_weights_and_learns_the_same_to_the_last_bit(
    runs_dir: Path, tmp_path: Path, speech: Speech
) -> None:
    steps: list[int] = []
    short = SAMPLED.model_copy(update={"max_new_tokens": 8})

    def listen(session: Session) -> None:
        path = session.snapshot.run_path
        assert path is not None
        while session.snapshot.step < 200:
            utterance = said(speech, Source(path, session=session), "", short)
            assert utterance.state == "finished", utterance.error
            assert utterance.step is not None
            steps.append(utterance.step)

    alone = losses(planned(tmp_path, "alone", max_iters=300), lambda session: None)
    assert losses(planned(tmp_path, "lending", max_iters=300), listen) == alone
    assert len(alone) == 300
    assert len(set(steps)) > 1
    assert steps == sorted(steps)


@pytest.mark.soak
def test_beside_a_run_that_learns_it_writes_no_faster_than_can_be_read(
    runs_dir: Path, tmp_path: Path, speech: Speech
) -> None:
    session = begin(tmp_path, "reading", max_iters=1_000_000)
    until(lambda: session.snapshot.step >= 1)
    path = session.snapshot.run_path
    assert path is not None
    utterance = said(speech, Source(path, session=session), "BEN:", SAMPLED.model_copy(update={"max_new_tokens": 40}))
    assert utterance.tokens_per_second is not None
    assert 0 < utterance.tokens_per_second <= 151
    speech.say(Source(path, session=session), "BEN:", SAMPLED.model_copy(update={"max_new_tokens": 10_000}))
    until(lambda: len(speech.utterance.tokens) > 10)
    session.submit(Pause())
    until(lambda: session.snapshot.state == "PAUSED")
    assert ended(speech).tokens_per_second  # as fast as it can again: else it would take more than a minute
    session.submit(Stop())
    assert session.join(PATIENCE)


def test_a_paused_run_lends_what_it_saves(runs_dir: Path, tmp_path: Path, speech: Speech) -> None:
    session = begin(tmp_path, "paused", max_iters=2000)
    until(lambda: session.snapshot.step >= 5)
    session.submit(Pause())
    until(lambda: session.snapshot.state == "PAUSED")
    path = session.snapshot.run_path
    assert path is not None
    lent = said(speech, Source(path, session=session), "BEN:", SAMPLED)
    lend = Lend()
    session.submit(lend)
    weights = lend.reply.result(timeout=PATIENCE).weights
    session.submit(Stop())
    assert session.join(PATIENCE)
    assert lent.step == session.snapshot.step
    kept = said(speech, Source(path), "BEN:", SAMPLED)
    assert kept.step == lent.step
    assert written(kept) == written(lent)
    from_disk = newest_whole_checkpoint(Run.open(path), None, to_train=False)[1].model
    assert weights.keys() == from_disk.keys()
    assert all(torch.equal(weights[name], tensor) for name, tensor in from_disk.items())


@contextmanager
def paused(folder: Path, run_name: str) -> Iterator[tuple[Session, Source]]:
    """A run at work that is paused after a few steps, and as a source."""
    session = begin(folder, run_name, max_iters=100_000, checkpoint_interval="off")
    try:
        until(lambda: session.snapshot.step >= 1)
        session.submit(Pause())
        until(lambda: session.snapshot.state == "PAUSED")
        path = session.snapshot.run_path
        assert path is not None
        yield session, Source(path, session=session)
    finally:
        session.submit(Stop("signal"))
        assert session.join(PATIENCE)


def step(session: Session) -> None:
    """One step, and paused again."""
    wanted = session.snapshot.step + 1
    session.submit(SingleStep())
    until(lambda: session.snapshot.step == wanted and session.snapshot.state == "PAUSED")


def test_a_text_of_a_run_at_work_goes_on_with_the_very_model_that_wrote_it(tmp_path: Path, speech: Speech) -> None:
    with paused(tmp_path, "at work") as (session, source):
        lend = Lend()
        session.submit(lend)
        lent = lend.reply.result(timeout=PATIENCE)
        speaker = Speaker.of_weights(lent.weights, CharTokenizer.of(TEXT), lent.config, lent.step)
        first = said(speech, source, "ANNA:", SAMPLED)
        for _ in range(3):  # three other models of the same run
            step(session)
            assert said(speech, source, "BEN:", SAMPLED).step == session.snapshot.step
        held = speech.model_of(first)
        assert held is not None
        assert held.step == lent.step == session.snapshot.step - 3
        speech.branch(first, 0, 20, first.tokens[20].alternatives[1], SAMPLED)
        branch = ended(speech)
        start = "".join(token.text for token in branch.tokens[:21])
        assert "".join(token.text for token in branch.tokens) == start + speaker.speak(start, SAMPLED)
        speech.go_on(first, SAMPLED)
        utterance = ended(speech)
        assert written(utterance) == speaker.speak("ANNA:", SAMPLED.model_copy(update={"max_new_tokens": 120}))
        assert (utterance.step, utterance.notices) == (lent.step, ())


def test_where_the_model_that_wrote_a_text_is_gone_another_goes_on_and_says_so(
    runs_dir: Path, tmp_path: Path, speech: Speech, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(voice, "WRITINGS_KEPT", 1)
    with paused(tmp_path, "gone") as (session, source):

        def after_another_text(first: Utterance) -> Utterance:
            said(speech, Source(runs_dir / "char"), "BEN:", SAMPLED)
            speech.go_on(first, SAMPLED)
            return ended(speech)

        wrote = session.snapshot.step
        first = said(speech, source, "ANNA:", SAMPLED)
        same = after_another_text(first)
        assert (same.step, same.notices) == (wrote, ()), "the run has it still"
        step(session)
        other = after_another_text(first)
        assert other.step == wrote + 1
        assert other.notices[0].startswith(f"The model of step {wrote}, which wrote this text, is no longer held")
        session.submit(Save())
        until(lambda: Run.open(source.path).checkpoints()[-1].step == wrote + 1)
        step(session)
        saved = after_another_text(other)
        assert (saved.step, saved.notices) == (wrote + 1, ()), "its checkpoint is the same"


def test_a_run_that_has_ended_speaks_from_its_newest_checkpoint(runs_dir: Path, tmp_path: Path, speech: Speech) -> None:
    session = begin(tmp_path, "ended")
    assert session.join(PATIENCE)
    path = session.snapshot.run_path
    assert path is not None
    utterance = said(speech, Source(path, session=session))
    assert (utterance.state, utterance.step) == ("finished", 40)
    assert "came to its end" in utterance.notices[0]


def test_waiting_for_a_run_that_never_answers_can_be_given_up(runs_dir: Path, tmp_path: Path, speech: Speech) -> None:
    never_started = Session(Plan(RunConfig(), tmp_path))
    speech.say(Source(runs_dir / "char", session=never_started), "", GREEDY)
    until(lambda: "waiting" in speech.utterance.activity)
    speech.stop()
    assert speech.utterance.state == "stopped"
    assert said(speech, Source(runs_dir / "char")).state == "finished"


def test_loading_a_model_draws_nothing_from_the_generator_that_dropout_uses(runs_dir: Path) -> None:
    before = torch.get_rng_state()
    speaker = Speaker.from_run(Run.open(runs_dir / "char"))
    speaker.speak("ANNA", SAMPLED)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_run_lends_its_weights_while_it_evaluates(runs_dir: Path, tmp_path: Path) -> None:
    session = begin(tmp_path, "evaluating", eval_iters=100_000)
    until(lambda: session.snapshot.activity == "evaluating")
    lend = Lend()
    session.submit(lend)
    assert lend.reply.result(timeout=PATIENCE).step == 0
    assert session.snapshot.activity == "evaluating"
    session.submit(Stop("signal"))  # any other stop would evaluate its last step, which takes as long
    assert session.join(PATIENCE)
