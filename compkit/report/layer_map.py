"""A map of a network over its training: a row a layer, a column a moment, a colour for a number."""

import base64
from collections.abc import Sequence

import cv2
import numpy as np
from markupsafe import Markup

from compkit.report.section import number
from compkit.report.svg import drawing, text

MOST_LAYERS, MOST_COLUMNS = 60, 100
CELL_PX, ROW_PX, MAX_NAME = 2.6, 12, 34
# dark blue to yellow, told apart in the dark, in the light, and without colours by their lightness
COLOURS = np.array([(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)], np.float32)


def layer_map(
    title: str, values: np.ndarray, names: Sequence[str], moments: Sequence[str], heading: str, log: bool
) -> Markup:
    """Draw it; the cells are one small picture inside the SVG, as thousands of squares would fill the page.

    Args:
        title: read out, and shown under the pointer.
        values: [L, T]; a cell without a number stays empty.
        names: of the L layers, at most `MOST_LAYERS`.
        moments: of the T columns; the first and the last are written below.
        heading: what is drawn, in two or three words, written above.
        log: colours follow the logarithm, and what is not above 0 gets the darkest; else they go from 0 to 1.
    """
    low, high = limits(values, log)
    left = 12 + 6.2 * max(len(short_name(name)) for name in names)
    width, height = max(200.0, CELL_PX * values.shape[1]), float(ROW_PX * len(names))
    parts = [
        Markup(
            '<image x="{:.1f}" y="22" width="{:.1f}" height="{:.1f}" preserveAspectRatio="none" '
            'style="image-rendering:pixelated" href="{}"/>'
        ).format(left, width, height, cells(values, low, high, log))
    ]
    parts.append(text(2, 13, heading))
    for row, name in enumerate(names):
        parts.append(text(left - 5, 22 + ROW_PX * (row + 0.85), short_name(name), anchor="end"))
    parts.append(text(left, height + 35, moments[0]))
    if len(moments) > 1:
        parts.append(text(left + width, height + 35, moments[-1], anchor="end"))
    parts += _scale(left, width, number(low), number(high))
    return drawing(title, parts, width=left + width + 12, height=height + 42)


def limits(values: np.ndarray, log: bool) -> tuple[float, float]:
    """The numbers of the darkest and the lightest colour: 0 and 1, or the extremes over seven decades at most.

    >>> limits(np.array([[1e-20, 1.0, np.nan]]), log=True), limits(np.array([[0.0, 0.5]]), log=False)
    ((1e-07, 1.0), (0.0, 1.0))
    """
    known = values[np.isfinite(values) & (values > 0)]
    if not log:
        return 0.0, 1.0
    low, high = (float(known.min()), float(known.max())) if len(known) else (1e-7, 1.0)
    return max(low, high * 1e-7), high


def cells(values: np.ndarray, low: float, high: float, log: bool) -> str:
    """The colours as a PNG of a pixel a cell, a data URI; clear where there is no number."""
    scaled = np.where(np.isfinite(values), values, low)
    if log:
        scaled, low, high = np.log10(np.maximum(scaled, low)), np.log10(low), np.log10(high)
    place = np.clip((scaled - low) / (high - low), 0, 1) if high > low else np.zeros_like(scaled)
    place = place * (len(COLOURS) - 1)
    below = np.minimum(place.astype(int), len(COLOURS) - 2)
    colours = COLOURS[below] + (place - below)[..., None] * (COLOURS[below + 1] - COLOURS[below])
    pixels = np.dstack([colours[..., ::-1], np.isfinite(values) * 255.0]).round().astype(np.uint8)
    done, data = cv2.imencode(".png", pixels)
    assert done, f"PNG of an array {pixels.shape}"
    return "data:image/png;base64," + base64.b64encode(data.tobytes()).decode("ascii")


def short_name(name: str) -> str:
    """The end of a long name, which tells layers apart.

    >>> short_name("backbone.model." + "x" * 40)[:4], short_name("head")
    ('…xxx', 'head')
    """
    return name if len(name) <= MAX_NAME else "…" + name[1 - MAX_NAME :]


def _scale(left: float, width: float, low: str, high: str) -> list[Markup]:
    """What the colours mean, above the map."""
    picture = cells(np.linspace(0, 1, 32)[None], 0, 1, log=False)
    bar = Markup('<image x="{:.1f}" y="5" width="60" height="9" preserveAspectRatio="none" href="{}"/>')
    start = left + max(0.0, width - 150)
    return [
        text(start, 13, low, anchor="end"),
        bar.format(start + 5, picture),
        text(start + 70, 13, high),
    ]
