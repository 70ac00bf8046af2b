"""Series can be told apart by their colours, also by people who are colour-blind, and every colour can be read.

What a colour-blind person sees is simulated by the matrices of Machado, Oliveira and Fernandes (2009, severity 1.0, on
linear RGB); how far two colours are from each other is measured by CIEDE2000, checked here against published pairs.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from numpy.typing import NDArray
from textual.app import App, ComposeResult
from textual.color import Color

from gpt_tui.tui.theme import DARK, LIGHT, THEMES
from gpt_tui.tui.widgets.chart import Chart
from gpt_tui.tui.widgets.chart.canvas import RUN_ROLES

SIGHTS = {
    "normal": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
LEAST_APART = 15.0  # CIEDE2000; 2.3 is just noticeable side by side, and lines are thin
LEAST_CONTRAST = 2.8  # WCAG asks 3 of what is drawn, and of what stands for itself alone; here each has its digit too


def linear(colour: str) -> NDArray[np.float64]:
    c = np.array(Color.parse(colour).rgb) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(light: NDArray[np.float64]) -> NDArray[np.float64]:
    t = TO_XYZ @ light / (TO_XYZ @ np.ones(3))
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def seen(colour: str, sight: str) -> NDArray[np.float64]:
    return lab(np.clip(SIGHTS[sight] @ linear(colour), 0, 1))


def ciede2000(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The distance of two colours in CIE Lab, as Sharma, Wu and Dalal (2005) write it down."""
    (l1, a1, b1), (l2, a2, b2) = one, other
    chroma = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = 0.5 * (1 - np.sqrt(chroma**7 / (chroma**7 + 25**7)))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = np.degrees(np.arctan2(b1, a1)) % 360, np.degrees(np.arctan2(b2, a2)) % 360
    turn = 0.0 if c1 * c2 == 0 else (h2 - h1 + 180) % 360 - 180
    dh = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))
    c = (c1 + c2) / 2
    h = h1 + h2 if c1 * c2 == 0 else (h1 + turn / 2) % 360
    t = (
        1
        - 0.17 * np.cos(np.radians(h - 30))
        + 0.24 * np.cos(np.radians(2 * h))
        + 0.32 * np.cos(np.radians(3 * h + 6))
        - 0.20 * np.cos(np.radians(4 * h - 63))
    )
    middle = (l1 + l2) / 2 - 50
    dl = (l2 - l1) / (1 + 0.015 * middle**2 / np.sqrt(20 + middle**2))
    dc = (c2 - c1) / (1 + 0.045 * c)
    dh = dh / (1 + 0.015 * c * t)
    turned = -np.sin(np.radians(60 * np.exp(-(((h - 275) / 25) ** 2)))) * 2 * np.sqrt(c**7 / (c**7 + 25**7))
    return float(np.sqrt(dl**2 + dc**2 + dh**2 + turned * dc * dh))


# Pairs 1, 7, 10, 17, 20 and 25 of the table in Sharma, Wu and Dalal (2005).
@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
        ((50.0, 2.4900, -0.0010), (50.0, -2.4900, 0.0010), 7.1792),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((50.0, 2.5, 0.0), (58.0, 24.0, 15.0), 19.4535),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
    ],
)
def test_the_distance_is_the_published_one(one: tuple[float, ...], other: tuple[float, ...], distance: float) -> None:
    assert ciede2000(np.array(one), np.array(other)) == pytest.approx(distance, abs=1e-4)


class ColourApp(App[None]):
    def __init__(self, theme: str) -> None:
        super().__init__()
        for known in THEMES:
            self.register_theme(known)
        self.theme = theme
        self.chart = Chart()

    def compose(self) -> ComposeResult:
        yield self.chart

    def colour(self, role: str) -> str:
        found = self.chart._style(role).color
        assert found is not None
        return Color.from_rich_color(found).hex


async def drawn(theme: str, roles: tuple[str, ...]) -> dict[str, str]:
    app = ColourApp(theme)
    async with app.run_test():
        return {role: app.colour(role) for role in roles}


@pytest.mark.parametrize("sight", SIGHTS)
@pytest.mark.parametrize("theme", [DARK.name, LIGHT.name])
@pytest.mark.parametrize("roles", [RUN_ROLES, ("train", "validation", "ghost")], ids=["runs", "one run"])
async def test_colours_of_one_chart_are_far_enough_apart(theme: str, sight: str, roles: tuple[str, ...]) -> None:
    colours = await drawn(theme, roles)
    distances = {
        (one, other): ciede2000(seen(colours[one], sight), seen(colours[other], sight))
        for one, other in combinations(roles, 2)
    }
    assert min(distances.values()) >= LEAST_APART, min(distances, key=lambda pair: distances[pair])


@pytest.mark.parametrize("theme", THEMES, ids=lambda theme: theme.name)
async def test_every_run_can_be_seen_on_the_ground(theme: object) -> None:
    assert theme in THEMES
    name, ground = theme.name, theme.background  # type: ignore[attr-defined]
    for role, colour in (await drawn(name, RUN_ROLES)).items():
        bright, dark = sorted((TO_XYZ[1] @ linear(c) for c in (colour, ground)), reverse=True)
        assert (bright + 0.05) / (dark + 0.05) >= LEAST_CONTRAST, role
