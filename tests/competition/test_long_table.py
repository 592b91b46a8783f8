from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from compkit.competition.long_table import class_sets, class_values, first_rows, require_one_class

PATH = Path("train.csv")


def test_values_are_those_of_a_pivot():
    rng = np.random.default_rng(0)
    pairs = [(f"{id_}", f"{name}") for id_ in range(20) for name in range(12)]
    order = rng.permutation(len(pairs))
    frame = pd.DataFrame([pairs[place] for place in order], columns=["id", "class"])
    frame["value"] = rng.integers(0, 100, len(frame)).astype(str)
    wide = class_values(*(frame[name].to_numpy(dtype=str) for name in frame), PATH)
    want = frame.pivot(index="id", columns="class", values="value").loc[frame["id"].unique()]
    assert list(wide.columns) == [str(name) for name in range(12)]
    assert (wide.to_numpy() == want[wide.columns].to_numpy()).all()


def test_two_rows_for_an_id_and_class():
    with pytest.raises(ValueError, match=r"1 pairs of id and class have several rows: \('a', 'x'\)"):
        class_values(np.array(["a", "a", "b"]), np.array(["x", "x", "x"]), np.array(["0", "1", "1"]), PATH)


def test_needed_column_must_be_the_same_for_an_image():
    frame = pd.DataFrame({"id": ["b", "a", "b"], "patient": ["p", "q", "r"], "site": ["x", "y", "x"]})
    ids = frame["id"].to_numpy(dtype=str)
    assert first_rows(frame, ids, ["site"], PATH).to_dict("list") == {"id": ["b", "a"], "site": ["x", "y"]}
    with pytest.raises(ValueError, match=r"column 'patient' differs among the rows of 1 ids: 'b'"):
        first_rows(frame, ids, ["patient"], PATH)


def test_rows_that_say_nothing_add_nothing():
    ids = np.array(list("aabbc"))
    cells = class_sets(ids, np.array(["", "cat", "none", "none", "nan"]), "none")
    assert cells == ["cat", "none", "nan"]


def test_two_classes_where_one_is_meant():
    cells = class_sets(np.array(["a", "a", "b"]), np.array(["cat", "dog", "dog"]), "")
    with pytest.raises(ValueError, match=r"1 ids have rows of different classes: 'a'.*task=multilabel"):
        require_one_class(cells, ["a", "b"], PATH)
