"""The charts of a report, each a self-contained SVG element that follows the page's colours."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from compkit.report.analysis import Reliability
from compkit.report.svg import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    drawing,
    frame,
    text,
    x_axis,
    y_axis,
)

MAX_POINTS = 2000  # of a line or a cloud; more would not be seen
MAX_LINES = 6  # named ones in a chart, as the page has so many colours
ROW_PX = 14  # of a legend
MAX_NAME = 16  # characters of a class name beside a heat map


class Line(NamedTuple):
    """A named curve."""

    name: str
    x: np.ndarray  # [N]
    y: np.ndarray  # [N]; gaps where it is not finite
    faint: bool = False  # one of many that show a spread: thin, and not named


def line_chart(
    title: str,
    lines: Sequence[Line],
    mark: float | None = None,
    log: bool = False,
    x_label: str = "epoch",
    mark_label: str = "best epoch",
    log_x: bool = False,
    band: tuple[int, int] | None = None,
    y_label: str = "",
) -> Markup:
    """Curves over epochs, or over something else.

    Args:
        title: read out, and shown under the pointer.
        lines: up to `MAX_LINES` and any number of faint ones, told apart by colour and dash, named above the chart.
        mark: the best epoch, or another position, pointed out with a vertical line.
        log: a logarithmic axis, if all values are positive and span more than a factor of ten.
        x_label: what the lines run over.
        mark_label: what the mark means.
        log_x: a logarithmic horizontal axis.
        band: positions of two lines of equal length; the room between them is shaded.
        y_label: what the lines show, where their names do not say it.
    """
    lines = [Line(line.name, *_thin(line.x, line.y), line.faint) for line in lines]
    values = np.concatenate([line.y for line in lines])
    values = values[np.isfinite(values)]
    log = log and bool(len(values) and values.min() > 0 and values.max() > 10 * values.min())
    x = x_axis(np.concatenate([line.x for line in lines]), log_x)._replace(whole=x_label == "epoch")
    y = y_axis(values, log)
    parts = [frame(x, y, x_label)]
    if log:
        parts.append(text(LEFT - 6, 14.5, "log", anchor="end"))
    if band is not None:
        parts.append(_band(x, y, lines[band[0]], lines[band[1]]))
    if mark is not None:
        parts += vertical_mark(x, mark, f"{mark_label} {mark:.3g}")
    parts += [_curve(x, y, line, "faint") for line in lines if line.faint]
    named = [line for line in lines if not line.faint]
    parts += [_curve(x, y, line, f"c{number}") for number, line in enumerate(named)]
    keys, more = _legend([line.name for line in named])
    if y_label:
        parts.append(text(LEFT + 4, HEIGHT - BOTTOM - 6, y_label))
    plot = Markup('<g transform="translate(0 {})">{}</g>').format(more, Markup("").join(parts))
    return drawing(title, [plot, keys], height=HEIGHT + more)


def vertical_mark(x: Axis, at: float, words: str, bottom: float = HEIGHT - BOTTOM) -> list[Markup]:
    """A vertical line at a position of the horizontal axis, its words beside it where there is room."""
    place = x.place(at).item()
    is_left = place < (x.start + x.end) / 2
    line = Markup('<path class="mark" d="M{:.1f} {}V{}"/>').format(place, TOP, bottom)
    label = text(place + (5 if is_left else -5), TOP + 9, words, anchor="start" if is_left else "end")
    return [line, label] if words else [line]


def scatter(title: str, truth: np.ndarray, predicted: np.ndarray) -> Markup:
    """Prediction over truth, and the diagonal of perfect answers; at most `MAX_POINTS` points."""
    order = np.argsort(truth, kind="stable")
    truth, predicted = _thin(truth[order], predicted[order])
    both = np.concatenate([truth, predicted])
    x, y = x_axis(both), y_axis(both)
    ends = np.array([max(x.low, y.low), min(x.high, y.high)])
    (x0, x1), (y0, y1) = x.place(ends), y.place(ends)
    dots = " ".join(f"M{a:.1f} {b:.1f}h0" for a, b in zip(x.place(truth), y.place(predicted), strict=True))
    parts = [
        frame(x, y, "truth"),
        text(LEFT, 14.5, "prediction"),
        Markup('<path class="ideal" d="M{:.1f} {:.1f}L{:.1f} {:.1f}"/>').format(x0, y0, x1, y1),
        Markup('<path class="dots" d="{}"/>').format(dots),
    ]
    return drawing(title, parts)


def histogram(title: str, values: np.ndarray, x_label: str, bins: int = 31) -> Markup:
    """How often values [N] fall into bins of equal width."""
    counts, edges = np.histogram(values, bins=bins)
    x, y = x_axis(edges), y_axis(np.array([0.0, counts.max() * 1.02]))
    y = y._replace(low=0.0)
    bars = [
        _bar(x, y, left, right, count, f"{left:.3g} to {right:.3g}: {count}")
        for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True)
        if count
    ]
    return drawing(title, [frame(x, y, x_label), text(LEFT, 14.5, "count"), *bars])


def reliability_diagram(title: str, bins: Reliability) -> Markup:
    """What share came true over the predicted probability; on the diagonal is calibrated."""
    x, y = Axis(0, 1, LEFT, WIDTH - RIGHT), Axis(0, 1, HEIGHT - BOTTOM, TOP)
    parts = [frame(x, y, "predicted probability"), text(LEFT, 14.5, "share that was true")]
    for confidence, frequency, count in zip(bins.confidence, bins.frequency, bins.predictions, strict=True):
        about = f"predicted {confidence:.3f}, true {frequency:.3f}, {count} predictions"
        parts.append(_bar(x, y, confidence - 0.025, confidence + 0.025, frequency, about))
    parts.append(
        Markup('<path class="ideal" d="M{} {}L{} {}"/>').format(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, TOP)
    )
    return drawing(title, parts)


def heat_map(title: str, counts: np.ndarray, names: Sequence[str]) -> Markup:
    """Counts [C, C] as a grid, truth down and prediction across, shaded by the share of the row.

    Cells carry their count as text up to 20 classes, and under the pointer always.
    """
    short = [name if len(name) <= MAX_NAME else name[: MAX_NAME - 1] + "…" for name in names]
    cell = 30 if len(names) <= 20 else 14
    margin = 26 + 6.4 * max(len(name) for name in short)
    share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    parts = [text(4, 12, "truth down, prediction across")]
    for row, name in enumerate(short):
        middle = margin + (row + 0.5) * cell
        parts.append(text(margin - 6, middle + 3.5, name, anchor="end"))
        turned = Markup('<text class="label" transform="translate({:.1f} {:.1f}) rotate(-60)">{}</text>')
        parts.append(turned.format(middle + 3, margin - 6, name))
    square = Markup('<rect class="{}" x="{:.1f}" y="{:.1f}" width="{}" height="{}" fill-opacity="{:.2f}">')
    for row, column in np.argwhere(counts):
        x, y = margin + column * cell, margin + row * cell
        kind, strength = ("right", "wrong")[int(row != column)], 0.12 + 0.88 * share[row, column]
        about = f"{names[row]} called {names[column]}: {counts[row, column]} ({share[row, column]:.1%})"
        parts.append(square.format(kind, x, y, cell - 1, cell - 1, strength))
        parts.append(Markup("<title>{}</title></rect>").format(about))
        if cell == 30:
            kind = "count strong" if strength > 0.55 else "count"
            parts.append(text(x + (cell - 1) / 2, y + cell / 2 + 3, str(counts[row, column]), "middle", kind))
    size = margin + len(names) * cell
    parts.append(
        Markup('<path class="axis" d="M{0:.1f} {0:.1f}H{1:.1f}V{1:.1f}H{0:.1f}Z"/>').format(margin, size)
    )
    return drawing(title, parts, width=size + 30, height=size + 4)


def _thin(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Every n-th point and the last, so that at most `MAX_POINTS` stay."""
    step = max(1, math.ceil(len(x) / (MAX_POINTS - 1)))
    kept = np.unique([*range(0, len(x), step), *range(len(x))[-1:]]).astype(np.int64)
    return np.asarray(x, dtype=np.float64)[kept], np.asarray(y, dtype=np.float64)[kept]


