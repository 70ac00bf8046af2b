"""What the machine has: the best device, the number formats that are native to it, its threads.

torch is imported inside functions only, so that the doors can ask for a description of this room without it.
"""

from __future__ import annotations

import os
import platform
import sys
from functools import cache
from pathlib import Path
from typing import Any

from gpt_tui.core.config import ModelConfig
from gpt_tui.core.errors import Refusal, did_you_mean

DEVICES = ("cpu", "cuda", "mps")
_CHOOSING_INSTRUCTIONS = (
    "ATEN_CPU_CAPABILITY",
    "ONEDNN_MAX_CPU_ISA",
    "DNNL_MAX_CPU_ISA",
    "MKL_ENABLE_INSTRUCTIONS",
    "MKL_CBWR",
)
WIDE_ENOUGH_FOR_BFLOAT16 = 128  # converting narrower matrices costs a CPU more than their multiplication saves


def available_devices() -> list[str]:
    """Devices that torch can compute on here, best first."""
    import torch

    found = []
    if torch.cuda.is_available():
        found.append("cuda")
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, "cpu"]


def card(device: str) -> dict[str, str]:
    """Which CUDA card computes, and by which CUDA; nothing for another device, of which the processor tells enough."""
    if device != "cuda":
        return {}
    import torch

    return {"card": torch.cuda.get_device_name(), "CUDA": str(torch.version.cuda)}


def instructions() -> dict[str, str]:
    """Which of the processor's instructions torch takes, and what was set for it and its libraries to take others.

    Under one processor's name they differ from one virtual machine to the next; and other ones add in another order.
    """
    import torch

    chosen = {name: os.environ.get(name, "not set") for name in _CHOOSING_INSTRUCTIONS}
    return {"instruction set": torch.backends.cpu.get_cpu_capability(), **chosen}


def resolve_device(name: str) -> str:
    """The device that `name` (auto, cpu, cuda, mps) stands for here. Raises Refusal when this machine lacks it."""
    if name not in ("auto", *DEVICES):
        hint = did_you_mean(name, ("auto", *DEVICES))
        raise Refusal.one("device", name, "must be auto, cpu, cuda or mps" + (f"; {hint}" if hint else ""))
    found = available_devices()
    if name == "auto":
        return found[0]
    if name not in found:
        raise Refusal.one(
            "device", name, f"this machine's torch cannot use it; it can use {' and '.join(found)}, or auto"
        )
    return name


@cache
def cpu_has_native_bfloat16() -> bool:
    """Whether the CPU multiplies bfloat16 in hardware (AVX-512 BF16, AMX, or Arm's BF16); emulation would be slower."""
    if sys.platform == "linux":
        try:
            flags = set(Path("/proc/cpuinfo").read_text(encoding="utf-8").split())
        except OSError:
            return False
        return bool(flags & {"avx512_bf16", "amx_bf16", "bf16"})
    import torch

    supported = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(supported and supported())


def resolve_dtype(name: str, device: str, model: ModelConfig) -> str:
    """The number format of matrix products that `name` (auto, float32, bfloat16) stands for on `device`.

    auto takes bfloat16 where the hardware is native to it and the matrices are large enough to gain by it: on a CPU,
    converting small ones costs more than their multiplication saves.
    """
    import torch

    if name != "auto":
        return name
    if device == "cuda":
        return "bfloat16" if torch.cuda.get_device_capability() >= (8, 0) else "float32"
    if device == "cpu" and model.n_embd >= WIDE_ENOUGH_FOR_BFLOAT16 and cpu_has_native_bfloat16():
        return "bfloat16"
    return "float32"


def physical_cores() -> int:
    """CPU cores this process may use, those that are only a core's second thread left out."""
    import psutil

    physical = psutil.cpu_count(logical=False) or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(physical, allowed))


def resolve_threads(value: int | str) -> int:
    """Threads to compute with: a number, or "auto" for the cores there are (OMP_NUM_THREADS, if set, decides)."""
    if isinstance(value, int):
        return value
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return int(asked) if asked.isdigit() and int(asked) > 0 else physical_cores()


def memory_in_use(device: str) -> int | None:
    """Bytes: on CUDA and MPS what torch holds on the device, on a CPU this process's resident memory."""
    if device == "cpu":
        import psutil

        return int(psutil.Process().memory_info().rss)
    import torch

    if device == "cuda":
        return int(torch.cuda.memory_allocated())
    return int(torch.mps.current_allocated_memory())


def memory_free(device: str) -> int | None:
    """Bytes that could still be had on the device; on a CPU no more than this process is allowed. None: not known."""
    import psutil

    if device == "cpu":
        free = int(psutil.virtual_memory().available)
        if sys.platform == "win32":
            return free
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit == resource.RLIM_INFINITY:
            return free
        return max(0, min(free, limit - int(psutil.Process().memory_info().vms)))
    import torch

    if device == "cuda":
        return int(torch.cuda.mem_get_info()[0])
    return max(0, int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()))


def processor_name() -> str:
    if sys.platform == "linux":
        try:
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
        except OSError:
            pass  # a container may hide it; the machine's own word for itself will do
    return platform.processor() or platform.machine()


def platform_name() -> str:
    return platform.platform()


def versions() -> dict[str, str]:
    """Versions that a run's figures depend on, without importing any of them."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for package in ("gpt-tui", "torch", "numpy", "safetensors", "pydantic", "textual"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def describe_machine() -> dict[str, Any]:
    """What `gpt-tui doctor` tells of the machine. Imports torch."""
    import psutil
    import torch

    devices = available_devices()
    return {
        "versions": versions(),
        "platform": platform_name(),
        "processor": processor_name(),
        "cores": physical_cores(),
        "memory": int(psutil.virtual_memory().total),
        "devices": devices,
        "gpu": torch.cuda.get_device_name() if "cuda" in devices else None,
        "native_bfloat16": torch.cuda.is_bf16_supported() if devices[0] == "cuda" else cpu_has_native_bfloat16(),
        "threads": resolve_threads("auto"),
    }
