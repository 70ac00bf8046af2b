"""The chart as a Textual widget: what is in view, keys' and mouse's actions, colours. Drawing is `plot.draw`'s."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import numpy as np
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from gpt_tui.tui.widgets.chart import limits
from gpt_tui.tui.widgets.chart.axes import UNITS, Scale, Unit, number
from gpt_tui.tui.widgets.chart.canvas import ROLES, RUN_ROLES, SERIES_ROLES
from gpt_tui.tui.widgets.chart.palette import run_colour
from gpt_tui.tui.widgets.chart.plot import Frame, Plan, draw, x_scale_of
from gpt_tui.tui.widgets.chart.read_out import Reading, read_out
from gpt_tui.tui.widgets.chart.series import Mark, Marks, Reference, Series

SMOOTHINGS = (0.0, 0.6, 0.9, 0.98)
_ZOOM = 2.0
_WHEEL_ZOOM = 1.25
_PAN = 0.25
_CLOSEST = 4.0  # a zoom keeps at least this many typical distances between points in view


class Chart(Widget, can_focus=True):
    """Draws `Series`, and keeps the view: window, smoothing, log axes, crosshair.

    Append to the series, then call `update()`; what did not change on the screen is not sent again. The chart binds no
    keys: its owner calls the methods below `# Actions`.
    """

    ALLOW_SELECT = False  # dragging moves the window
    DEFAULT_CSS = """
    Chart {
        height: 1fr;
        width: 1fr;
        & > .chart--blank { color: $foreground; }
        & > .chart--train { color: $text-primary; }
        & > .chart--raw { color: $text-primary 38%; }
        & > .chart--validation { color: $text-warning; }
        & > .chart--ghost { color: $foreground 45%; }
        & > .chart--reference { color: $foreground 22%; }
        & > .chart--reference-label { color: $foreground 60%; }
        & > .chart--mark { color: $foreground 45%; }
        & > .chart--mark-label { color: $foreground 80%; }
        & > .chart--axis { color: $foreground 60%; }
        & > .chart--legend { color: $foreground 80%; }
        & > .chart--crosshair { color: $foreground 70%; }
        & > .chart--read-out { color: $foreground; background: $panel; }
        & > .chart--clipped { color: $text-error; }
        & > .chart--placeholder { color: $foreground 60%; }
        &:nocolor > .chart--raw, &:nocolor > .chart--reference { text-style: dim; }
        &:ansi > .chart--raw, &:ansi > .chart--reference, &:ansi > .chart--ghost { text-style: dim; }
        &:nocolor > .chart--read-out { text-style: bold; }
    }
    """
    COMPONENT_CLASSES: ClassVar[set[str]] = {
        f"chart--{role}" for role in ROLES if " " not in role and role not in RUN_ROLES
    }

    class CrosshairMoved(Message):
        """The crosshair is at `x` now, in the unit of the x axis, or gone (None)."""

        def __init__(self, chart: Chart, x: float | None) -> None:
            super().__init__()
            self.chart = chart
            self.x = x

        @property
        def control(self) -> Chart:
            return self.chart

    class ViewChanged(Message):
        """Window, smoothing, axes or unit are others now: what `description()` and `window` say has changed."""

        def __init__(self, chart: Chart) -> None:
            super().__init__()
            self.chart = chart

        @property
        def control(self) -> Chart:
            return self.chart

    def __init__(
        self,
        *series: Series,
        placeholder: str = "",
        smoothing: float = 0.9,
        ascii: bool = False,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
        disabled: bool = False,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes, disabled=disabled)
        self._series: tuple[Series, ...] = _checked(series)
        self._placeholder = placeholder
        self._smoothing = smoothing
        self._ascii = ascii
        self._references: tuple[Reference, ...] = ()
        self._marks = Marks()
        self._unit: Unit = "steps"
        self._x_end: float | None = None
        self._log_x = self._log_y = False
        self._window: tuple[float, float] | None = None
        self._pinned: float | None = None
        self._hovered: float | None = None
        self._drag: tuple[int, tuple[float, float] | None, bool] | None = None
        self._drawn_from: tuple[object, ...] = ()
        self._seen_end = self._data_end()
        self._frame: Frame | None = None
        self._strips: dict[int, Strip] = {}
        self._redraw_asked = False

    # What is shown --------------------------------------------------------------------------------------------------

    @property
    def series(self) -> tuple[Series, ...]:
        return self._series

    @property
    def smoothing(self) -> float:
        return self._smoothing

    @property
    def log_x(self) -> bool:
        return self._log_x

    @property
    def log_y(self) -> bool:
        return self._log_y

    @property
    def unit(self) -> Unit:
        return self._unit

    @property
    def window(self) -> tuple[float, float] | None:
        """The x values at the edges of a zoomed view; None when the whole run is in view."""
        return self._window

    @property
    def crosshair(self) -> float | None:
        """Where the crosshair is: under the pointer while that is over the chart, else where it was put."""
        return self._pinned if self._hovered is None else self._hovered

    def set_series(self, series: Iterable[Series]) -> None:
        """Show these, the first being the one that the crosshair walks along. The view goes back to the whole run."""
        self._series = _checked(series)
        self._seen_end = self._data_end()
        self._hovered = None
        self._set_window(None)

    def set_references(self, references: Iterable[Reference]) -> None:
        self._references = tuple(references)
        self.update()

    def set_marks(self, marks: Iterable[Mark]) -> None:
        self._marks = Marks(marks)
        self.update()

    def add_mark(self, mark: Mark) -> None:
        self.set_marks((*self._marks, mark))

    def set_placeholder(self, text: str) -> None:
        """The words shown while there are no data."""
        self._placeholder = text
        self.update()

    def set_x_end(self, x: float | None) -> None:
        """Where the run is going to end, so that the whole view shows how far it has come; None if not known."""
        self._x_end = x
        self.update()

    def set_x_unit(self, unit: Unit) -> None:
        """What x counts. The owner replaces the points of the series; window and crosshair begin anew."""
        if unit not in UNITS:
            raise ValueError(f"the x axis counts one of {', '.join(UNITS)}, not {unit}")
        if unit == self._unit:
            return
        self._unit = unit
        self._hovered = None
        self.set_crosshair(None)
        self._set_window(None)

    def set_ascii(self, ascii: bool) -> None:
        """Draw with ASCII characters alone, without braille or box drawing."""
        self._ascii = ascii
        self.update()

    def description(self) -> str:
        """What the view is, in a few words for a border title: "smoothing 0.9 · x steps · log y"."""
        words = [f"smoothing {number(self._smoothing)}" if self._smoothing else "no smoothing", f"x {self._unit}"]
        logs = [axis for axis, on in (("x", self._log_x), ("y", self._log_y)) if on]
        words += [f"log {' '.join(logs)}"] if logs else []
        words += ["zoomed"] if self._window else []
        return (" - " if self._ascii else " · ").join(words)

    def readings(self) -> list[Reading]:
        """Every series at the crosshair, exactly; empty without one."""
        return [] if self.crosshair is None else read_out(self._series, self.crosshair, self._smoothing)

    def update(self) -> None:
        """Draw again if anything changed: call it after appending to a series. Cheap, and as often as you like."""
        self._follow()
        if self._state() != self._drawn_from and self.is_mounted and not self._redraw_asked:
            self._redraw_asked = True
            self.call_later(self.redraw)

    # Actions --------------------------------------------------------------------------------------------------------

    def toggle_smoothing(self) -> None:
        """The next of SMOOTHINGS."""
        following = [beta for beta in SMOOTHINGS if beta > self._smoothing]
        self.set_smoothing(following[0] if following else SMOOTHINGS[0])

    def set_smoothing(self, beta: float) -> None:
        if not 0 <= beta < 1:
            raise ValueError(f"smoothing must be at least 0 and less than 1, not {beta}")
        self._smoothing = beta
        self._changed()

    def toggle_log_x(self) -> None:
        self._log_x = not self._log_x
        self._changed()

    def toggle_log_y(self) -> None:
        self._log_y = not self._log_y
        self._changed()

    def zoom_in(self) -> None:
        self.zoom(_ZOOM)

    def zoom_out(self) -> None:
        self.zoom(1 / _ZOOM)

    def pan_left(self) -> None:
        self.pan(-_PAN)

    def pan_right(self) -> None:
        self.pan(_PAN)

    def whole(self) -> None:
        """The whole run in view again."""
        self._set_window(None)

    def zoom(self, factor: float, around: float | None = None) -> None:
        """Show 1/factor of what is in view. `around`, a fraction of the width, stays where it is.

        Without it that is the crosshair, or else the end of the data, or else the middle.
        """
        if (scale := self._scale()) is None:
            return
        if around is None:
            around = self._zoom_centre(scale)
        left, right = self._measured(scale)
        width = (right - left) / factor
        self._look_at(scale, left + around * (right - left) - around * width, width)

    def pan(self, fraction: float) -> None:
        """Move the view by a fraction of its width, to the right when positive, within the run."""
        if self._window is None or (scale := self._scale()) is None:
            return
        left, right = self._measured(scale)
        self._look_at(scale, left + fraction * (right - left), right - left)

    def toggle_crosshair(self) -> None:
        """Put the crosshair on the newest point in view, or take it away."""
        if self._pinned is not None:
            self.set_crosshair(None)
        elif (scale := self._scale()) is not None and (walked := self._walked()) is not None:
            self.set_crosshair(self._point_near(walked, min(scale.high, float(walked.x[-1]))))

    def set_crosshair(self, x: float | None) -> None:
        """Put the crosshair at `x`, whether a point lies there or not; None takes it away."""
        before = self.crosshair
        self._pinned = x
        self._crosshair_moved(before)

    def move_crosshair(self, steps: int) -> None:
        """Move it by points of the first series, or by columns where these are wider; out of sight the view follows."""
        scale, walked = self._scale(), self._walked()
        if scale is None or walked is None or steps == 0:
            return
        if self.crosshair is None:
            self.toggle_crosshair()
            return
        self._hovered = None
        here = self.crosshair if self.crosshair is not None else float(walked.x[-1])
        self.set_crosshair(self._stepped(scale, walked, here, steps))
        self._bring_into_view(scale)

    # The mouse ------------------------------------------------------------------------------------------------------

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._drag is not None:
            self._drag_to(event)
        else:
            self._hover(self._x_at(event))

    def on_leave(self, event: events.Leave) -> None:
        self._hover(None)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        if event.button == 1 and self._frame is not None and self._frame.box is not None:
            self._drag = (event.screen_x, self._window, False)
            self.capture_mouse()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        if self._drag is None:
            return
        dragged = self._drag[2]
        self._drag = None
        self.release_mouse()
        x = None if dragged else self._x_at(event)
        if x is not None:
            self.set_crosshair(None if x == self._pinned else x)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._wheel(event, _WHEEL_ZOOM)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._wheel(event, 1 / _WHEEL_ZOOM)

    def _wheel(self, event: events.MouseEvent, factor: float) -> None:
        fraction = self._fraction_at(event)
        if fraction is not None:
            self.zoom(factor, fraction)
            event.stop()
            event.prevent_default()

    def _drag_to(self, event: events.MouseMove) -> None:
        assert self._drag is not None
        start, window, moved = self._drag
        columns = event.screen_x - start
        if not columns and not moved:
            return
        self._drag = (start, window, True)
        self._hovered = None
        if window is None or self._frame is None or self._frame.box is None:
            return
        scale = Scale(*window, self._log_x, self._foot())
        left, right = self._measured(scale)
        self._look_at(scale, left - columns / max(self._frame.box.width - 1, 1) * (right - left), right - left)

    def _hover(self, x: float | None) -> None:
        before = self.crosshair
        self._hovered = x
        self._crosshair_moved(before)

    def _fraction_at(self, event: events.MouseEvent) -> float | None:
        """Where across the plot the pointer is, or None outside of it."""
        offset = event.get_content_offset(self)
        box = self._frame.box if self._frame else None
        if offset is None or box is None or not 0 <= offset.x - box.left < box.width:
            return None
        return (offset.x - box.left) / max(box.width - 1, 1)

    def _x_at(self, event: events.MouseEvent) -> float | None:
        """The x of the point under the pointer."""
        fraction, scale, walked = self._fraction_at(event), self._scale(), self._walked()
        if fraction is None or scale is None or walked is None:
            return None
        return self._point_near(walked, float(scale.value(fraction)))

    # The window -----------------------------------------------------------------------------------------------------

    def _data_end(self) -> float | None:
        return max((float(s.x[-1]) for s in self._series if len(s)), default=None)

    def _foot(self) -> float | None:
        return limits.first_positive(self._series) if self._log_x else None

    def _scale(self) -> Scale | None:
        """The x scale of what is in view, or None without data."""
        return x_scale_of(self._plan())

    @staticmethod
    def _measured(scale: Scale) -> tuple[float, float]:
        return float(scale.measure(scale.low)), float(scale.measure(scale.high))

    def _follow(self) -> None:
        """Move a zoomed window along with the data whose end it showed."""
        before, now = self._seen_end, self._data_end()
        self._seen_end = now
        if self._window is None or before is None or now is None:
            return
        low, high = self._window
        if low <= before <= high < now:
            scale = Scale(low, high, self._log_x, self._foot())
            left, right = self._measured(scale)
            end = float(scale.measure(now))
            self._window = (float(scale.value_of(left + end - right)), now)
        elif now < low:  # the run went on from before what was in view
            self._window = None

    def _zoom_centre(self, scale: Scale) -> float:
        for x in (self.crosshair, self._data_end()):
            if x is not None and 0 <= (fraction := float(scale.fraction(x))) <= 1:
                return fraction
        return 0.5

    def _look_at(self, scale: Scale, left: float, width: float) -> None:
        """Show `width` from `left` on, in the scale's even units, within the run and not closer than its points."""
        extent = limits.x_extent(self._series, self._x_end)
        if extent is None:
            return
        low, high = float(scale.measure(extent[0])), float(scale.measure(extent[1]))
        if width >= (high - low) * (1 - 1e-9):
            self._set_window(None)
            return
        left = min(max(left, low), high - width)
        window = float(scale.value_of(left)), float(scale.value_of(left + width))
        if window[1] - window[0] >= self._closest(extent) or not self._narrower(window):
            self._set_window(window)

    def _closest(self, extent: tuple[float, float]) -> float:
        points = max((len(s) for s in self._series), default=1)
        return max((extent[1] - extent[0]) / max(points, 1) * _CLOSEST, limits.least_span(extent[1]) * 10)

    def _narrower(self, window: tuple[float, float]) -> bool:
        return self._window is None or window[1] - window[0] < (self._window[1] - self._window[0]) * (1 - 1e-9)

    def _set_window(self, window: tuple[float, float] | None) -> None:
        self._window = window
        self._changed()

    def _changed(self) -> None:
        self.update()
        self.post_message(self.ViewChanged(self))

    # The crosshair's way --------------------------------------------------------------------------------------------

    def _walked(self) -> Series | None:
        return next((s for s in self._series if len(s)), None)

    @staticmethod
    def _point_near(series: Series, x: float) -> float:
        at = series.nearest(x)
        assert at is not None
        return float(series.x[at])

    def _stepped(self, scale: Scale, walked: Series, here: float, steps: int) -> float:
        at = walked.nearest(here)
        assert at is not None
        point = float(walked.x[min(max(at + steps, 0), len(walked) - 1)])
        columns = self._frame.box.width if self._frame and self._frame.box else 80
        left, right = self._measured(scale)
        aim = float(scale.value_of(float(scale.measure(here)) + steps * (right - left) / max(columns - 1, 1)))
        column = self._point_near(walked, aim)
        return max(point, column) if steps > 0 else min(point, column)

    def _bring_into_view(self, scale: Scale) -> None:
        if self._window is None or self._pinned is None:
            return
        left, right = self._measured(scale)
        at, width = float(scale.measure(self._pinned)), right - left
        if not left <= at <= right:
            self._look_at(scale, at - (0.1 if at < left else 0.9) * width, width)

    def _crosshair_moved(self, before: float | None) -> None:
        if self.crosshair != before:
            self.update()
            self.post_message(self.CrosshairMoved(self, self.crosshair))

    # Drawing --------------------------------------------------------------------------------------------------------

    def _plan(self) -> Plan:
        return Plan(
            *self.size,
            self._series,
            self._references,
            self._marks,
            self._window,
            self._x_end,
            self._unit,
            self._smoothing,
            self._log_x,
            self._log_y,
            self.crosshair,
            self._ascii,
            self._placeholder,
        )

    def _state(self) -> tuple[object, ...]:
        return self._plan(), tuple(s.version for s in self._series)

    def redraw(self) -> None:
        """Draw at once, and have only the rows that look different sent again; `update` leads here."""
        self._redraw_asked = False
        if self._state() == self._drawn_from:
            return
        rows = self._draw()
        if rows is None:
            self.refresh()
        elif rows:
            self.refresh(*(Region(0, row, self.size.width, 1) for row in rows))

    def _draw(self) -> list[int] | None:
        """Draw, and say which rows look different; None for another size. The strips of the others stay."""
        before, self._frame = self._frame, draw(self._plan())
        self._drawn_from = self._state()
        grid = self._frame.grid
        if before is None or before.grid.codes.shape != grid.codes.shape:
            self._strips.clear()
            return None
        same = (before.grid.codes == grid.codes) & (before.grid.roles == grid.roles)
        rows: list[int] = np.flatnonzero(~same.all(axis=1)).tolist()
        for row in rows:
            self._strips.pop(row, None)
        return rows

    def render_line(self, y: int) -> Strip:
        # Newer data wait for `redraw`: drawn here they would reach only the rows that happen to be asked for.
        if self._frame is None or (self._frame.grid.width, self._frame.grid.height) != self.size:
            self._draw()
        assert self._frame is not None
        grid = self._frame.grid
        if y >= grid.height:
            return Strip.blank(self.size.width, self.rich_style)
        if y not in self._strips:
            self._strips[y] = Strip([Segment(text, self._style(role)) for text, role in grid.runs(y)], grid.width)
        return self._strips[y]

    def _style(self, role: str) -> Style:
        if role.startswith("read-out "):
            series = self._style(role.removeprefix("read-out "))
            return self._style("read-out") + Style(color=series.color)
        if role in RUN_ROLES:  # no theme has eight colours that everybody can tell apart
            colour = run_colour(RUN_ROLES.index(role), dark=self.app.current_theme.dark)
            return self.get_component_rich_style("chart--blank") + Style(color=colour)
        return self.get_component_rich_style(f"chart--{role}")

    def notify_style_update(self) -> None:
        self._strips.clear()
        super().notify_style_update()


def _checked(series: Iterable[Series]) -> tuple[Series, ...]:
    checked = tuple(series)
    for s in checked:
        if s.role not in SERIES_ROLES:
            raise ValueError(f"{s.name}: a series' role is one of {', '.join(SERIES_ROLES)}, not {s.role}")
    return checked
