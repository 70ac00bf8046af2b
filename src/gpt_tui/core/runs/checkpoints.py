"""Checkpoints of a run: a directory each, whole or absent, with checksums and without a pickle.

    checkpoints/000500/   model.safetensors · trainer.safetensors · state.json

`state.json` is written last. It is one line of JSON with sorted keys: the step, a number that rises from one save to
the next (a run that went back to an earlier step saves the same steps again), why it was saved, what the trainer wants
to have back, and the SHA-256 of its siblings and of itself without that field. Tensors that are one in memory are
stored once.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from gpt_tui.core.errors import GptTuiError
from gpt_tui.core.runs.files import is_link, patiently, read_small, reason, sync_directory, sync_file

if TYPE_CHECKING:
    from torch import Tensor

DIRECTORY = "checkpoints"
STATE = "state.json"
MODEL = "model.safetensors"
TRAINER = "trainer.safetensors"

_NAME = re.compile(r"(\d{6,18})(?:\.(\d{1,9}))?", re.ASCII)
_MAX_STATE = 64 << 20
_MAX_HEADER = 16 << 20  # a header of a hundred thousand tensors has a tenth of that

# Saved for these reasons alone, a checkpoint goes when a newer one of its kind has come.
PASSING_REASONS = frozenset({"best", "last", "signal"})


class CorruptCheckpoint(GptTuiError):
    """A checkpoint whose files are not what was saved."""


@dataclass(frozen=True)
class CheckpointInfo:
    """One checkpoint on disk. bytes: of all its files; reason: why it was saved, None where that cannot be read."""

    step: int
    path: Path
    name: str
    bytes: int
    reason: str | None

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


class _FileRecord(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    bytes: int
    sha256: str
    aliases: dict[str, str]  # name -> the stored tensor that it is


class _State(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    v: Literal[1] = 1
    step: int
    sequence: int
    reason: str
    created: str
    files: dict[str, _FileRecord]
    state: dict[str, JsonValue]


# Saving ----------------------------------------------------------------------------------------------------------


def save_checkpoint(
    run: Path,
    step: int,
    model: Mapping[str, Tensor],
    trainer: Mapping[str, Tensor],
    state: Mapping[str, JsonValue],
    why: str,
) -> Path:
    """Write a checkpoint and return its directory. Only the process that holds the run's lock may.

    why: one word or several ("interval, best"); see `superseded` for what they mean. Raises GptTuiError, and then
    nothing of it is left.
    """
    directory = run / DIRECTORY
    beside = directory / f".{step:06d}.tmp-{os.getpid()}"
    try:
        _make_directory(directory)
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir()
        record = _State(
            step=step,
            sequence=_next_sequence(run),
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
    finally:
        shutil.rmtree(beside, ignore_errors=True)  # gone already where all went well
    return place


def _make_directory(directory: Path) -> None:
    directory.mkdir(exist_ok=True)
    _refuse_link(directory)


def _refuse_link(directory: Path) -> None:
    if is_link(directory):
        raise GptTuiError(f"{directory} is a link; a run's checkpoints must lie in the run's own directory")


def _free_place(directory: Path, step: int) -> Path:
    place, number = directory / f"{step:06d}", 1
    while os.path.lexists(place):
        number += 1
        place = directory / f"{step:06d}.{number}"
    return place


def _next_sequence(run: Path) -> int:
    return 1 + max((int(sequence) for sequence, _ in _in_order(run)), default=0)


def _write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> _FileRecord:
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
    return _FileRecord(bytes=path.stat().st_size, sha256=digest, aliases=aliases)


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
    digest = hashlib.sha256(_canonical(document)).hexdigest()
    return _canonical({**document, "sha256": digest}) + b"\n"


def _canonical(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")


# Loading ---------------------------------------------------------------------------------------------------------


def load_checkpoint(path: Path) -> LoadedCheckpoint:
    """Read a checkpoint, checksums first. Raises CorruptCheckpoint, which says what is wrong."""
    record = _read_state(path)
    tensors = {name: _read_tensors(path / name, record.files[name]) for name in (MODEL, TRAINER)}
    return LoadedCheckpoint(record.step, tensors[MODEL], tensors[TRAINER], dict(record.state))


def _read_state(path: Path) -> _State:
    """The state.json of a checkpoint, its own checksum verified. Raises CorruptCheckpoint."""
    if not path.is_dir():
        raise CorruptCheckpoint(f"there is no checkpoint at {path}")
    try:
        content = read_small(path / STATE, _MAX_STATE)
        document = json.loads(content)
        del document["sha256"]
        sound = _render(document) == content
        record = _State.model_validate(document)
    except OSError as error:
        raise CorruptCheckpoint(f"{_called(path)}: {STATE} cannot be read: {reason(error)}") from None
    except GptTuiError as error:
        raise CorruptCheckpoint(f"{_called(path)}: {error}") from None
    except (ValueError, KeyError, TypeError, RecursionError):  # pydantic's ValidationError is a ValueError
        raise CorruptCheckpoint(f"{_called(path)}: {STATE} is not what was saved") from None
    named = _NAME.fullmatch(path.name)
    if not sound or set(record.files) != {MODEL, TRAINER} or record.step < 0:
        raise CorruptCheckpoint(f"{_called(path)}: {STATE} is not what was saved")
    if named and int(named[1]) != record.step:
        raise CorruptCheckpoint(f"{_called(path)}: {STATE} belongs to step {record.step}")
    return record


def _read_tensors(path: Path, record: _FileRecord) -> dict[str, Tensor]:
    """Raises CorruptCheckpoint. The size and the header's length are checked before anything large is read."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    where = f"{_called(path.parent)}: {path.name}"
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size != record.bytes:
                raise CorruptCheckpoint(f"{where} has {size:,} bytes instead of {record.bytes:,}")
            head = file.read(8)
            header = struct.unpack("<Q", head)[0] if len(head) == 8 else size
            if header > min(size - 8, _MAX_HEADER):
                raise CorruptCheckpoint(f"{where} has a header that does not fit into it")
            content = head + file.read(size - 8)
    except OSError as error:
        raise CorruptCheckpoint(f"{where} cannot be read: {reason(error)}") from None
    if hashlib.sha256(content).hexdigest() != record.sha256:
        raise CorruptCheckpoint(f"{where} does not have the checksum that {STATE} gives")
    try:
        tensors = load(content)
        tensors.update({alias: tensors[name] for alias, name in record.aliases.items()})
    except (SafetensorError, KeyError, ValueError, TypeError, RuntimeError) as error:
        raise CorruptCheckpoint(f"{where} holds no tensors that can be read: {error}") from None
    return tensors


