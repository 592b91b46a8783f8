from pathlib import Path

import numpy as np
import pytest

from compkit.competition.long_ids import split_ids

KEY = "competition.train_ids"


def split(cells, pattern, names=()):
    ids, classes = split_ids(np.array(cells), pattern, names, Path("train.csv"), KEY)
    return ids.tolist(), None if classes is None else classes.tolist()


def test_text_around_ids_is_taken_off():
    assert split(["a/007.png", "a/x.y.png"], "a/{id}.png") == (["007", "x.y"], None)


@pytest.mark.parametrize("names", [(), ("any", "bone")])
def test_last_joint_divides_where_classes_have_none(names):
    cells = ["ID_1_any", "ID_1_bone", "ID_2_any", "ID_2_bone"]
    assert split(cells, "{id}_{class}", names) == (["ID_1", "ID_1", "ID_2", "ID_2"], ["any", "bone"] * 2)


@pytest.mark.parametrize("names", [(), ("any", "bone")])
def test_class_may_come_first(names):
    cells = ["any-1-2", "bone-1-2"]
    assert split(cells, "{class}-{id}", names) == (["1-2", "1-2"], ["any", "bone"])


def test_known_classes_decide_where_an_id_ends():
    names = ["dural", "sub_dural", "a.b"]
    assert split(["ID_1_sub_dural", "ID_1_dural", "ID_1_a.b"], "{id}_{class}", names) == (
        ["ID_1"] * 3,
        ["sub_dural", "dural", "a.b"],
    )


def test_guess_that_cuts_a_class_is_noticed():
    with pytest.raises(
        ValueError, match=r"3 rows for 2 ids with the classes 'bone', 'dural', .*Set competition\.classes"
    ):
        split(["ID_1_sub_dural", "ID_1_dural", "ID_1_bone"], "{id}_{class}")


@pytest.mark.parametrize(
    "cells, pattern, names, message",
    [
        (
            ["1.png", "2.jpg"],
            "{id}.png",
            (),
            r"1 of 2 ids do not look like '\{id\}\.png': '2\.jpg'.*train_ids",
        ),
        (["1_cat", "2"], "{id}_{class}", (), r"1 of 2 ids do not look like"),
        (["1_cat", "1_cow"], "{id}_{class}", ["cat"], r"with one of the classes 'cat': '1_cow'"),
    ],
)
def test_cells_that_do_not_fit(cells, pattern, names, message):
    with pytest.raises(ValueError, match=message):
        split(cells, pattern, names)
