"""A model speaks in a thread of its own: what `gpt-tui sample` would write, with what else was likely at each place."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from gpt_tui.core.config import RunConfig, SamplingConfig
from gpt_tui.core.events import Step
from gpt_tui.core.runs import Run
from gpt_tui.core.sampling import Speaker
from gpt_tui.core.session import Lend, Pause, Plan, Session, Stop
from gpt_tui.core.speech import Source, Speech, Utterance
from patience import PATIENCE, until

TEXT = "".join(
    f"{name}:\nThe house of {name} is number {n}, là-bas.\n\n" for n in range(90) for name in ("ANNA", "BEN")
)
FIELDS: dict[str, Any] = {
    "n_layer": 1, "n_head": 2, "n_embd": 16, "block_size": 16, "batch_size": 4, "max_iters": 40, "eval_interval": 20,
    "eval_iters": 2, "checkpoint_interval": 20, "dropout": 0.1, "max_new_tokens": 30, "threads": 1, "device": "cpu",
}  # fmt: skip
GREEDY = SamplingConfig(temperature=0, max_new_tokens=60)
SAMPLED = SamplingConfig(temperature=0.9, top_k=12, top_p=0.95, min_p=0.01, sample_seed=5, max_new_tokens=60)


@pytest.fixture(scope="module")
def runs_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two finished runs, one of characters and one of bytes."""
    folder = tmp_path_factory.mktemp("speech")
    (folder / "text.txt").write_text(TEXT, encoding="utf-8")
    for tokenizer in ("char", "byte"):
        session = begin(folder, run_name=tokenizer, tokenizer=tokenizer)
        assert session.join(PATIENCE)
        assert session.outcome is not None
        assert session.outcome.kind == "finished", session.outcome
    return folder


def planned(folder: Path, run_name: str, **fields: Any) -> Session:
    config = RunConfig().replace(**{**FIELDS, "dataset": str(folder / "text.txt"), **fields})
    return Session(Plan(config, folder / "runs", run_name=run_name))


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


def written(utterance: Utterance) -> str:
    return "".join(token.text for token in utterance.tokens if not token.given)


@pytest.mark.parametrize("sampling", [GREEDY, SAMPLED], ids=["greedy", "sampled"])
@pytest.mark.parametrize("prompt", ["", "ANNA:\n", "The house of ANNA is number 7, là-bas."])
@pytest.mark.parametrize("name", ["char", "byte"])
def test_the_text_is_the_one_that_sample_writes(
    runs_dir: Path, speech: Speech, name: str, prompt: str, sampling: SamplingConfig
) -> None:
    run = Run.open(runs_dir / "runs" / name)
    utterance = said(speech, Source(run.path), prompt, sampling)
    assert utterance.state == "finished", utterance.error
    assert written(utterance) == Speaker.from_run(run).speak(prompt, sampling)
    assert "".join(t.text for t in utterance.tokens if t.given) == (prompt or "\n") == utterance.prompt
    assert (utterance.run, utterance.step, utterance.seed) == (name, 40, sampling.sample_seed)
    assert utterance.first_token_seconds is not None
    assert utterance.tokens_per_second is not None


def test_every_token_says_how_likely_it_was_and_what_else_was(runs_dir: Path, speech: Speech) -> None:
    path = runs_dir / "runs" / "char"
    prompt = "The house of ANNA is"  # longer than the window of 16
    utterance = said(speech, Source(path), prompt, SamplingConfig(temperature=0.5, top_k=3, max_new_tokens=3))
    speaker = Speaker.from_run(Run.open(path))
    ids = speaker.tokenizer.encode(prompt).tolist()
    with torch.no_grad():
        logits = speaker.model(torch.tensor([ids[-16:]]))[0][0].double()
    tokens = utterance.tokens
    assert [t.shown for t in tokens] == [speaker.tokenizer.token_text(t.id) for t in tokens]
    assert [t.logprob for t in tokens[: len(ids) - 15]] == [None] * (len(ids) - 15)
    for at in range(len(ids) - 15, len(ids) + 1):
        row = logits[at - (len(ids) - 16) - 1]
        chances, cooled = torch.softmax(row, -1), torch.softmax(row / 0.5, -1)
        kept = torch.topk(cooled, 3).indices.tolist()
        token = tokens[at]
        assert token.given == (at < len(ids))
        assert token.logprob == pytest.approx(math.log(chances[token.id]), rel=1e-6)
        assert token.rank == 1 + int((chances > chances[token.id]).sum())
        total = float(cooled[kept].sum())
        assert token.after == pytest.approx(float(cooled[token.id]) / total if token.id in kept else 0)
        assert len(token.alternatives) == 8
        assert [a.id for a in token.alternatives] == torch.topk(chances, 8).indices.tolist()
        for other in token.alternatives:
            assert other.before == pytest.approx(float(chances[other.id]), rel=1e-6)
            assert other.after == pytest.approx(float(cooled[other.id]) / total if other.id in kept else 0)
            assert other.text == speaker.tokenizer.token_text(other.id)


