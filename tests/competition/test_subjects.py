from pathlib import Path

import numpy as np
import pytest

from compkit.competition.subjects import limit_subjects, require_one_group, require_one_label, subject_order

PATH = Path("train.csv")


def test_subjects_lie_side_by_side_in_the_order_of_their_first_pictures():
    subjects = np.random.default_rng(0).choice(list("abcdef"), 60)
    order = subject_order(subjects)
    assert sorted(order) == list(range(60))
    seen = list(dict.fromkeys(subjects.tolist()))
    assert subjects[order].tolist() == sorted(subjects.tolist(), key=seen.index)
    for name in seen:  # pictures of a subject keep their order
        assert (np.diff(order[subjects[order] == name]) > 0).all()


@pytest.mark.parametrize("targets", [np.array([1, 0, 2, 0]), np.array([[0, 1.0], [0, 0], [0, 0], [0, 0]])])
def test_differing_labels_name_their_subject(targets):
    with pytest.raises(
        ValueError, match=r"1 subjects have pictures with different labels: 'p'.*subject_column=null"
    ):
        require_one_label(np.array(["p", "q", "p", "q"]), targets, PATH)


def test_subject_in_two_groups_is_named():
    with pytest.raises(ValueError, match=r"1 subjects lie in several groups: 'q'.*group_column"):
        require_one_group(np.array(["p", "q", "p", "q"]), np.array(["x", "x", "x", "y"]), PATH)


@pytest.mark.parametrize("limit", [1, 30, 100, 1000])
def test_limit_takes_whole_subjects_of_every_class(limit):
    subjects = np.repeat([f"s{number}" for number in range(100)], 3)
    targets = np.repeat(np.arange(100) % 4, 3)
    rows = limit_subjects(subjects, targets, limit)
    counts = np.unique(subjects[rows], return_counts=True)[1]
    assert (counts == 3).all() and len(rows) <= max(3, limit)
    assert len(set(targets[rows])) == min(4, max(1, limit // 3))


def test_limit_of_subjects_must_be_a_number():
    with pytest.raises(ValueError, match="limit=0: expected a whole number"):
        limit_subjects(np.array(["a"]), None, 0)
