"""Charts with a point a run: CV against LB, and the score against the time it took."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from compkit.report.section import duration, number
from compkit.report.standings import Standing
from compkit.report.svg import LEFT, Axis, drawing, frame, text, x_axis, y_axis

MOST_NUMBERS = 40  # more numbers beside points would lie over each other


def agreement_chart(standings: Sequence[Standing], picked: Sequence[str]) -> Markup | None:
    """CV across, public LB up, for the comparable runs that have both; None for fewer than two.

    Args:
        standings: in the order of the table, whose numbers stand beside the points.
        picked: names of runs in another colour.
    """
    points = [
        (place, one) for place, one in enumerate(standings, start=1) if one.comparable and one.gap is not None
    ]
    if len(points) < 2:
        return None
    x = x_axis(np.array([one.score for _, one in points], dtype=np.float64))
    y = y_axis(np.array([one.public for _, one in points], dtype=np.float64))
    parts = [frame(x, y, f"CV {points[0][1].metric}"), text(LEFT, 14.5, "public LB")]
    low, high = max(x.low, y.low), min(x.high, y.high)
    if low < high:  # where the axes overlap, the line on which both are the same
        (x0, x1), (y0, y1) = x.place(np.array([low, high])), y.place(np.array([low, high]))
        line = Markup('<path class="ideal" d="M{:.1f} {:.1f}L{:.1f} {:.1f}"/>')
        parts.append(line.format(x0, y0, x1, y1))
    dots = [
        (
            place,
            one.score,
            one.public,
            f"{one.name}: CV {number(one.score)}, LB {number(one.public)}",
            one.name,
        )
        for place, one in points
    ]
    return drawing("CV against the public LB", [*parts, *_dots(dots, x, y, picked)])


def time_chart(standings: Sequence[Standing], picked: Sequence[str]) -> Markup | None:
    """Time across, score up; None for fewer than two comparable runs with a time.

    The axis of time is logarithmic from a factor of ten on.

    Args:
        standings, picked: as for `agreement_chart`.
    """
    points = [
        (place, one)
        for place, one in enumerate(standings, start=1)
        if one.comparable and one.score is not None and one.seconds
    ]
    if len(points) < 2:
        return None
    seconds = {one.name: one.seconds or 0.0 for _, one in points}
    least, most = min(seconds.values()), max(seconds.values())
    unit, name = (3600, "hours") if most > 2 * 3600 else (60, "minutes")
    x = x_axis(np.array([*seconds.values()]) / unit, log=most > 10 * least)
    y = y_axis(np.array([one.score for _, one in points], dtype=np.float64))
    parts = [frame(x, y, f"{name} of training"), text(LEFT, 14.5, f"CV {points[0][1].metric}")]
    dots = [
        (
            place,
            seconds[one.name] / unit,
            one.score,
            f"{one.name}: CV {number(one.score)} in {duration(seconds[one.name])}",
            one.name,
        )
        for place, one in points
    ]
    return drawing("Score against training time", [*parts, *_dots(dots, x, y, picked)])


def _dots(
    points: Sequence[tuple[int, float | None, float | None, str, str]],
    x: Axis,
    y: Axis,
    picked: Sequence[str],
) -> list[Markup]:
    """Points (number, across, up, what is said under the pointer, run), with their numbers unless they are many."""
    dot = Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="4"><title>{}</title></circle>')
    parts = []
    for place, across, up, about, name in points:
        assert across is not None and up is not None
        at, height = x.place(across).item(), y.place(up).item()
        parts.append(dot.format("wrong" if name in picked else "right", at, height, about))
        if len(points) <= MOST_NUMBERS:
            parts.append(text(at + 6, height - 5, str(place), kind="count"))
    return parts
