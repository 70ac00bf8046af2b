"""Checkpoints of a run: a directory each, whole or absent, with checksums and without a pickle.

    checkpoints/000500/   model.safetensors · trainer.safetensors · state.json

`state.json` is written last. It is one line of JSON with sorted keys: the step, a number that rises from one save to
the next (a run that went back to an earlier step saves the same steps again), why it was saved, what the trainer wants
to have back, and the SHA-256 of its siblings and of itself without that field. Tensors that are one in memory are
stored once.

Every version of the format has its `v` in state.json and that checksum made in the same way: so a newer version is
told from a damaged file.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from gpt_tui.core.errors import GptTuiError, NewerVersion, refuse_newer, shorten
from gpt_tui.core.events import Count
from gpt_tui.core.files import (
    canonical,
    checksum_of,
    is_link,
    patiently,
    read_small,
    reason,
    sync_directory,
    sync_file,
)
from gpt_tui.core.runs.tensors import CorruptCheckpoint, FileRecord, read_tensors

if TYPE_CHECKING:
    from torch import Tensor

DIRECTORY = "checkpoints"
STATE = "state.json"
MODEL = "model.safetensors"
TRAINER = "trainer.safetensors"

_NAME = re.compile(r"(\d{6,18})(?:\.(\d{1,9}))?", re.ASCII)
_LEFTOVER = re.compile(r"\.\d{6,18}(?:\.\d+)?\.(?:tmp|removed)-\w+", re.ASCII)
_MAX_STATE = 64 << 20
# A number that rises by one from save to save comes nowhere near; from here on JSON's readers no longer agree on it.
_MOST_SAVES = 2**53

# Saved for these reasons alone, a checkpoint goes when a newer one of its kind has come.
PASSING_REASONS = frozenset({"best", "last", "signal"})
INTERVAL = "interval"


@dataclass(frozen=True)
class CheckpointInfo:
    """One checkpoint on disk. bytes: of all its files.

    sequence: rises from one save to the next; of one whose own cannot be read, that of its neighbour by name and a half
    reason: why it was saved, None where that cannot be read; newer: because a newer version of the program saved it
    """

    step: int
    path: Path
    name: str
    bytes: int
    sequence: float
    reason: str | None
    newer: bool = False

    @property
    def kept_as(self) -> str:
        """What a list says of it."""
        return self.reason or ("of a newer gpt-tui" if self.newer else "damaged")

    @property
    def reasons(self) -> frozenset[str]:
        return words(self.reason or "")


@dataclass(frozen=True)
class LoadedCheckpoint:
    """What was given to `save`, on the CPU, bit for bit; tied tensors are one tensor again."""

    step: int
    model: dict[str, Tensor]
    trainer: dict[str, Tensor]
    state: dict[str, JsonValue]


class State(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    v: Literal[1] = 1
    step: Count
    sequence: Annotated[int, Field(ge=0, lt=_MOST_SAVES)]
    reason: str
    created: str
    files: dict[str, FileRecord]
    state: dict[str, JsonValue]


# Saving ----------------------------------------------------------------------------------------------------------


def save_checkpoint(
    run: Path,
    step: int,
    model: Mapping[str, Tensor],
    trainer: Mapping[str, Tensor],
    state: Mapping[str, JsonValue],
    why: str,
    sequence: int,
) -> CheckpointInfo:
    """Write a checkpoint and tell where it is. Only the process that holds the run's lock may.

    why: one word or several ("interval, best"); see `superseded` for what they mean. sequence: see `next_sequence`.
    Raises GptTuiError, and then nothing of it is left.
    """
    directory = run / DIRECTORY
    beside = directory / f".{step:06d}.tmp-{os.getpid()}"
    try:
        _make_directory(directory)
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir()
        record = State(
            step=step,
            sequence=sequence,
            reason=why,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            files={
                MODEL: _write_tensors(beside / MODEL, model),
                TRAINER: _write_tensors(beside / TRAINER, trainer),
            },
            state=dict(state),
        )
        (beside / STATE).write_bytes(_render(record.model_dump()))
        sync_file(beside / STATE)
        sync_directory(beside)
        place = _free_place(directory, step)
        patiently(lambda: beside.rename(place))
        sync_directory(directory)
    except OSError as error:
        raise GptTuiError(f"the checkpoint of step {step} cannot be saved in {directory}: {reason(error)}") from None
    except ValidationError as error:
        field = shorten(".".join(map(str, error.errors()[0]["loc"])))
        raise GptTuiError(
            f"the checkpoint of step {step} cannot be saved: its {field} goes on from a number in the run's files that "
            "is beyond all bounds"
        ) from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)  # gone already where all went well
    return CheckpointInfo(step, place, place.name, _size(place), sequence, why)


def _make_directory(directory: Path) -> None:
    directory.mkdir(exist_ok=True)
    _refuse_link(directory)
    sync_directory(directory.parent)  # each time: who made it may have died before


def _refuse_link(directory: Path) -> None:
    if is_link(directory):
        raise GptTuiError(f"{directory} is a link; a run's checkpoints must lie in the run's own directory")


def _free_place(directory: Path, step: int) -> Path:
    place, number = directory / f"{step:06d}", 1
    while os.path.lexists(place):
        number += 1
        place = directory / f"{step:06d}.{number}"
    return place


def _write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> FileRecord:
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    stored, aliases = _without_ties(tensors)
    try:
        save_file(stored, path)
    except SafetensorError as error:  # its words for a full disk and the like
        raise OSError(str(error)) from None
    sync_file(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileRecord(bytes=path.stat().st_size, sha256=digest, aliases=aliases)


def _without_ties(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Each tensor once, contiguous and alone in its memory, and under which name the others were stored."""
    names: dict[tuple[Any, ...], str] = {}
    storages: set[tuple[Any, ...]] = set()
    stored: dict[str, Tensor] = {}
    aliases: dict[str, str] = {}
    for name, tensor in tensors.items():
        tensor = tensor.detach()
        storage = (tensor.device, tensor.untyped_storage().data_ptr())
        view = (*storage, tensor.storage_offset(), tensor.shape, tensor.stride(), tensor.dtype)
        if tensor.numel() and view in names:
            aliases[name] = names[view]
            continue
        names[view] = name
        plain = tensor.cpu().contiguous()
        stored[name] = plain.clone() if storage in storages else plain
        storages.add(storage)
    return stored, aliases