def test_the_sampler_at_zero_leaves_the_likeliest_alone(runs_dir: Path, speech: Speech) -> None:
    utterance = said(speech, Source(runs_dir / "runs" / "char"), "BEN:", GREEDY)
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
    path = runs_dir / "runs" / "char"
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
    utterance = said(speech, Source(runs_dir / "runs" / name, int(step) if step != "None" else None), prompt)
    assert utterance.state == "failed"
    assert why in utterance.error
    assert said(speech, Source(runs_dir / "runs" / "char")).state == "finished"


def test_a_damaged_checkpoint_gives_way_and_that_is_told(runs_dir: Path, tmp_path: Path, speech: Speech) -> None:
    path = tmp_path / "damaged"
    shutil.copytree(runs_dir / "runs" / "char", path)
    newest = Run.open(path).checkpoints()[-1].path / "model.safetensors"
    newest.write_bytes(newest.read_bytes()[:-8])
    utterance = said(speech, Source(path))
    assert utterance.state == "finished"
    assert utterance.step == 20
    assert "the newest that is whole" in " ".join(utterance.notices)


def test_stopping_and_saying_anew_take_effect_at_once(runs_dir: Path, speech: Speech) -> None:
    source = Source(runs_dir / "runs" / "char")
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
    shutil.copy(runs_dir / "text.txt", tmp_path)
    steps: list[int] = []

    def listen(session: Session) -> None:
        path = session.snapshot.run_path
        assert path is not None
        while session.snapshot.step < 200:
            utterance = said(speech, Source(path, session=session), "", SAMPLED)
            assert utterance.state == "finished", utterance.error
            assert utterance.step is not None
            steps.append(utterance.step)

    alone = losses(planned(tmp_path, "alone", max_iters=300), lambda session: None)
    assert losses(planned(tmp_path, "lending", max_iters=300), listen) == alone
    assert len(alone) == 300
    assert len(set(steps)) > 1
    assert steps == sorted(steps)


def test_a_paused_run_lends_what_it_saves(runs_dir: Path, tmp_path: Path, speech: Speech) -> None:
    shutil.copy(runs_dir / "text.txt", tmp_path)
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
    from_disk = Speaker.from_run(Run.open(path)).model.state_dict()
    assert all(torch.equal(weights[name], tensor) for name, tensor in from_disk.items())


def test_a_run_that_has_ended_speaks_from_its_newest_checkpoint(runs_dir: Path, tmp_path: Path, speech: Speech) -> None:
    shutil.copy(runs_dir / "text.txt", tmp_path)
    session = begin(tmp_path, "ended")
    assert session.join(PATIENCE)
    path = session.snapshot.run_path
    assert path is not None
    utterance = said(speech, Source(path, session=session))
    assert (utterance.state, utterance.step) == ("finished", 40)
    assert "came to its end" in utterance.notices[0]


def test_waiting_for_a_run_that_never_answers_can_be_given_up(runs_dir: Path, tmp_path: Path, speech: Speech) -> None:
    never_started = Session(Plan(RunConfig(), tmp_path))
    speech.say(Source(runs_dir / "runs" / "char", session=never_started), "", GREEDY)
    until(lambda: "waiting" in speech.utterance.activity)
    speech.stop()
    assert speech.utterance.state == "stopped"
    assert said(speech, Source(runs_dir / "runs" / "char")).state == "finished"


def test_loading_a_model_draws_nothing_from_the_generator_that_dropout_uses(runs_dir: Path) -> None:
    before = torch.get_rng_state()
    speaker = Speaker.from_run(Run.open(runs_dir / "runs" / "char"))
    speaker.speak("ANNA", SAMPLED)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_run_lends_its_weights_while_it_evaluates(runs_dir: Path, tmp_path: Path) -> None:
    shutil.copy(runs_dir / "text.txt", tmp_path)
    session = begin(tmp_path, "evaluating", eval_iters=100_000)
    until(lambda: session.snapshot.activity == "evaluating")
    lend = Lend()
    session.submit(lend)
    assert lend.reply.result(timeout=PATIENCE).step == 0
    assert session.snapshot.activity == "evaluating"
    session.submit(Stop("signal"))  # any other stop would evaluate its last step, which takes as long
    assert session.join(PATIENCE)
