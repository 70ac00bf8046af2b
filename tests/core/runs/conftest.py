"""A shelf in a folder of the test's own, and the events of a small run as a real one has them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from gpt_tui.core.config import RunConfig
from gpt_tui.core.events import DatasetRecord, Eval, Event, Sample, Started, Step
from gpt_tui.core.runs import RunRecord, RunWriter, Shelf

LADDER = {"uniform": 4.1744, "unigram": 3.3473, "bigram": 2.4858, "trigram": 2.0492, "4-gram": 1.7738}


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a power cut could show the difference, and no test cuts the power; the killed processes sync for real."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture
def config() -> RunConfig:
    return RunConfig()


@pytest.fixture
def record() -> RunRecord:
    return RunRecord(
        created="2026-11-20T14:25:01+00:00",
        versions={"gpt_tui": "0.1.0", "python": "3.11.9", "torch": "2.13.0", "numpy": "2.4.0"},
        platform="Linux-6.8-x86_64",
        cpu="a processor",
        device="cpu",
        dtype="float32",
        threads=2,
        dataset=DatasetRecord(
            name="shakespeare",
            sha256="0" * 64,
            characters=1_115_394,
            vocab_size=65,
            train_tokens=1_003_854,
            val_tokens=111_540,
        ),
        source="the public address",
        tokenizer={"kind": "char", "characters": "\n !$&',-.3:;?ABC"},
        parameters=616_448,
        ladder=LADDER,
        passage="ROMEO:\nWhat",
    )


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "runs")


@pytest.fixture
def writer(shelf: Shelf, config: RunConfig, record: RunRecord) -> RunWriter:
    return shelf.create(config, "first", record, "quick")


@pytest.fixture
def started(config: RunConfig, record: RunRecord) -> Callable[[str], Started]:
    def make(name: str) -> Started:
        return Started(
            run=name,
            path=f"/somewhere/{name}",
            created=record.created,
            config=config.sections(),
            parameters=record.parameters,
            dataset=record.dataset,
            device="cpu",
            dtype="float32",
            threads=2,
            ladder=LADDER,
            passage=record.passage,
        )

    return make


@pytest.fixture
def steps() -> Callable[[int, int], list[Event]]:
    """The events of steps `first` to `last`, an evaluation and a sample at each tenth."""

    def make(first: int, last: int) -> list[Event]:
        events: list[Event] = []
        for step in range(first, last + 1):
            loss = 1.5 + 2.6 / (1 + step / 20)
            events.append(
                Step(
                    step=step,
                    time=step / 8,
                    loss=loss,
                    learning_rate=1e-3 * step,
                    grad_norm=0.5,
                    tokens=768 * step,
                    tokens_per_second=6144.5,
                )
            )
            if step % 10 == 0:
                val = loss + 0.1
                events.append(
                    Eval(step=step, time=step / 8, train_loss=loss, val_loss=val, whole_split=False, best=True)
                )
                events.append(
                    Sample(step=step, time=step / 8, prompt="", seed=1, text='Née — “\u2028”\n{"event":"eval"}')
                )
        return events

    return make