def _render(document: Mapping[str, Any]) -> bytes:
    """The document as the one line of JSON that it must be in the file, with its own checksum in it."""
    return canonical({**document, "sha256": checksum_of(document)}) + b"\n"


# Loading ---------------------------------------------------------------------------------------------------------


def load_checkpoint(
    path: Path, most: Callable[[State], Mapping[str, int]] = lambda record: {}, *, to_train: bool = True
) -> LoadedCheckpoint:
    """Read a checkpoint; what does not have its checksum is not given.

    most: how many bytes of tensors there can be in MODEL and TRAINER; to_train: else the trainer's tensors are left
    out, unread. Raises CorruptCheckpoint, which says what is wrong, and NewerVersion.
    """
    record = read_state(path)
    limits = most(record)
    tensors: dict[str, dict[str, Tensor]] = {}
    for name in (MODEL, TRAINER) if to_train else (MODEL,):
        try:
            tensors[name] = read_tensors(path / name, record.files[name], limits.get(name))
        except CorruptCheckpoint as error:
            raise CorruptCheckpoint(f"{_called(path)}: {name} {error}") from None
    return LoadedCheckpoint(record.step, tensors[MODEL], tensors.get(TRAINER, {}), dict(record.state))


def read_state(path: Path) -> State:
    """The state.json of a checkpoint, its own checksum verified. Raises CorruptCheckpoint, NewerVersion."""
    if not path.is_dir():
        raise CorruptCheckpoint(f"there is no checkpoint at {path}")
    try:
        content = read_small(path / STATE, _MAX_STATE)
        document = json.loads(content)
        del document["sha256"]
        if _render(document) != content:
            raise ValueError
        refuse_newer(document.get("v"), f"checkpoint {path.name}")
        record = State.model_validate(document)
    except OSError as error:
        raise CorruptCheckpoint(f"{_called(path)}: {STATE} cannot be read: {reason(error)}") from None
    except NewerVersion:
        raise
    except GptTuiError as error:
        raise CorruptCheckpoint(f"{_called(path)}: {error}") from None
    except (ValueError, KeyError, TypeError, RecursionError):  # pydantic's ValidationError is a ValueError
        raise CorruptCheckpoint(f"{_called(path)}: {STATE} is not what was saved") from None
    named = _NAME.fullmatch(path.name)
    if set(record.files) != {MODEL, TRAINER} or record.step < 0:
        raise CorruptCheckpoint(f"{_called(path)}: {STATE} is not what was saved")
    if named and int(named[1]) != record.step:
        raise CorruptCheckpoint(f"{_called(path)}: {STATE} belongs to step {record.step}")
    return record


