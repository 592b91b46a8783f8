import re
from xml.etree import ElementTree

import numpy as np

from compkit.report.plots import Line
from compkit.report.strips import Interval, interval_chart, sparkline, stacked, strip

NASTY = "<b>&\"'"
EPOCHS = np.arange(5.0)


def test_each_is_xml_with_its_title():
    charts = [
        strip(NASTY, Line(NASTY, EPOCHS, EPOCHS), mark=2),
        strip(NASTY, Line(NASTY, EPOCHS, EPOCHS * np.nan)),
        strip(NASTY, Line(NASTY, EPOCHS, EPOCHS * 0 + 1)),
        sparkline(NASTY, [0.5, float("nan"), 0.7]),
        sparkline(NASTY, [float("nan")]),
        sparkline(NASTY, []),
        interval_chart(NASTY, [Interval(NASTY, 0.1, -0.1, 0.3)], NASTY),
    ]
    for chart in charts:
        assert ElementTree.fromstring(str(chart)).findtext("title") == NASTY
        assert "nan" not in str(chart)
    assert str(stacked(charts)).count("<svg") == len(charts)


def test_a_higher_score_lies_higher_and_one_not_known_is_left_out():
    places = re.findall(r"M([\d.]+) ([\d.]+)h0", str(sparkline("folds", [0.2, float("nan"), 0.9, 0.5])))
    assert len(places) == 3
    assert float(places[0][1]) > float(places[2][1]) > float(places[1][1])


def test_an_interval_holds_its_value_and_zero_has_a_line():
    svg = str(interval_chart("gain", [Interval("a", 0.1, -0.1, 0.3), Interval("b", -1, -2, -0.5)], "gain"))
    zero = float(re.findall(r'class="ideal" d="M([\d.]+)', svg)[0])
    bars = [
        (float(a), float(b)) for a, b in re.findall(r'class="whisker" d="M([\d.]+) [\d.]+H([\d.]+)"', svg)
    ]
    dots = [float(x) for x in re.findall(r'cx="([\d.]+)"', svg)]
    assert all(low < dot < high for (low, high), dot in zip(bars, dots, strict=True))
    assert bars[0][0] < zero < bars[0][1] and bars[1][1] < zero