def _called(path: Path) -> str:
    return f"checkpoint {path.name} is damaged"


# Listing and keeping ---------------------------------------------------------------------------------------------


def list_checkpoints(run: Path) -> list[CheckpointInfo]:
    """A run's checkpoints in the order they were saved, damaged ones among them. Does not read their tensors."""
    return [info for _, info in _in_order(run)]


def _in_order(run: Path) -> list[tuple[float, CheckpointInfo]]:
    """Each checkpoint with its sequence number; where that cannot be read, after its neighbour by name."""
    found = []
    last = 0.0
    for step, number, path in sorted(_places(run / DIRECTORY)):
        try:
            record = _read_state(path)
        except CorruptCheckpoint:
            sequence, why = last + 0.5, None
        else:
            sequence, why = float(record.sequence), record.reason
        last = sequence
        found.append((sequence, number, CheckpointInfo(step, path, path.name, _size(path), why)))
    found.sort(key=lambda item: (item[0], item[2].step, item[1]))
    return [(sequence, info) for sequence, _, info in found]


def _places(directory: Path) -> Iterable[tuple[int, int, Path]]:
    if not directory.is_dir():
        return
    try:
        entries = list(directory.iterdir())
    except OSError as error:
        raise GptTuiError(f"{directory} cannot be read: {reason(error)}") from None
    for path in entries:
        named = _NAME.fullmatch(path.name)
        if named and path.is_dir():
            yield int(named[1]), int(named[2] or 1), path


def _size(path: Path) -> int:
    total = 0
    for name in (MODEL, TRAINER, STATE):
        try:
            total += (path / name).stat().st_size
        except OSError:
            pass  # a damaged checkpoint has what it has
    return total


def superseded(checkpoints: Iterable[CheckpointInfo], pins: Collection[str] = ()) -> list[CheckpointInfo]:
    """Which checkpoints, oldest first, nobody would miss.

    Kept are: the newest of all, the newest that was saved as `best`, whatever is pinned by name, and whatever was saved
    for any reason but `best` and `last` (an interval, a person's wish, the untrained model, a signal). One whose reason
    cannot be read is kept too: what is not understood is not deleted.
    """
    known = list(checkpoints)
    return [known[i] for i in passed_over([c.reasons for c in known]) if known[i].name not in pins]


def words(reason: str) -> frozenset[str]:
    """The single words of a reason ("interval, best")."""
    return frozenset(re.findall(r"[^\s,+]+", reason))


def passed_over(reasons: Sequence[Collection[str]]) -> list[int]:
    """Which of checkpoints saved one after another for these reasons are superseded, by their places."""
    newest_best = next((i for i in reversed(range(len(reasons))) if "best" in reasons[i]), None)
    kept = (newest_best, len(reasons) - 1)
    return [i for i, why in enumerate(reasons) if i not in kept and why and PASSING_REASONS.issuperset(why)]


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
    directory = run / DIRECTORY
    if is_link(directory) or not directory.is_dir():
        return
    for path in directory.iterdir():
        if re.fullmatch(r"\.\d{6,18}(?:\.\d+)?\.(?:tmp|removed)-\w+", path.name, re.ASCII) and not is_link(path):
            shutil.rmtree(path, ignore_errors=True)