def _legend(names: Sequence[str]) -> tuple[Markup, float]:
    """Names beside pieces of their lines, in as many rows as they need; how much height the further rows take."""
    at, row, parts = float(LEFT), 0, []
    for number, name in enumerate(names):
        width = 34 + 6 * len(name)
        if at > LEFT and at + width > WIDTH:
            at, row = float(LEFT), row + 1
        y = 11 + ROW_PX * row
        parts.append(Markup('<path class="line c{}" d="M{:.1f} {}h16"/>').format(number, at, y))
        parts.append(text(at + 21, y + 3.5, name))
        at += width
    return Markup("").join(parts), ROW_PX * row


def _band(x: Axis, y: Axis, first: Line, second: Line) -> Markup:
    """The room between two lines, shaded, where both have values."""
    both = np.isfinite(first.y) & np.isfinite(second.y)
    across, up, down = x.place(first.x[both]), y.place(first.y[both]), y.place(second.y[both])
    there = [f"{a:.1f} {b:.1f}" for a, b in zip(across, up, strict=True)]
    back = [f"{a:.1f} {b:.1f}" for a, b in zip(across[::-1], down[::-1], strict=True)]
    return Markup('<path class="band" d="M{}Z"/>').format("L".join(there + back)) if there else Markup("")


def _curve(x: Axis, y: Axis, line: Line, kind: str) -> Markup:
    """The line, interrupted where it has no finite value; a lone point is drawn as a dot."""
    drawn = np.isfinite(line.y)
    steps, joined = [], False
    for a, b, here in zip(x.place(line.x), y.place(np.where(drawn, line.y, y.high)), drawn, strict=True):
        if here:
            steps.append(f"{'L' if joined else 'M'}{a:.1f} {b:.1f}" + ("" if joined else "h0"))
        joined = bool(here)
    return Markup('<path class="line {}" d="{}"/>').format(kind, " ".join(steps))


def _bar(x: Axis, y: Axis, left: float, right: float, height: float, about: str) -> Markup:
    start, end = np.clip(x.place(np.array([left, right])), LEFT, WIDTH - RIGHT)
    top, bottom = y.place(np.array([height, 0.0]))
    bar = '<rect class="bar" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"><title>{}</title></rect>'
    return Markup(bar).format(start + 0.5, top, max(end - start - 1, 0.5), bottom - top, about)
