"""Nothing is applied to rows that it was fitted on."""

import numpy as np
import pytest

from compkit.ensemble import cross_fit, crossfit_parts


def test_folds_are_the_parts():
    fold = np.array([3, 0, 0, 3, 7])
    np.testing.assert_array_equal(crossfit_parts(fold, np.zeros(5, dtype=int), None), fold)


@pytest.mark.parametrize("seed", [0, 1])
def test_one_fold_is_divided_by_class(seed):
    targets = np.repeat([0, 1, 2], [50, 30, 20])
    parts = crossfit_parts(np.zeros(100, dtype=int), targets, None, seed)
    counts = np.array([np.bincount(targets[parts == part], minlength=3) for part in range(5)])
    np.testing.assert_array_equal(counts, [[10, 6, 4]] * 5)


def some_targets(kind, rows=60):
    rng = np.random.default_rng(0)
    return {
        "classes": rng.integers(3, size=rows),
        "labels": (rng.random((rows, 4)) < 0.3).astype(float),
        "numbers": rng.normal(size=(rows, 2)),
        "rare": np.arange(rows),  # no class has rows for five parts
    }[kind]


@pytest.mark.parametrize("kind", ["classes", "labels", "numbers", "rare"])
@pytest.mark.parametrize("grouped", [False, True])
def test_one_fold_of_any_task_keeps_groups(kind, grouped):
    groups = np.arange(60) // 3 if grouped else None
    parts = crossfit_parts(np.full(60, 2), some_targets(kind), groups)
    assert sorted(set(parts)) == [0, 1, 2, 3, 4] and np.bincount(parts).min() >= 6
    if groups is not None:
        assert all(len(set(parts[groups == group])) == 1 for group in set(groups))


def test_few_rows_make_fewer_parts_and_one_makes_none():
    assert len(set(crossfit_parts(np.zeros(3, dtype=int), np.zeros(3, dtype=int), None))) == 3
    with pytest.raises(ValueError, match=r"1 group\(s\): too few to fit"):
        crossfit_parts(np.zeros(4, dtype=int), np.zeros(4, dtype=int), np.array(["a"] * 4))


def test_every_row_is_predicted_once_without_itself():
    rng = np.random.default_rng(0)
    parts, x = rng.integers(4, size=50), rng.normal(size=(50, 2))
    seen = []

    def fit(rows):
        seen.append(set(rows.tolist()))
        return x[rows].sum(axis=0)

    values, fitted = cross_fit(fit, lambda total, rows: x[rows] + total, parts)
    want = np.array([x[row] + x[parts != parts[row]].sum(axis=0) for row in range(50)])
    np.testing.assert_allclose(values, want)
    assert sorted(fitted) == [0, 1, 2, 3]
    for part, rows in zip(fitted, seen, strict=True):
        assert rows == set(np.flatnonzero(parts != part).tolist())
