"""Points in two dimensions, coloured by class or by value, as one SVG element."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from compkit.report.plots import MAX_NAME
from compkit.report.svg import drawing, text

SIDE_PX = 320  # of the square with the points
LEGEND_PX = 180
ROW_PX = 17  # of a line of the legend
DOT_PX = 4.2
# told apart by all but the rarest colour-blind eyes, and visible on white and on black (Okabe and Ito 2008)
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
SHAPES = ("round", "square")  # caps of a line of no length: the second six classes are squares
SCALE = ("#5b52c8", "#a43fb0", "#d9547d", "#f28a4b", "#dcb424")  # of values, low to high
MOST_CLASSES = len(COLOURS) * len(SHAPES)
LETTERS = "ABCDEFGHIJKL"
SHORT_NAME = 4  # letters of a name that fits among the points; if one is longer all go by letters
RING_PX = 3.2


class Group(NamedTuple):
    """Points that look the same."""

    name: str
    rows: np.ndarray  # positions, int64 [n]


def embedding_chart(
    title: str,
    places: np.ndarray,
    groups: Sequence[Group],
    wrong: np.ndarray,
    is_scale: bool = False,
) -> Markup:
    """Points with a legend beside them; names of classes, or their letters, stand in the middle of their points too.

    Args:
        title: read out, and shown under the pointer.
        places: [N, 2].
        groups: at most 12 of classes, or 5 of a scale; points in none of them are grey.
        wrong: which points get a ring, bool [N].
        is_scale: whether the groups are ranges of a value, in rising order, and not classes.
    """
    spots = _spots(places)
    rest = np.setdiff1d(np.arange(len(places)), np.concatenate([group.rows for group in groups]))
    parts = [_dots(spots[wrong], "round", DOT_PX + RING_PX, "stroke:var(--mark)")]
    parts.append(_dots(spots[rest], "round", DOT_PX - 1, "stroke:var(--quiet)"))
    marks = [] if is_scale else _marks(groups)
    for number, group in enumerate(groups):
        shape, colour = _look(number, is_scale)
        parts.append(_dots(spots[group.rows], shape, DOT_PX, f"stroke:{colour}"))
    for mark, group in zip(marks, groups, strict=not is_scale):
        parts.append(_name(np.median(spots[group.rows], axis=0), mark))
    for row, group in enumerate(groups):
        name = _short(group.name)
        if marks and marks[row] != group.name:
            name = f"{marks[row]}  {name}"
        parts.append(_legend(row, f"{name} ({len(group.rows)})", *_look(row, is_scale)))
    if len(rest):
        parts.append(_legend(len(groups), f"other ({len(rest)})", "round", "var(--quiet)"))
    row = len(groups) + bool(len(rest))
    if wrong.any():
        ring = np.array([[SIDE_PX + 18, 12 + ROW_PX * row]])
        parts.append(_dots(ring, "round", DOT_PX + RING_PX, "stroke:var(--mark)"))
        parts.append(_legend(row, f"wrong ({int(wrong.sum())})", "round", "var(--card)", DOT_PX))
    return drawing(title, parts, SIDE_PX + LEGEND_PX, max(SIDE_PX, 24 + ROW_PX * row))


def _marks(groups: Sequence[Group]) -> list[str]:
    """What stands among the points: names where all are short, else letters."""
    names = [group.name for group in groups]
    return names if all(len(name) <= SHORT_NAME for name in names) else list(LETTERS[: len(names)])


def _spots(places: np.ndarray) -> np.ndarray:
    """Places in the square, one unit for both directions."""
    low, high = places.min(axis=0), places.max(axis=0)
    unit = (SIDE_PX - 16) / max(float((high - low).max()), 1e-9)
    return SIDE_PX / 2 + (places - (low + high) / 2) * unit * (1, -1)


def _look(number: int, is_scale: bool) -> tuple[str, str]:
    """Shape and colour of a group."""
    if is_scale:
        return "round", SCALE[number]
    return SHAPES[number // len(COLOURS)], COLOURS[number % len(COLOURS)]


def _dots(spots: np.ndarray, shape: str, width: float, style: str) -> Markup:
    if not len(spots):
        return Markup("")
    path = "".join(f"M{x:.0f} {y:.0f}h0" for x, y in spots)
    markup = '<path style="{}" stroke-width="{}" stroke-linecap="{}" d="{}"/>'
    return Markup(markup).format(style, width if shape == "round" else width * 0.85, shape, path)


def _name(spot: np.ndarray, name: str) -> Markup:
    """A name that stays readable above dots."""
    style = "fill:var(--ink);stroke:var(--card);stroke-width:3px;paint-order:stroke;font-weight:600"
    markup = '<text style="{}" x="{:.0f}" y="{:.0f}" text-anchor="middle">{}</text>'
    return Markup(markup).format(style, spot[0], spot[1] + 3.5, name)


def _legend(row: int, name: str, shape: str, colour: str, width: float = DOT_PX * 1.6) -> Markup:
    at = SIDE_PX + 18, 12 + ROW_PX * row
    dot = _dots(np.array([at]), shape, width, f"stroke:{colour}")
    return dot + text(at[0] + 12, at[1] + 3.5, name)


def _short(name: str) -> str:
    return name if len(name) <= MAX_NAME else name[: MAX_NAME - 1] + "…"
