"""Cut points against every division of the sorted rows, scored by scikit-learn."""

import itertools
import warnings

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from compkit.metrics import Accuracy, QuadraticKappa
from compkit.postprocess import CutPoints, best_cuts, expected_grade, grades_of
from compkit.types import Task


def kappa(actual, given, grades):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one grade throughout is 0/0
        return cohen_kappa_score(actual, given, weights="quadratic", labels=list(range(grades)))


def make(rows, grades, seed, decimals=None):
    rng = np.random.default_rng(seed)
    actual = rng.integers(grades, size=rows)
    values = 0.5 * actual + 1 + rng.normal(0, 0.7, rows)
    return actual, values if decimals is None else values.round(decimals)


@pytest.mark.parametrize("rows, grades", [(9, 2), (12, 3), (10, 4)])
@pytest.mark.parametrize("seed, decimals", [(0, None), (1, 0), (2, 1), (3, None)])
def test_the_best_of_all_divisions(rows, grades, seed, decimals):
    actual, values = make(rows, grades, seed, decimals)
    found = kappa(actual, grades_of(values, best_cuts(actual, values, grades)), grades)
    borders = [-np.inf, *np.unique(values)]
    divisions = itertools.combinations_with_replacement(borders, grades - 1)
    scores = [kappa(actual, (values[:, None] > np.array(one)).sum(axis=1), grades) for one in divisions]
    assert found == pytest.approx(np.nanmax(scores), abs=1e-12)


def test_cut_points_rise_and_lie_between_values():
    actual, values = make(500, 6, 4)
    cuts = best_cuts(actual, values, 6)
    assert (np.diff(cuts) >= 0).all() and len(cuts) == 5
    given = grades_of(values, cuts)
    np.testing.assert_array_equal(given, (values[:, None] > cuts).sum(axis=1))
    assert kappa(actual, given, 6) > kappa(actual, np.rint(values).clip(0, 5).astype(int), 6)


def test_grades_that_never_occur_have_their_places():
    actual, values = np.array([2, 2, 3, 3]), np.array([2.0, 2.1, 2.9, 3.2])
    cuts = best_cuts(actual, values, 6)
    assert grades_of(values, cuts).tolist() == [2, 2, 3, 3]
    assert grades_of(np.array([-1.0, 0.9, 9.0]), cuts).tolist() == [0, 1, 5]
    assert np.isfinite(cuts).all()


def test_one_grade_teaches_nothing():
    assert best_cuts(np.ones(4), np.arange(4.0), 3).tolist() == [0.5, 1.5]


def test_every_value_equal():
    cuts = best_cuts(np.array([0, 1, 2, 1]), np.full(4, 0.7), 3)
    assert len(np.unique(grades_of(np.full(4, 0.7), cuts))) == 1


@pytest.mark.parametrize("label_range", [None, [1, 6]])
def test_regression_gives_whole_grades_by_column(label_range):
    actual, values = make(300, 5, 5)
    targets = np.column_stack([actual + 1.0, 5.0 - actual])
    predictions = np.column_stack([values, -values]).astype(np.float32)
    metric, method = QuadraticKappa(label_range), CutPoints()
    learned = method.fit(targets, predictions, metric)
    graded = method.apply(predictions, learned)
    assert set(np.unique(graded)) <= {1, 2, 3, 4, 5, 6}
    want = np.mean(
        [
            cohen_kappa_score(*pair, weights="quadratic")
            for pair in zip(targets.T.astype(int), graded.T.astype(int), strict=True)
        ]
    )
    assert metric(targets, graded) == pytest.approx(want) and want > metric(targets, predictions)
    assert next(iter(method.describe(learned, ("a", "b")))) == "a: 1 to 2"


def test_a_classifier_gives_the_grade_of_its_mean():
    rng = np.random.default_rng(6)
    targets = rng.integers(4, size=300)
    values = rng.dirichlet(np.ones(4), 300) + 0.4 * np.eye(4)[targets]
    method, metric = CutPoints(), QuadraticKappa()
    learned = method.fit(targets, values, metric)
    called = method.apply(values, learned)
    np.testing.assert_allclose(
        expected_grade(values), (values / values.sum(axis=1, keepdims=True)) @ np.arange(4)
    )
    np.testing.assert_array_equal(
        called.argmax(axis=1), grades_of(expected_grade(values), np.array(learned["cut_points"][0]))
    )
    assert called.sum(axis=1).tolist() == [1.0] * 300
    assert metric(targets, called) >= metric(targets, values)
    assert list(method.describe(learned, tuple("abcd"))) == [
        "grade: 0 to 1",
        "grade: 1 to 2",
        "grade: 2 to 3",
    ]


def test_other_metrics_are_refused():
    with pytest.raises(ValueError, match=r"postprocess=cut_points: .*accuracy.*class_weights"):
        CutPoints().check(Task.MULTICLASS, Accuracy())
    CutPoints().check(Task.REGRESSION, QuadraticKappa())
