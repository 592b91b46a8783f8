"""Who labels what: no model its own pictures, no fold another one's; and what that is good for."""

import itertools
import math

import numpy as np
import pytest

from compkit.semi import (
    Selection,
    best_round,
    gains,
    has_stalled,
    label_round,
    split_into_parts,
    teachers_of_rounds,
)
from compkit.types import Table, Task


@pytest.mark.parametrize("rounds, parts", list(itertools.product(range(1, 8), range(2, 6))))
def test_no_label_comes_from_a_model_that_learnt_from_the_picture(rounds, parts):
    schedule = teachers_of_rounds(rounds, parts)
    learnt = [set(), *(set(one) for one in schedule)]  # round 0 knows no part
    assert len(schedule) == rounds and learnt[-1] == set(range(parts))
    for number, teachers in enumerate(schedule, start=1):
        assert teachers
        for part, teacher in teachers.items():
            assert 0 <= teacher < number and part not in learnt[teacher]
            # and it is the latest such model
            assert all(part in learnt[later] for later in range(teacher + 1, number))
    for before, after in itertools.pairwise(learnt[:-1]):  # each early round hears the one before it
        assert not before & after


def test_parts_hang_on_id_and_seed_alone():
    ids = np.array([f"{number:05d}" for number in range(1000)])
    part = split_into_parts(ids, 3, seed=1)
    assert (np.bincount(part, minlength=3) > 280).all()
    order = np.random.default_rng(0).permutation(1000)[:500]
    np.testing.assert_array_equal(split_into_parts(ids[order], 3, seed=1), part[order])
    assert (split_into_parts(ids, 3, seed=2) != part).mean() > 0.5


def test_gains_and_when_to_stop():
    assert gains([0.5, 0.75, 0.625, 1.0], True) == [0.25, -0.125, 0.25]
    assert gains([1.0, 0.75, 0.875], False) == [0.25, -0.125]
    assert not has_stalled([0.5], True) and not has_stalled([0.5, 0.75], True)
    assert has_stalled([0.5, 0.75], True, min_gain=0.25) and not has_stalled([0.5, 0.75], True, min_gain=0.2)
    assert has_stalled([0.5, 0.4, 0.45], True, patience=2) and not has_stalled(
        [0.5, 0.4, 0.55], True, patience=2
    )
    assert has_stalled([0.5, math.nan], True)  # a score that cannot be computed gains nothing
    assert best_round([0.5, 0.75, 0.75], True) == 1 and best_round([0.5, 0.25, 0.75], False) == 1
    assert best_round([0.5, math.nan], True) == 0


# -- labels that are noise, pictures that come twice: a model can only be right by knowing the label --

ROWS, CLASSES, FOLDS = 400, 10, 5


class Memory:
    """A model that knows by heart: what it was told of a picture, or of the nearest one it has seen (1-NN)."""

    def __init__(self, pictures, labels):
        self.pictures, self.labels = pictures, labels

    def predict(self, pictures):
        nearest = np.abs(pictures[:, None] - self.pictures[None]).argmin(axis=1)
        return np.eye(CLASSES, dtype=np.float32)[self.labels[nearest]]


def run_rounds(rounds, parts, predict_for_fold):
    """Out-of-fold accuracy of the last round on random labels, where each unlabelled picture is a labelled one's twin.

    predict_for_fold(models of one round, fold, pictures) says who labels for the student of a fold.
    """
    rng = np.random.default_rng(0)
    pictures = rng.permutation(ROWS) * 10.0
    labels, fold = rng.integers(0, CLASSES, ROWS), np.arange(ROWS) % FOLDS
    twins = pictures + 1
    table = Table(np.arange(ROWS).astype(str), np.arange(ROWS).astype("S")[:, None], None)
    part = split_into_parts(table.ids, parts)
    labelled = {k: labels[fold != k] for k in range(FOLDS)}
    models = [[Memory(pictures[fold != k], labels[fold != k]) for k in range(FOLDS)]]
    for teachers in teachers_of_rounds(rounds, parts):
        found = label_round(
            table, part, teachers, lambda number, k: predict_for_fold(models[number], k, twins), labelled,
            Task.MULTICLASS, Selection(), 0.5, seed=0, truth=labels,
        )  # fmt: skip
        students = []
        for k in range(FOLDS):
            mine = found.pseudo.of_student(k)
            seen = np.concatenate([pictures[fold != k], twins[mine.ids.astype(int)]])
            told = np.concatenate([labels[fold != k], mine.labels.argmax(axis=1)])
            students.append(Memory(seen, told))
        models.append(students)
    right = [models[-1][fold[row]].predict(pictures[[row]]).argmax() == labels[row] for row in range(ROWS)]
    return np.mean(right)


