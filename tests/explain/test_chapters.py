"""The report's chapters from made-up files: names that are HTML, many classes, values, and maps at the border."""

import json
import re

import cv2
import numpy as np
import pandas as pd
import pytest

from compkit.report import write_report
from compkit.report.embeddings import embedding_sections
from compkit.report.explained import explained_sections
from compkit.report.records import read_run

from ..report.conftest import NASTY, write_run


def table(classes, rows, seed=0, wrong=0.2):
    """An embedding.parquet of made-up places."""
    rng = np.random.default_rng(seed)
    which = rng.integers(0, classes, rows)
    names = np.array([NASTY, *(f"class {number}" for number in range(1, classes))], dtype=object)
    called = np.where(rng.random(rows) < wrong, (which + 1) % classes, which)
    ids = np.array([f"{NASTY}{row}" for row in range(rows)], dtype=object)
    places = rng.normal(size=(rows, 2)) + 9 * which[:, None]
    columns = {
        "id": ids,
        "x": places[:, 0],
        "y": places[:, 1],
        "class": names[which],
        "predicted": names[called],
    }
    return pd.DataFrame(columns | {"neighbour": np.roll(ids, 1), "distance": rng.random(rows) + 0.1})


def write_maps(folder, cases=8, border=0.3, corner=0.1):
    """fold_0/explained as the end of a fold leaves it."""
    folder = folder / "fold_0" / "explained"
    folder.mkdir()
    known = []
    for number in range(cases):
        cv2.imwrite(str(folder / f"{number:03d}.jpg"), np.zeros((128, 392, 3), np.uint8))
        known.append(
            {
                "id": f"{NASTY}{number}",
                "fold": 0,
                "output": "a",
                "truth": "b",
                "prediction": "a",
                "probability": 0.9,
            }
            | {"file": f"{number:03d}.jpg", "questions": ["for a, the prediction", "for b, the truth"]}
            | {"border": [border, None], "corner": [corner, None]}
        )
    (folder / "maps.json").write_text(json.dumps({"task": "multiclass", "how": "by hand", "cases": known}))


def dots(chart, colour):
    """How many points a colour has, its legend's among them."""
    return sum(
        path.count("h0") for path in re.findall(rf'stroke:{re.escape(colour)}"[^>]*d="([^"]*)"', str(chart))
    )


@pytest.mark.parametrize(
    "border, corner, odd", [(0.36, 0.0625, False), (0.6, 0.5, False), (0.8, 0.1, True), (0.5, 0.7, True)]
)
def test_maps_at_the_border_are_pointed_out(tmp_path, border, corner, odd):
    folder = write_run(tmp_path / "run")
    write_maps(folder, border=border, corner=corner)
    (looks,) = explained_sections(read_run(folder))
    assert any("Look at the background: 8 of 8" in sentence for sentence in looks.sentences) == odd
    assert len(looks.figures[0].charts) == 8 and "(no region)" in looks.figures[0].charts[0]
    assert NASTY not in "".join(looks.figures[0].charts)


def test_a_few_maps_and_none_with_mass_prove_nothing(tmp_path):
    folder = write_run(tmp_path / "few")
    write_maps(folder, cases=5, border=0.9)
    assert not any("background" in one for one in explained_sections(read_run(folder))[0].sentences)
    folder = write_run(tmp_path / "none")
    write_maps(folder, border=None, corner=None)
    assert "No map has any mass" in explained_sections(read_run(folder))[0].sentences[1]


def test_a_missing_picture_leaves_its_case_out(tmp_path):
    folder = write_run(tmp_path / "run")
    write_maps(folder)
    (folder / "fold_0" / "explained" / "003.jpg").unlink()
    (looks,) = explained_sections(read_run(folder))
    assert len(looks.figures[0].charts) == 7 and "The 7 worst" in looks.sentences[0]
    assert f"The maps of {NASTY}3 are left out" in looks.sentences[-1] and "explain.py" in looks.sentences[-1]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"cases": []}', '{"task": "odd", "how": "", "cases": []}',
                                     '{"task": "multiclass", "how": "", "cases": [{}]}'])  # fmt: skip
@pytest.mark.parametrize("place", ["fold_0/explained", "explained/asked_0"])
def test_damaged_maps_are_named_and_the_page_is_written(tmp_path, place, content):
    folder = write_run(tmp_path / "run")
    (folder / place).mkdir(parents=True)
    (folder / place / "maps.json").write_text(content)
    (section,) = explained_sections(read_run(folder))
    assert "maps.json is damaged" in section.sentences[0] and not section.figures
    assert "maps.json is damaged" in write_report(folder, None).read_text()


def test_every_point_is_drawn_and_wrong_ones_have_a_ring():
    points = table(2, 100)
    (section,) = embedding_sections({0: points})
    chart = section.figures[0].charts[0]
    sizes = [int((points["class"] == name).sum()) for name in sorted(points["class"].unique())]
    assert [dots(chart, colour) - 1 for colour in ("#0072b2", "#e69f00")] == sizes
    assert dots(chart, "var(--mark)") - 1 == (points["class"] != points["predicted"]).sum()
    assert NASTY not in chart and dots(chart, "var(--quiet)") == 0


def test_many_classes_leave_the_others_grey_and_few_bytes():
    points = table(40, 2000, wrong=1.0)
    (section,) = embedding_sections({0: points})
    chart = section.figures[0].charts[0]
    assert len(chart) < 150_000
    coloured = dots(chart, "var(--quiet)") - 1
    assert (
        1200 < coloured < 1600
        and "other (" in chart
        and "the 12 with most mistakes" in section.figures[0].caption
    )


def test_numbers_beside_the_drawing_by_hand():
    points = pd.DataFrame(
        {
            "id": list("abcd"),
            "x": [0.0, 1, 2, 3],
            "y": 0.0,
            "class": ["p", "p", "q", "q"],
            "predicted": ["p", "p", "q", "p"],
        }
        | {"neighbour": list("bacc"), "distance": [0.1, 0.1, 0.1, 0.4]}
    )
    points.loc[2, "neighbour"] = "a"
    (section,) = embedding_sections({3: points})
    assert section.tables[0].rows == [["3", 4, 0.75, 0.5, "p / q (1)"]]
    assert section.tables[1].rows[0] == ["d", "3", "q", "p", pytest.approx(4.0)]


def test_regression_is_coloured_by_value():
    rng = np.random.default_rng(0)
    points = table(2, 50).assign(**{"class": rng.random(50), "predicted": rng.random(50)})
    (section,) = embedding_sections({0: points, 1: points})
    assert [dots(section.figures[0].charts[0], colour) for colour in ("#5b52c8", "#dcb424")] == [11, 11]
    near = points.set_index("id")["class"].loc[points["neighbour"]].to_numpy()
    assert section.tables[0].rows[0][2] == pytest.approx(np.corrcoef(points["class"], near)[0, 1])
    (section,) = embedding_sections({0: points.assign(**{"class": 1.0})})
    assert str(section.tables[0].rows[0][2]) == "n/a"


def test_no_files_no_chapters(tmp_path):
    assert explained_sections(read_run(write_run(tmp_path / "run"))) == [] and embedding_sections({}) == []
