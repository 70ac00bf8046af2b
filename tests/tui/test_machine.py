"""What the machine tells while it trains: never more than is known, never waited for, and shown where there is room."""

from __future__ import annotations

import sys
import threading
from types import ModuleType, SimpleNamespace

import pynvml
import pytest
from recording import screen_text
from textual.app import App, ComposeResult

from gpt_tui.tui.machine import Gpu, GpuMeter, Meter, figures_of, first_visible, open_first_gpu, why_no_gpu
from gpt_tui.tui.widgets.stat_strip import Figures, StatStrip
from patience import PATIENCE, until

H200 = Gpu(memory=12_345_000_000, total=139_000_000_000, use=97.0, temperature=62.0, power=340.0)


class StandIn(ModuleType):
    """Stands for pynvml where there is no driver to ask: two devices, with pynvml's own names for its functions.

    refuses: what the devices do not tell. gate: while it is not set, the driver does not answer.
    """

    NVMLError = pynvml.NVMLError
    NVML_TEMPERATURE_GPU = pynvml.NVML_TEMPERATURE_GPU

    def __init__(self, refuses: tuple[str, ...] = ()) -> None:
        super().__init__("pynvml")
        self.refuses = refuses
        self.asked = 0
        self.gate = threading.Event()
        self.gate.set()
        self.uuids = ["GPU-aaaa-1111", "GPU-bbbb-2222"]

    def nvmlInit(self) -> None:
        self.gate.wait(PATIENCE)
        self._may("init")

    def nvmlDeviceGetCount(self) -> int:
        return len(self.uuids)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> str:
        return self.uuids[index]

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> str:
        return uuid

    def nvmlDeviceGetUUID(self, handle: str) -> str:
        return handle

    def nvmlDeviceGetMemoryInfo(self, handle: str) -> SimpleNamespace:
        self.gate.wait(PATIENCE)
        self._may("memory")
        self.asked += 1
        return SimpleNamespace(used=12_345_000_000, total=139_000_000_000, free=126_655_000_000)

    def nvmlDeviceGetUtilizationRates(self, handle: str) -> SimpleNamespace:
        self._may("use")
        return SimpleNamespace(gpu=97, memory=40)

    def nvmlDeviceGetTemperature(self, handle: str, sensor: int) -> int:
        self._may("temperature")
        return 62

    def nvmlDeviceGetPowerUsage(self, handle: str) -> int:  # milliwatts
        self._may("power")
        return 340_000

    def _may(self, what: str) -> None:
        if what in self.refuses:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    module = StandIn()
    monkeypatch.setitem(sys.modules, "pynvml", module)
    return module


# The driver ------------------------------------------------------------------------------------------------------


def test_the_stand_in_has_only_what_the_real_module_has() -> None:
    mine = {name for name in vars(StandIn) if name.startswith(("nvml", "NVML"))}
    assert mine <= set(dir(pynvml))


def test_the_real_driver_answers_or_is_told_to_be_absent() -> None:
    opened = open_first_gpu({})
    if opened is None:
        assert why_no_gpu() is not None
        assert GpuMeter().read() is None
    else:
        gpu = opened()
        assert gpu is not None
        assert 0 <= gpu.memory <= gpu.total


def test_without_the_module_there_are_no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert open_first_gpu({}) is None
    assert why_no_gpu() == "not installed"


def test_a_driver_that_refuses_to_open_is_no_failure(stand_in: StandIn) -> None:
    stand_in.refuses = ("init",)
    assert open_first_gpu({}) is None
    assert "no driver answers" in str(why_no_gpu())


def test_the_figures_are_the_driver_s_in_units_of_the_screen(stand_in: StandIn) -> None:
    opened = open_first_gpu({})
    assert opened is not None
    assert opened() == H200


def test_what_a_device_does_not_tell_is_left_open(stand_in: StandIn) -> None:
    stand_in.refuses = ("use", "temperature", "power")
    assert figures_of(stand_in, "GPU-aaaa-1111") == Gpu(12_345_000_000, 139_000_000_000)
    stand_in.refuses = ("memory",)
    assert figures_of(stand_in, "GPU-aaaa-1111") is None