@pytest.mark.parametrize("rounds", [1, 2, 3])
def test_random_labels_stay_random_out_of_fold_and_a_mean_over_folds_would_leak(rounds):
    honest = run_rounds(rounds, 2, lambda models, k, twins: models[k].predict(twins))
    naive = run_rounds(
        rounds, 2, lambda models, k, twins: np.mean([one.predict(twins) for one in models], axis=0)
    )
    chance, spread = 1 / CLASSES, math.sqrt(0.1 * 0.9 / ROWS)
    assert abs(honest - chance) < 3 * spread
    assert naive > 0.9


def test_labels_come_from_the_student_s_own_fold_and_the_round_of_the_part():
    table = Table(np.array(list("abcdef")), np.array(list("abcdef"), dtype="S")[:, None], None)
    part = np.array([0, 1, 2, 0, 1, 2])

    def predict(number, fold):  # a value that tells who said it
        return np.full((6, 1), 10 * number + fold, dtype=np.float32)

    labelled = {fold: np.zeros((4, 1), dtype=np.float32) for fold in (0, 1, 3)}
    found = label_round(
        table, part, {0: 2, 2: 1}, predict, labelled, Task.REGRESSION, Selection(), None, seed=0
    )
    who = {
        (id, fold): value
        for id, fold, value in zip(
            found.pseudo.ids, found.pseudo.student, found.pseudo.labels[:, 0], strict=True
        )
    }
    assert who == {(id, fold): 10 * (2 if id in "ad" else 1) + fold for id in "adcf" for fold in (0, 1, 3)}
    assert found.kept() == {0: 4, 1: 4, 3: 4}
    assert math.isnan(found.expected_accuracy) and math.isnan(found.true_accuracy)


def test_a_cap_is_shared_by_teachers_as_later_ones_are_surer():
    ids = np.arange(90).astype(str)
    table = Table(ids, ids.astype("S")[:, None], None)
    part = np.repeat([0, 1], [30, 60])
    surer = {1: np.array([0.99, 0.01], np.float32), 0: np.array([0.6, 0.4], np.float32)}
    found = label_round(
        table, part, {0: 1, 1: 0}, lambda number, fold: np.tile(surer[number], (90, 1)), {0: np.zeros(10, np.int64)},
        Task.MULTICLASS, Selection(max_share=3), 0.5, seed=0,
    )  # fmt: skip
    assert np.bincount(part[found.pseudo.ids.astype(int)]).tolist() == [10, 20]


def test_accuracies_are_of_the_kept_labels_alone():
    table = Table(np.array(list("abcd")), np.array(list("abcd"), dtype="S")[:, None], None)
    values = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.45, 0.55]], dtype=np.float32)
    found = label_round(
        table, np.zeros(4, dtype=np.int64), {0: 0}, lambda number, fold: values, {0: np.array([0, 1])},
        Task.MULTICLASS, Selection(), 0.7, seed=0, truth=np.array([0, 0, 0, 0]),
    )  # fmt: skip
    assert found.pseudo.ids.tolist() == ["a", "b"] and found.true_accuracy == 0.5
    assert found.expected_accuracy == pytest.approx(0.85) and len(found.sure[0]) == 4
    nothing = label_round(
        table, np.zeros(4, dtype=np.int64), {0: 0}, lambda number, fold: values, {0: np.array([0, 1])},
        Task.MULTICLASS, Selection(), 0.99, seed=0,
    )  # fmt: skip
    assert nothing.kept() == {0: 0} and math.isnan(nothing.expected_accuracy)
