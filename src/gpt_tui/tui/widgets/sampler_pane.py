"""The sampler's settings as rows: how the next token is drawn from what the model believes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.geometry import Spacing
from textual.message import Message
from textual.widgets import Static

from gpt_tui.core.config import FIELDS, FieldSpec, SamplingConfig, find_faults, idle
from gpt_tui.tui import keys
from gpt_tui.tui.stepping import stepped
from gpt_tui.tui.widgets.field_help import no_effect
from gpt_tui.tui.widgets.field_row import Columns, FieldRow, RowText

ROWS = ("temperature", "top_k", "top_p", "min_p", "sample_seed", "samples", "max_new_tokens", "window_rule")
COLUMNS = Columns(14, 8)
MOST_SAMPLES = 16
# No field of a run, which records one sample at a time.
SAMPLES = FieldSpec(
    name="samples", section="sampling", kind="int", default=1, minimum=1, maximum=MOST_SAMPLES,
    help="How many texts go on from the prompt at once, each with the seed after that of the one before.",
    why="Beside each other they show what the model is sure of, and what was chance.",
    start="1, or 4", unit="", live=True, step=1, for_none="", group="", choices=(),
    exclusive_minimum=False, exclusive_maximum=False,
)  # fmt: skip
SPECS = {name: SAMPLES if name == "samples" else FIELDS[name] for name in ROWS}
_OTHERS = {name: spec.default for name, spec in FIELDS.items()}


def explained(name: str, values: Mapping[str, Any]) -> Content:
    """What a setting does, a safe start, and why it has no effect beside the others, where that is so."""
    spec, why = SPECS[name], without_effect(values).get(name, "")
    return Content.assemble(
        (name, "bold $accent"),
        f": {spec.help} {spec.why}".rstrip(),
        ("\nstart with ", "$text-muted"),
        spec.start,
        (f"\n{no_effect(why)}" if why else "", "$text-warning"),
    )


def without_effect(values: Mapping[str, Any]) -> dict[str, str]:
    """Settings that change nothing beside the others, and why."""
    return idle({**_OTHERS, **values})


class SamplerPane(VerticalScroll, can_focus=True, inherit_bindings=False):
    """values: what the next text is drawn with, and how many. label, letter, copied: as every pane has them."""

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings("sampler")
    KEYS: ClassVar[tuple[str, ...]] = ("sampler",)
    label = "sampler"
    letter = "s"
    DEFAULT_CSS = "SamplerPane #explained { height: auto; margin-top: 1; }"

    class Changed(Message):
        """A value is another, by the person's hand."""

    class Pointed(Message):
        """The cursor stands on another row."""

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.values: dict[str, Any] = {"samples": SAMPLES.default}
        self._rows = {name: FieldRow(name, COLUMNS) for name in ROWS}
        self._at = ROWS[0]
        self._explained = Static(id="explained", markup=False)
        self.border_title = self.label
        self.take(SamplingConfig())

    def compose(self) -> ComposeResult:
        yield from self._rows.values()
        yield self._explained

    def on_mount(self) -> None:
        self._rows[self._at].current = True
        self._draw()

    # What it holds ---------------------------------------------------------------------------------------------------

    def take(self, sampling: SamplingConfig) -> None:
        """Begin with a run's settings."""
        self.values = {name: getattr(sampling, name, self.values.get(name)) for name in ROWS}
        self._draw()

    def set(self, name: str, value: Any) -> None:
        """Set a sound value, as a person does."""
        if value != self.values[name]:
            self.values = {**self.values, name: value}
            self._draw()
            self.post_message(self.Changed())

    @property
    def sampling(self) -> SamplingConfig:
        return SamplingConfig(**{name: value for name, value in self.values.items() if name in FIELDS})

    @property
    def samples(self) -> int:
        """How many texts are written at once."""
        count: int = self.values["samples"]
        return count

    @property
    def current(self) -> str:
        """The setting that the cursor stands on."""
        return self._at

    @property
    def explains(self) -> bool:
        """Whether there is room for what the setting does."""
        return self._explained.display

    @property
    def copied(self) -> str:
        """As options of the command line."""
        flags = {name: "--num-samples" if name == "samples" else spec.flag for name, spec in SPECS.items()}
        return " ".join(f"{flags[name]} {SPECS[name].show(value)}" for name, value in self.values.items())

    # Drawing ---------------------------------------------------------------------------------------------------------

    def _draw(self) -> None:
        if not self.is_attached:
            return
        without = without_effect(self.values)
        for name, row in self._rows.items():
            note = "no effect" if name in without else ""
            row.show(RowText(SPECS[name].show(self.values[name]), note=note, idle=bool(note)))
        self._explained.update(explained(self._at, self.values))
        editing = self._rows[self._at].editor is not None
        self.border_subtitle = Content("enter applies · esc leaves" if editing else "")

    def _reveal(self) -> None:
        region = self._rows[self._at].virtual_region
        self.scroll_to_region(region, animate=False, spacing=Spacing(), force=True)

    # Moving and changing ---------------------------------------------------------------------------------------------

    def _go(self, name: str) -> None:
        self._close_editor()
        self._rows[self._at].current = False
        self._at = name
        self._rows[name].current = True
        self._draw()
        self._reveal()
        self.post_message(self.Pointed())

    def action_cursor(self, by: int) -> None:
        self._go(ROWS[min(max(ROWS.index(self._at) + by, 0), len(ROWS) - 1)])

    def action_cursor_edge(self, way: int) -> None:
        self.action_cursor(way * len(ROWS))

    def action_step_value(self, direction: int) -> None:
        value = self.values[self._at]
        if self._at == "samples":
            self.set("samples", min(max(value + direction, 1), MOST_SAMPLES))
        else:
            self.set(self._at, stepped(SPECS[self._at], value, direction))

    def edit(self) -> None:
        """Type a value for the row that the cursor stands on."""
        spec = SPECS[self._at]
        self._rows[self._at].edit(spec.show(self.values[self._at]), spec.choices)
        self._draw()

    def on_field_row_submitted(self, message: FieldRow.Submitted) -> None:
        message.stop()
        name = message.row.field
        value, why_not = _read(name, message.text)
        if why_not:
            message.row.refuse(why_not)
            self.call_after_refresh(self._reveal)
            return
        self._close_editor()
        self.set(name, value)

    def on_field_row_left(self, message: FieldRow.Left) -> None:
        message.stop()
        self._close_editor()

    def _close_editor(self) -> None:
        row = self._rows[self._at]
        if row.editor is not None:
            self.screen.set_focus(self)  # at once: the next key is no longer the editor's
            row.close()
            self._draw()

    def on_field_row_pressed(self, message: FieldRow.Pressed) -> None:
        message.stop()
        was_here = message.row.field == self._at
        if not was_here:
            self._go(message.row.field)
        self.screen.set_focus(self)
        if message.part in ("less", "more"):
            self.action_step_value(-1 if message.part == "less" else 1)
        elif message.twice or (was_here and message.part == "value"):
            self.edit()


def _read(name: str, text: str) -> tuple[Any, str]:
    """The value that was typed for a setting; or what is wrong with it."""
    if name == "samples":
        typed = text.strip()
        sound = typed.isascii() and typed.isdigit() and 1 <= int(typed) <= MOST_SAMPLES
        return (int(typed), "") if sound else (None, f"must be {SAMPLES.allowed}")
    values, faults = find_faults({name: text})
    return values.get(name), "" if name in values else "; ".join(fault.message for fault in faults)
