import re
from xml.etree import ElementTree

import numpy as np
import pytest

from compkit.report.analysis import reliability
from compkit.report.plots import (
    MAX_POINTS,
    Line,
    heat_map,
    histogram,
    line_chart,
    reliability_diagram,
    scatter,
)
from compkit.report.svg import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axis, axis

RNG = np.random.default_rng(0)
NASTY = "<b>&\"'"
EPOCHS = np.arange(10.0)


def curve(svg: str, number: int) -> list[tuple[float, float]]:
    """The points drawn for a line."""
    path = re.findall(rf'class="line c{number}" d="([^"]*)"', svg)[0]
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)]


CHARTS = {
    "line": lambda: line_chart(NASTY, [Line(NASTY, EPOCHS, EPOCHS + 1)], mark=3),
    "scatter": lambda: scatter(NASTY, RNG.normal(size=50), RNG.normal(size=50)),
    "histogram": lambda: histogram(NASTY, RNG.normal(size=50), NASTY),
    "reliability": lambda: reliability_diagram(NASTY, reliability(RNG.random(50), RNG.random(50) < 0.5)),
    "heat map": lambda: heat_map(NASTY, np.eye(3, dtype=int), [NASTY] * 3),
}


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS.keys())
def test_chart_is_xml_with_its_title_and_stays_inside(chart):
    svg = str(chart())
    root = ElementTree.fromstring(svg)
    assert root.findtext("title") == NASTY
    assert "nan" not in svg and "inf" not in svg.replace("info", "")
    width, height = (float(number) for number in root.attrib["viewBox"].split()[2:])
    for box in root.iter("rect"):
        x, y, w, h = (float(box.attrib[key]) for key in ("x", "y", "width", "height"))
        assert x >= 0 and x + w <= width and y >= 0 and y + h <= height


def test_points_lie_inside_the_frame_in_order():
    points = curve(str(line_chart("loss", [Line("loss", EPOCHS, 5 - EPOCHS)])), 0)
    assert len(points) == 10
    assert all(LEFT <= x <= WIDTH - RIGHT and TOP <= y <= HEIGHT - BOTTOM for x, y in points)
    assert [y for _, y in points] == sorted(y for _, y in points)  # falling values go down


@pytest.mark.parametrize(
    "values, log", [(10.0**-EPOCHS, True), (10.0**-EPOCHS - 1e-3, False), (1 + EPOCHS / 10, False)]
)
def test_log_scale_only_where_it_makes_sense(values, log):
    svg = str(line_chart("loss", [Line("loss", EPOCHS, values)], log=True))
    assert (">log<" in svg) == log
    assert ">log<" not in str(line_chart("loss", [Line("loss", EPOCHS, values)]))


def test_values_that_are_not_finite_leave_a_gap():
    values = EPOCHS.copy()
    values[[3, 5]] = np.nan, np.inf
    svg = str(line_chart("loss", [Line("loss", EPOCHS, values)]))
    assert len(curve(svg, 0)) == 8
    assert re.findall(r'class="line c0" d="([^"]*)"', svg)[0].count("M") == 3
    assert (
        "M"
        not in re.findall(
            r'c0" d="([^"]*)"', str(line_chart("loss", [Line("loss", EPOCHS, values * np.nan)]))
        )[0]
    )


def test_long_curves_and_clouds_are_thinned():
    many = np.arange(50_000.0)
    assert len(curve(str(line_chart("loss", [Line("loss", many, many)])), 0)) <= MAX_POINTS
    assert str(scatter("cloud", many, many)).count("h0") <= MAX_POINTS


def test_one_epoch_and_constant_values_are_drawn():
    one = np.array([0.0])
    assert len(curve(str(line_chart("loss", [Line("loss", one, one + 2)])), 0)) == 1
    assert "nan" not in str(scatter("constant", np.ones(3), np.ones(3)))
    assert "nan" not in str(histogram("constant", np.zeros(3), "residual"))


def test_heat_map_names_counts_and_shares():
    svg = str(heat_map("confusion", np.array([[3, 1], [0, 4]]), ["cat", "a very long name of a dog"]))
    assert "cat called a very long name of a dog: 1 (25.0%)" in svg
    assert svg.count("<rect") == 3  # a zero is an empty cell
    assert svg.count('class="count') == 3
    assert 'class="count' not in str(
        heat_map("confusion", np.eye(30, dtype=int), [str(n) for n in range(30)])
    )


@pytest.mark.parametrize("low, high", [(0, 1), (-3, 7e5), (0.971, 0.984), (1e-7, 3e-7)])
def test_ticks_are_round_few_and_inside(low, high):
    marks = Axis(low, high, 0, 1).ticks()
    assert 3 <= len(marks) <= 11
    assert all(low - 1e-9 <= mark <= high + 1e-9 for mark in marks)
    steps = np.diff(marks)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-3)


@pytest.mark.parametrize("low, high", [(0.01, 0.2), (1e-9, 1), (0.02, 2.4)])
def test_log_ticks(low, high):
    marks = Axis(low, high, 0, 1, log=True).ticks()
    assert 3 <= len(marks) <= 8
    assert all(low * 0.99 <= mark <= high * 1.01 for mark in marks)


def test_epochs_are_whole_numbers():
    assert Axis(0, 2, 0, 1, whole=True).ticks() == [0, 1, 2]


def test_axis_without_any_finite_value():
    found = axis(np.array([np.nan]), 0, 1)
    assert found.low < found.high
