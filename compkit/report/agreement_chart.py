"""The chart of CV against LB, a point a run."""

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup

from compkit.report.section import number
from compkit.report.standings import Standing
from compkit.report.svg import LEFT, drawing, frame, text, x_axis, y_axis

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
    cv = np.array([one.score for _, one in points], dtype=np.float64)
    lb = np.array([one.public for _, one in points], dtype=np.float64)
    x, y = x_axis(cv), y_axis(lb)
    parts = [frame(x, y, f"CV {points[0][1].metric}"), text(LEFT, 14.5, "public LB")]
    low, high = max(x.low, y.low), min(x.high, y.high)
    if low < high:  # where the axes overlap, the line on which both are the same
        (x0, x1), (y0, y1) = x.place(np.array([low, high])), y.place(np.array([low, high]))
        line = Markup('<path class="ideal" d="M{:.1f} {:.1f}L{:.1f} {:.1f}"/>')
        parts.append(line.format(x0, y0, x1, y1))
    dot = Markup('<circle class="{}" cx="{:.1f}" cy="{:.1f}" r="4"><title>{}</title></circle>')
    for (place, one), across, up in zip(points, x.place(cv), y.place(lb), strict=True):
        about = f"{one.name}: CV {number(one.score)}, LB {number(one.public)}"
        parts.append(dot.format("wrong" if one.name in picked else "right", across, up, about))
        if len(points) <= MOST_NUMBERS:
            parts.append(text(across + 6, up - 5, str(place), kind="count"))
    return drawing("CV against the public LB", parts)
