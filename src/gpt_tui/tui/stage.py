"""Where the five views stand: each is made when it is first wanted, or once nobody types, and one is in sight."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.widget import AwaitMount
from textual.widgets import ContentSwitcher

from gpt_tui.core.config import RunConfig
from gpt_tui.core.presets import DEFAULT, Preset
from gpt_tui.tui.preferences import Preferences
from gpt_tui.tui.request import PlaygroundRequest
from gpt_tui.tui.view import View
from gpt_tui.tui.views.train import TrainView

if TYPE_CHECKING:
    from gpt_tui.core.speech import Speech
    from gpt_tui.tui.views.samples import SamplesView
    from gpt_tui.tui.views.setup import SetupView

VIEWS = {"train": "Train", "setup": "Setup", "samples": "Samples", "generate": "Generate", "runs": "Runs"}

STYLES = Path(__file__).parent / "views"
VIEW_MODULES = "gpt_tui.tui.views"


class Stage(ContentSwitcher):
    """moved: whether a view was gone to. scrubbed: the evaluation that is looked at; None follows the newest."""

    def __init__(self, request: PlaygroundRequest, preferences: Preferences, *, id: str | None = None) -> None:
        super().__init__(initial="train", id=id)
        self._request, self._preferences = request, preferences
        self.train = TrainView(
            smoothing=preferences.smoothing, units=preferences.units, ascii=request.ascii, id="train"
        )
        self.train.shares = preferences.shares_of("train")
        self.views: dict[str, View] = {"train": self.train}
        self.moved = False
        self.scrubbed: int | None = None

    def compose(self) -> ComposeResult:
        yield self.train

    # Views -----------------------------------------------------------------------------------------------------------

    @property
    def name_in_sight(self) -> str:
        return self.current or "train"

    @property
    def in_sight(self) -> View:
        return self.views[self.name_in_sight]

    @property
    def setup(self) -> SetupView | None:
        return self.views.get("setup")  # type: ignore[return-value]

    @property
    def samples(self) -> SamplesView | None:
        return self.views.get("samples")  # type: ignore[return-value]

    def bring(self, name: str) -> None:
        """Put a view into sight, and give it the focus."""
        self.moved = True
        view = self.view(name)
        self.current = name
        view.call_later(view.arrive)  # it may not be mounted yet

    def view(self, name: str) -> View:
        """One of the five; each is made and mounted when it is first wanted, for the first frame needs one only."""
        if name not in self.views:
            self._add(name)
        return self.views[name]

    async def make(self, name: str) -> None:
        """Have a view mounted, out of sight."""
        if name not in self.views:
            await self._add(name)

    def _add(self, name: str) -> AwaitMount:
        self._load_style(name)
        view = self.views[name] = self._make(name)
        view.shares = self._preferences.shares_of(name)
        mounted = self.mount(view)
        view.display = False
        return mounted

    @staticmethod
    def load(name: str) -> None:
        """Import a view: what it needs is kept for when it is made. For another thread than the screen's."""
        import_module(f"{VIEW_MODULES}.{name}")

    def _load_style(self, name: str) -> None:
        style = STYLES / f"{name}.tcss"
        self.app.stylesheet.add_source(style.read_text("utf-8"), (str(style), ""))

    def _make(self, name: str) -> View:
        request = self._request
        ascii, runs_dir = request.ascii, request.runs_dir
        if name == "setup":
            from gpt_tui.tui.views.setup import SetupView

            return SetupView(
                request.resolved,
                request.preset,
                runs_dir=runs_dir,
                chosen=self._preferences.beside,
                ascii=ascii,
                id="setup",
            )
        if name == "samples":
            from gpt_tui.tui.views.samples import SamplesView

            samples = SamplesView(speech=_speech, ascii=ascii, id="samples")
            samples.scrub_to(self.scrubbed)
            return samples
        if name == "generate":
            from gpt_tui.tui.views.generate import GenerateView

            return GenerateView(runs_dir=runs_dir, speech=_speech, ascii=ascii, id="generate")
        from gpt_tui.tui.views.runs import RunsView

        return RunsView(runs_dir=runs_dir, ascii=ascii, id="runs")

    # The form --------------------------------------------------------------------------------------------------------

    @property
    def form(self) -> RunConfig | None:
        """What a new run would be; None while the form has faults."""
        return self.setup.config if self.setup else self._request.resolved.config

    @property
    def preset(self) -> str | None:
        return self.setup.preset if self.setup else self._request.preset or DEFAULT

    @property
    def chosen(self) -> Preset | str | None:
        """The preset that the form is on, itself where that is known."""
        return self.setup.form.chosen if self.setup else self.preset


def _speech() -> Speech:
    from gpt_tui.core.speech import Speech

    return Speech()