def _called(path: Path) -> str:
    return f"checkpoint {path.name} is damaged"


def count_weights(tensors: Mapping[str, Tensor]) -> int:
    """How many numbers these tensors hold; one that has several names counts once, as it is stored once."""
    return sum({tensor.data_ptr(): tensor.numel() for tensor in tensors.values()}.values())


# Listing and keeping ---------------------------------------------------------------------------------------------


def list_checkpoints(run: Path) -> list[CheckpointInfo]:
    """A run's checkpoints in the order they were saved, damaged ones among them. Does not read their tensors."""
    found = []
    last = 0.0
    for step, number, path in sorted(_places(run / DIRECTORY)):
        try:
            record = read_state(path)
        except (CorruptCheckpoint, NewerVersion) as error:
            if not path.is_dir():
                return list_checkpoints(run)  # pruned meanwhile, as there is a newer one
            sequence, why, newer = last + 0.5, None, isinstance(error, NewerVersion)
        else:
            sequence, why, newer = float(record.sequence), record.reason, False
        last = sequence
        found.append((sequence, step, number, CheckpointInfo(step, path, path.name, _size(path), sequence, why, newer)))
    return [info for *_, info in sorted(found, key=lambda item: item[:3])]


def next_sequence(known: Sequence[CheckpointInfo]) -> int:
    """The number of the save that comes after all of a run's checkpoints."""
    return 1 + max((int(info.sequence) for info in known), default=0)


def _places(directory: Path) -> Iterable[tuple[int, int, Path]]:
    try:
        if not directory.is_dir():
            return
        named = [(_NAME.fullmatch(path.name), path) for path in directory.iterdir()]
        found = [(name, path) for name, path in named if name and path.is_dir()]
    except OSError as error:
        raise GptTuiError(f"{directory} cannot be read: {reason(error)}") from None
    for name, path in found:
        yield int(name[1]), int(name[2] or 1), path


def _size(path: Path) -> int:
    total = 0
    for name in (MODEL, TRAINER, STATE):
        try:
            total += (path / name).stat().st_size
        except OSError:
            pass  # a damaged checkpoint has what it has
    return total


def identity(checkpoint: Path) -> tuple[int, int] | None:
    """What tells a checkpoint from another that takes its name, and perhaps its inode; None where there is none."""
    try:
        found = checkpoint.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def superseded(
    checkpoints: Iterable[CheckpointInfo], pins: Collection[str] = (), newest: int | None = None
) -> list[CheckpointInfo]:
    """Which checkpoints, oldest first, nobody would miss.

    Kept are: the newest of all, the newest that was saved as `best`, whatever is pinned by name, the untrained model,
    whatever a person wished to save, and of those of an interval the `newest` so many (all, where it is None). One
    whose reason cannot be read is kept too: what is not understood is not deleted.
    """
    known = list(checkpoints)
    return [known[i] for i in passed_over([c.reasons for c in known], newest) if known[i].name not in pins]


def words(reason: str) -> frozenset[str]:
    """The single words of a reason ("interval, best")."""
    return frozenset(re.findall(r"[^\s,+]+", reason))