@pytest.mark.parametrize(
    ("visible", "handle"),
    [
        (None, "GPU-aaaa-1111"), ("1,0", "GPU-bbbb-2222"), (" 1", "GPU-bbbb-2222"), ("GPU-bbbb", "GPU-bbbb-2222"),
        ("MIG-cccc", "MIG-cccc"), ("", None), ("-1", None), ("7", None), ("GPU-dddd", None), ("NoDevFiles", None),
    ],
)  # fmt: skip
def test_the_gpu_is_the_first_that_cuda_may_use(stand_in: StandIn, visible: str | None, handle: str | None) -> None:
    environ = {} if visible is None else {"CUDA_VISIBLE_DEVICES": visible}
    assert first_visible(stand_in, environ) == handle


# Reading ---------------------------------------------------------------------------------------------------------


def test_the_figures_of_this_process_are_read() -> None:
    machine = Meter(every=0.0).read()
    assert machine.memory is not None
    assert machine.memory > 1_000_000
    assert machine.gpu is None


def test_the_gpu_is_asked_only_for_a_run_on_it_and_not_too_often(stand_in: StandIn) -> None:
    meter = Meter(every=100.0)
    meter.read()
    assert stand_in.asked == 0
    assert until(lambda: meter.read(gpu=True).gpu) == H200
    for _ in range(50):
        assert meter.read(gpu=True).gpu == H200
    assert stand_in.asked == 1


def test_a_driver_that_does_not_answer_holds_nobody_up(stand_in: StandIn) -> None:
    stand_in.gate.clear()
    meter = GpuMeter(every=0.0)
    before = threading.active_count()
    for _ in range(50):
        assert meter.read() is None
    assert threading.active_count() == before + 1
    stand_in.gate.set()
    assert until(meter.read) == H200


def test_a_figure_that_has_grown_old_is_told_no_more(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    meter = GpuMeter(every=0.0)
    until(meter.read)
    stand_in.gate.clear()
    monkeypatch.setattr("gpt_tui.tui.machine.STALE_SECONDS", 0.0)
    assert meter.read() is None
    stand_in.gate.set()


# The strip -------------------------------------------------------------------------------------------------------

RUNNING = Figures(
    step=1234, max_iters=5000, loss=1.234, val_loss=1.5, best=True, learning_rate=4e-3, tokens_per_second=216_000.0,
    grad_norm=0.5, eta=125.0, seconds=60.0, running=True, memory=372_000_000, use=100.0,
)  # fmt: skip


class StripApp(App[None]):
    def __init__(self, values: Figures) -> None:
        super().__init__()
        self.values = values

    def compose(self) -> ComposeResult:
        strip = StatStrip()
        yield strip
        strip.set(self.values)


async def shown(values: Figures, width: int) -> list[str]:
    app = StripApp(values)
    async with app.run_test(size=(width, 5)) as pilot:
        await pilot.pause()
        return [line.rstrip() for line in screen_text(app).splitlines() if line.strip()]


def on(gpu: Gpu | None) -> Figures:
    return Figures(**{**vars(RUNNING), "gpu": gpu})


@pytest.mark.parametrize("width", [60, 70, 80, 100, 112, 120, 140, 200])
async def test_nothing_of_the_strip_is_cut_off(width: int) -> None:
    for gpu in (None, H200, Gpu(1, 8_000_000_000)):
        lines = await shown(on(gpu), width)
        text = " ".join(lines)
        assert all(len(line) <= width for line in lines)
        assert "…" not in text
        for part in ("step 1234/5000", "loss 1.234", "val 1.500", "lr 4.0e-3", "216k tok/s", "grad 0.50", "2:05 left"):
            assert part in text, (part, lines)


async def test_device_memory_and_use_are_shown_at_80_columns_and_all_of_it_where_there_is_room() -> None:
    first, second = await shown(on(H200), 80)
    assert "12.3/139 GB  97% gpu" in first
    assert "▰" in first
    assert "loss" in second
    (line,) = await shown(on(H200), 200)
    for part in ("12.3/139 GB  97% gpu", "100% cpu", " 62 C 340 W"):
        assert part in line


async def test_without_a_gpu_the_strip_is_as_it_was() -> None:
    (line,) = await shown(on(None), 114)
    assert "372 MB  100% cpu" in line
    assert "gpu" not in line


async def test_figures_keep_their_places_when_their_digits_change() -> None:
    (few,) = await shown(on(Gpu(900_000_000, 139_000_000_000, 3.0, 40.0, 90.0)), 200)
    (many,) = await shown(on(Gpu(138_900_000_000, 139_000_000_000, 100.0, 88.0, 700.0)), 200)
    assert few.index("gpu") == many.index("gpu")
    assert len(few) == len(many)
