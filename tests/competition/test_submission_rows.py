"""Cells that are an id and a class at once."""

import numpy as np
import pandas as pd
import pytest

from compkit.competition.submission_rows import read_rows, splits


@pytest.mark.parametrize("joint", ["_", "__", "/", " ", "-x-"])
@pytest.mark.parametrize("pattern", ["{id}JOINT{class}", "{class}JOINT{id}", "pre_{id}JOINT{class}.png"])
def test_any_id_and_any_class_come_apart_again(joint, pattern, tmp_path):
    """Ids and classes may hold the joint themselves; the known classes decide."""
    ids, names = (
        [f"a{joint}7", "007", f"{joint}x", "b.c"],
        ["cat", f"polar{joint}cat", f"cat{joint}fish", "ü"],
    )
    pattern = pattern.replace("JOINT", joint)
    pairs = [(id_, name) for id_ in ids for name in names]
    cells = [pattern.replace("{id}", id_).replace("{class}", name) for id_, name in pairs]
    for cell, pair in zip(cells, pairs, strict=True):
        assert pair in list(splits(cell, pattern, set(names)))
    rows = read_rows(pd.DataFrame({"id": cells}), tmp_path, "id", pattern, names=names)
    assert list(zip(rows.ids.tolist(), [names[place] for place in rows.places], strict=True)) == pairs
    assert rows.subjects.tolist() == ids and rows.keys.tolist() == cells


def test_the_longest_class_wins():
    assert list(splits("1_b_a", "{id}_{class}", {"a", "b_a"})) == [("1", "b_a"), ("1_b", "a")]
    assert list(splits("a_b_1", "{class}_{id}", {"a", "a_b"})) == [("1", "a_b"), ("b_1", "a")]
    assert not list(splits("1_c", "{id}_{class}", {"a"})) and not list(splits("_a", "{id}_{class}", {"a"}))


def test_a_row_an_id(tmp_path):
    frame = pd.DataFrame({"file": ["x/1.jpg", "x/02.jpg"]})
    rows = read_rows(frame, tmp_path, "file", "x/{id}.jpg")
    assert rows.ids.tolist() == ["1", "02"] and rows.keys.tolist() == ["x/1.jpg", "x/02.jpg"]
    assert rows.places is None and np.array_equal(rows.subjects, rows.ids)
