"""Small charts: a strip below a chart, a spark in a cell of a table, intervals beside each other."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from compkit.report.plots import Line, vertical_mark
from compkit.report.svg import LEFT, RIGHT, TOP, WIDTH, axis, drawing, text, tick_label, x_axis

STRIP_PX = 74  # height of a strip
SPARK_PX = (72, 18)  # width and height of a spark
ROW_PX = 22  # height of an interval's row
NAME_PX = 6.2  # width of a letter, about


class Interval(NamedTuple):
    """A value and what it could as well be."""

    name: str
    value: float
    low: float
    high: float


def stacked(charts: Sequence[Markup]) -> Markup:
    """Charts below each other that stay together."""
    return Markup('<div class="stack">{}</div>').format(Markup("").join(charts))


def strip(title: str, line: Line, mark: float | None = None) -> Markup:
    """A curve in a low chart whose horizontal axis lies as that of `line_chart`; on its left the ends of its range."""
    bottom = STRIP_PX - 8
    x = x_axis(line.x)
    values = line.y[np.isfinite(line.y)]
    y = axis(values, bottom, TOP)
    steps = [
        f"{a:.1f} {b:.1f}" for a, b in zip(x.place(line.x), y.place(line.y), strict=True) if np.isfinite(b)
    ]
    parts = [text(LEFT, 14.5, line.name)]
    if len(values):
        low, high = float(values.min()), float(values.max())
        parts.append(text(LEFT - 6, y.place(high).item() + 3.5, tick_label(_short(high)), anchor="end"))
        if high > low:
            parts.append(text(LEFT - 6, y.place(low).item() + 3.5, tick_label(_short(low)), anchor="end"))
        parts.append(Markup('<path class="line c0" d="M{}h0"/>').format("L".join(steps)))
    parts.append(Markup('<path class="axis" d="M{} {}H{}"/>').format(LEFT, bottom, WIDTH - RIGHT))
    parts += [] if mark is None else vertical_mark(x, mark, "", bottom)
    return drawing(title, parts, height=STRIP_PX)


def sparkline(title: str, values: Sequence[float]) -> Markup:
    """A dot a value in a cell of a table, from the lowest to the highest; a value that is not finite leaves a gap.

    >>> str(sparkline("folds", [0.5, 0.7])).count("h0")
    2
    """
    width, height = SPARK_PX
    numbers = np.asarray(values, np.float64)
    x, y = axis(np.arange(len(numbers)), 4, width - 4, margin=0), axis(numbers, height - 4, 4, margin=0)
    places = zip(x.place(np.arange(len(numbers))), y.place(numbers), strict=True)
    known = [f"{a:.1f} {b:.1f}" for a, b in places if np.isfinite(b)]
    parts = [Markup('<path class="grid" d="M{}"/>').format("L".join(known))] if known else []
    parts.append(Markup('<path class="dots" d="{}"/>').format(" ".join(f"M{place}h0" for place in known)))
    return drawing(title, parts, width=width, height=height)


def interval_chart(title: str, intervals: Sequence[Interval], x_label: str) -> Markup:
    """A row an interval: its value as a dot, its ends as a bar, and a line where the value would be 0."""
    left = 20 + NAME_PX * max(len(one.name) for one in intervals)
    ends = np.array([[0.0, 0.0], *((one.low, one.high) for one in intervals)])
    x, bottom = axis(ends, left, left + 320), 8 + ROW_PX * len(intervals)
    zero = x.place(0.0).item()
    parts = [Markup('<path class="ideal" d="M{:.1f} 4V{}"/>').format(zero, bottom)]
    bar = Markup(
        '<path class="whisker" d="M{:.1f} {y}H{:.1f}"/><circle class="right" cx="{:.1f}" cy="{y}" r="4"/>'
    )
    for row, one in enumerate(intervals):
        y = 8 + ROW_PX * (row + 0.5)
        parts.append(text(left - 10, y + 3.5, one.name, anchor="end"))
        parts.append(bar.format(*(x.place(at).item() for at in (one.low, one.high, one.value)), y=y))
    parts.append(Markup('<path class="axis" d="M{:.1f} {}H{:.1f}"/>').format(left, bottom, left + 320))
    for tick in x.ticks():
        parts.append(text(x.place(tick).item(), bottom + 14, tick_label(tick), anchor="middle"))
    parts.append(text(left + 160, bottom + 30, x_label, anchor="middle"))
    return drawing(title, parts, width=left + 330, height=bottom + 36)


def _short(value: float) -> float:
    """Two digits, which fit beside a strip."""
    return float(f"{value:.2g}")
