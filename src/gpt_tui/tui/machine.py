"""What training takes of the machine: memory and processor time of this process, and what an NVIDIA GPU tells.

The GPU's figures are its driver's, read with nvidia-ml-py (the extra `gpu`); without that, without a driver or without
such a GPU there are none, and nothing fails. A driver may take seconds to answer, so it is asked in a thread.
"""

from __future__ import annotations

import importlib
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

STALE_SECONDS = 15.0  # a figure older than this is told no more: the driver has stopped answering


@dataclass(frozen=True)
class Gpu:
    """memory, total: bytes of the device, whoever holds them. use: per cent of the time in which it was at work.

    temperature: °C. power: watts. None where the device does not tell.
    """

    memory: int
    total: int
    use: float | None = None
    temperature: float | None = None
    power: float | None = None


@dataclass(frozen=True)
class Machine:
    """memory: bytes held. use: per cent of one processor. None where it cannot be read."""

    memory: int | None = None
    use: float | None = None
    gpu: Gpu | None = None


NO_MACHINE = Machine()


@cache
def main_memory() -> int:
    """Bytes that this machine has."""
    import psutil

    return int(psutil.virtual_memory().total)


class Meter:
    """Reads at most once in `every` seconds; in between it gives what it read last."""

    def __init__(self, every: float = 2.0) -> None:
        import psutil

        self._error = psutil.Error
        self._process = psutil.Process()
        self._every = every
        self._read_at = 0.0
        self._last = NO_MACHINE
        self._gpu = GpuMeter(every)

    def read(self, *, gpu: bool = False) -> Machine:
        """What is known now. gpu: the GPU's figures too, which come a moment after they are first asked for."""
        now = time.monotonic()
        if now - self._read_at >= self._every:
            self._read_at = now
            try:
                self._last = Machine(self._process.memory_info().rss, self._process.cpu_percent())
            except (self._error, OSError):
                self._last = NO_MACHINE
        if not gpu:
            return self._last
        return Machine(self._last.memory, self._last.use, self._gpu.read())


class GpuMeter:
    """The GPU that a run on CUDA uses, read by a thread that nothing waits for."""

    def __init__(self, every: float = 2.0) -> None:
        self._every = every
        self._ask: Callable[[], Gpu | None] | None = None
        self._opened = False
        self._asking: threading.Thread | None = None
        self._asked_at = -every
        self._last: tuple[float, Gpu | None] = (0.0, None)

    def read(self) -> Gpu | None:
        """What the driver told last, at once; it is asked anew when that is `every` seconds ago."""
        now = time.monotonic()
        idle = self._asking is None or not self._asking.is_alive()
        absent = self._opened and self._ask is None
        if idle and not absent and now - self._asked_at >= self._every:
            self._asked_at = now
            self._asking = threading.Thread(target=self._look, name="gpt-tui gpu", daemon=True)
            self._asking.start()
        read_at, gpu = self._last
        return gpu if now - read_at < STALE_SECONDS else None

    def _look(self) -> None:
        if not self._opened:
            self._ask = open_first_gpu()
            self._opened = True
        if self._ask is not None:
            self._last = (time.monotonic(), self._ask())


# The driver ------------------------------------------------------------------------------------------------------


def open_first_gpu(environ: Mapping[str, str] = os.environ) -> Callable[[], Gpu | None] | None:
    """What reads the figures of the first GPU that CUDA may use; None where there is none to be read."""
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        return None
    try:
        nvml.nvmlInit()
        handle = first_visible(nvml, environ)
    except (nvml.NVMLError, OSError):
        return None
    return None if handle is None else lambda: figures_of(nvml, handle)


def first_visible(nvml: Any, environ: Mapping[str, str]) -> Any | None:
    """The driver's handle of CUDA's device 0, as CUDA_VISIBLE_DEVICES has it: an index, or a UUID or its beginning.

    Without an order of CUDA's own (CUDA_DEVICE_ORDER) the driver's is taken for it; on a machine with GPUs of several
    kinds CUDA may count them otherwise.
    """
    listed = environ.get("CUDA_VISIBLE_DEVICES")
    first = "0" if listed is None else listed.partition(",")[0].strip()
    if first.isdigit():
        return nvml.nvmlDeviceGetHandleByIndex(int(first)) if int(first) < nvml.nvmlDeviceGetCount() else None
    if first.startswith("MIG-"):
        return nvml.nvmlDeviceGetHandleByUUID(first)
    if first.startswith("GPU-"):
        handles = map(nvml.nvmlDeviceGetHandleByIndex, range(nvml.nvmlDeviceGetCount()))
        return next((handle for handle in handles if nvml.nvmlDeviceGetUUID(handle).startswith(first)), None)
    return None


def figures_of(nvml: Any, handle: Any) -> Gpu | None:
    """The device's figures now; None where it no longer answers."""

    def told(ask: Callable[[], float]) -> float | None:
        try:
            return float(ask())
        except nvml.NVMLError:
            return None  # not every device tells everything: a part of one (MIG) tells its memory alone

    try:
        memory = nvml.nvmlDeviceGetMemoryInfo(handle)
    except nvml.NVMLError:
        return None
    power = told(lambda: nvml.nvmlDeviceGetPowerUsage(handle))
    return Gpu(
        int(memory.used),
        int(memory.total),
        told(lambda: nvml.nvmlDeviceGetUtilizationRates(handle).gpu),
        told(lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU)),
        None if power is None else power / 1000,
    )


def why_no_gpu() -> str | None:
    """For a report: why the GPU's figures cannot be read here; None where they can."""
    try:
        nvml = importlib.import_module("pynvml")
    except ImportError:
        return "not installed"
    try:
        nvml.nvmlInit()
        handle = first_visible(nvml, os.environ)
    except (nvml.NVMLError, OSError) as error:
        return f"no driver answers ({error})"
    if handle is None:
        return "CUDA_VISIBLE_DEVICES hides every GPU"
    return None if figures_of(nvml, handle) is not None else "the GPU does not answer"