def still_kept_as(reasons: Sequence[str]) -> list[str]:
    """What is still true of the reasons that checkpoints were saved for, one after another: only one is the best."""
    best = max((i for i, why in enumerate(reasons) if "best" in words(why)), default=None)
    former = [", ".join(word for word in why.split(", ") if word != "best") or "was best" for why in reasons]
    return [why if i == best else former[i] for i, why in enumerate(reasons)]


def passed_over(reasons: Sequence[Collection[str]], newest: int | None = None) -> list[int]:
    """Which of checkpoints saved one after another for these reasons are superseded, by their places.

    newest: how many of those of an interval are kept; None keeps all
    """
    best = [i for i, why in enumerate(reasons) if "best" in why]
    interval = [i for i, why in enumerate(reasons) if INTERVAL in why]
    kept = {len(reasons) - 1, *best[-1:], *(interval if newest is None else interval[-newest:])}
    return [i for i, why in enumerate(reasons) if i not in kept and _is_passing(why)]


def _is_passing(why: Collection[str]) -> bool:
    return bool(why) and (PASSING_REASONS | {INTERVAL}).issuperset(why)


class Succession:
    """As `passed_over`, for checkpoints that come one at a time: each save at its own cost, however many there are."""

    def __init__(self, reasons: Sequence[frozenset[str]], newest: int | None = None):
        """reasons: of those that are kept so far, none of which is superseded."""
        self.newest = newest
        self._saves = len(reasons)
        self._kept = list(range(len(reasons)))  # numbers of saves, rising; so are the others
        self._reasons = dict(enumerate(reasons))
        self._interval = [i for i, why in enumerate(reasons) if INTERVAL in why]
        self._best = max((i for i, why in enumerate(reasons) if "best" in why), default=None)

    def save(self, why: frozenset[str]) -> list[int]:
        """One more is kept now: the places of those that it supersedes, from the last to the first."""
        number, before = self._saves, {*self._kept[-1:], self._best}
        self._saves += 1
        self._kept.append(number)
        self._reasons[number] = why
        if "best" in why:
            self._best = number
        if INTERVAL in why:
            self._interval.append(number)
            if self.newest is not None:
                before.update(self._interval[-self.newest - 1 : -self.newest])
        gone = [i for i in before if i is not None and self._is_superseded(i)]
        return [self._drop(i) for i in sorted(gone, reverse=True)]

    def _is_superseded(self, number: int) -> bool:
        why = self._reasons[number]
        if number in (self._best, self._kept[-1]) or not _is_passing(why):
            return False
        older = 0 if self.newest is None else max(0, len(self._interval) - self.newest)
        return INTERVAL not in why or number < self._interval[older]

    def _drop(self, number: int) -> int:
        """Its place."""
        if INTERVAL in self._reasons.pop(number):
            del self._interval[bisect_left(self._interval, number)]
        place = bisect_left(self._kept, number)
        del self._kept[place]
        return place


def remove_checkpoint(info: CheckpointInfo) -> None:
    """Take a checkpoint away: out of sight first, so that nobody ever sees half of one. Raises OSError, GptTuiError."""
    _refuse_link(info.path.parent)
    if is_link(info.path):
        raise GptTuiError(f"{info.path} is a link and is left alone")
    away = info.path.with_name(f".{info.name}.removed-{secrets.token_hex(4)}")
    patiently(lambda: info.path.rename(away))
    shutil.rmtree(away, ignore_errors=True)  # what is left over goes when a writer next opens the run


def clean_leftovers(run: Path) -> None:
    """Remove what a writer that died left half-made. Only for the holder of the lock: no other writer can be alive."""
    for path in leftovers(run):
        shutil.rmtree(path, ignore_errors=True)


def leftovers(run: Path) -> list[Path]:
    """Directories of checkpoints that are half-made or half-removed: by a writer at work, or by one that died."""
    directory = run / DIRECTORY
    try:
        if is_link(directory) or not directory.is_dir():
            return []
        return sorted(path for path in directory.iterdir() if _LEFTOVER.fullmatch(path.name) and not is_link(path))
    except OSError:
        return []  # saving, or listing what there is, will say what is wrong
