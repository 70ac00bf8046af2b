"""Colours for runs beside each other, told apart with normal sight and by people who are colour-blind.

Found by a search for eight colours that keep their distance from each other (CIEDE2000, at least 15) as normal sight
has them and as protanopia, deuteranopia and tritanopia do (by the matrices of Machado, Oliveira and Fernandes, 2009),
and that can be read on the ground. The tests measure them.
"""

from __future__ import annotations

ON_DARK = ("#56b6a6", "#d29f2d", "#d2a5ff", "#fa5b7f", "#d1f87b", "#667dc7", "#eee9e9", "#8e6d45")
ON_LIGHT = ("#097367", "#bb7104", "#a05dfd", "#b01c30", "#58a76e", "#2840cd", "#24292f", "#949197")


def run_colour(place: int, dark: bool) -> str:
    """The colour of the run at `place`, from 0 to 7."""
    return (ON_DARK if dark else ON_LIGHT)[place]
