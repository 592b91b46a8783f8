"""Axes and frames of small charts, as SVG inside a page; colours are the page's CSS classes."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

WIDTH, HEIGHT = 420, 230  # of a chart, in SVG units; the page scales it
LEFT, RIGHT, TOP, BOTTOM = 54, 10, 24, 36  # margins around the plotting area


class Axis(NamedTuple):
    """Maps values from low..high to positions from start..end."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False
    whole: bool = False  # ticks at whole numbers only

    def place(self, values: np.ndarray | float) -> np.ndarray:
        """Positions of values.

        >>> Axis(0, 10, 100, 200).place(5.0).item()
        150.0
        """
        low, high, values = self.low, self.high, np.asarray(values, dtype=np.float64)
        if self.log:
            low, high, values = math.log10(low), math.log10(high), np.log10(values)
        return np.asarray(self.start + (values - low) / (high - low) * (self.end - self.start))

    def ticks(self) -> list[float]:
        """Round values within the axis, about five.

        >>> Axis(0, 10, 0, 1).ticks()
        [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
        >>> Axis(0.01, 1, 0, 1, log=True).ticks()
        [0.01, 0.1, 1.0]
        """
        if self.log:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            marks = [digit * 10.0**power for power in powers for digit in (1, 2, 5)]
            marks = [mark for mark in marks if self.low * 0.999 <= mark <= self.high * 1.001]
            decades = [mark for mark in marks if math.log10(mark).is_integer()]
            return marks if len(decades) < 3 else decades[:: math.ceil(len(decades) / 6)]
        rough = (self.high - self.low) / 5
        power = 10.0 ** math.floor(math.log10(rough))
        step = power * min((1, 2, 5, 10), key=lambda digit: abs(digit * power - rough))
        step = max(step, 1.0) if self.whole else step
        count = range(math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9) + 1)
        return [round(index * step, 12) for index in count]


def axis(values: np.ndarray, start: float, end: float, log: bool = False, margin: float = 0.05) -> Axis:
    """The axis that shows all finite values, with a margin at both ends.

    >>> axis(np.array([0.0, 10.0]), 0, 1, margin=0.1)[:2]
    (-1.0, 11.0)
    """
    values = np.asarray(values, dtype=np.float64)
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    if log:
        spread = (high / low) ** margin if high > low else 2.0
        return Axis(low / spread, high * spread, start, end, log=True)
    spread = (high - low) * margin if high > low else max(abs(high), 1.0) * 0.5
    return Axis(low - spread, high + spread, start, end)


def x_axis(values: np.ndarray, log: bool = False) -> Axis:
    """The horizontal axis of a chart."""
    return axis(values, LEFT, WIDTH - RIGHT, log=log, margin=0.02)


def y_axis(values: np.ndarray, log: bool = False) -> Axis:
    """The vertical axis of a chart; SVG counts downwards."""
    return axis(values, HEIGHT - BOTTOM, TOP, log=log)


def frame(x: Axis, y: Axis, x_label: str) -> Markup:
    """Grid lines, tick labels and the name of the horizontal axis."""
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = []
    for tick, at in zip(y.ticks(), y.place(np.array(y.ticks())), strict=True):
        parts.append(Markup('<path class="grid" d="M{} {:.1f}H{}"/>').format(LEFT, at, right))
        parts.append(text(LEFT - 6, at + 3.5, tick_label(tick), anchor="end"))
    for tick, at in zip(x.ticks(), x.place(np.array(x.ticks())), strict=True):
        parts.append(Markup('<path class="tick" d="M{:.1f} {}v4"/>').format(at, bottom))
        parts.append(text(at, bottom + 15, tick_label(tick), anchor="middle"))
    parts.append(Markup('<path class="axis" d="M{} {}H{}"/>').format(LEFT, bottom, right))
    parts.append(text((LEFT + right) / 2, HEIGHT - 5, x_label, anchor="middle"))
    return Markup("").join(parts)


def tick_label(value: float) -> str:
    """A number as one would type it as an override.

    >>> tick_label(1e-7), tick_label(0.001), tick_label(20000.0), tick_label(2e6)
    ('1e-7', '0.001', '20000', '2e6')
    """
    mantissa, has_power, power = f"{value:.5g}".partition("e")
    return f"{mantissa}e{int(power)}" if has_power else mantissa


def text(x: float, y: float, words: str, anchor: str = "start", kind: str = "label") -> Markup:
    """A label, escaped."""
    markup = Markup('<text class="{}" x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>')
    return markup.format(kind, x, y, anchor, words)


def drawing(title: str, parts: Iterable[Markup], width: float = WIDTH, height: float = HEIGHT) -> Markup:
    """A whole SVG element; the title is read out by screen readers and shown under the pointer."""
    markup = Markup(
        '<svg viewBox="0 0 {0:.0f} {1:.0f}" width="{2:.2f}rem" role="img"><title>{3}</title>{4}</svg>'
    )
    return markup.format(width, height, width * 1.25 / 16, title, Markup("").join(parts))
