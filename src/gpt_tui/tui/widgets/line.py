"""A widget of fixed size that draws one content, and draws again only when the content is another."""

from __future__ import annotations

from textual import events
from textual.content import Content
from textual.style import Style
from textual.widget import Widget


def clickable(text: str, action: str, style: str = "") -> Content:
    """`text` that does `action` when it is clicked in a `Line`."""
    return Content.styled(text, style).stylize(Style.from_meta({"action": action}))


class Line(Widget):
    ALLOW_SELECT = False  # it is to be clicked; a selection that is drawn across it has what is read around it
    DEFAULT_CSS = """
    Line {
        height: 1;
        width: 1fr;
        text-wrap: nowrap;
        text-overflow: ellipsis;
    }
    """

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.content = Content("")

    def show(self, content: Content) -> None:
        if not content.is_same(self.content):
            self.content = content
            self.refresh()

    @property
    def room(self) -> int:
        """Columns that it has: before it has been laid out those of the terminal, so that it is in the first frame."""
        return self.size.width or self.app.size.width

    async def on_click(self, event: events.Click) -> None:
        if (action := event.style.meta.get("action")) is not None:
            await self.run_action(action)

    def render(self) -> Content:
        return self.content
