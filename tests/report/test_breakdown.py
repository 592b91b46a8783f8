import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics as sk

from compkit.report.breakdown import LEAST_ROWS, classes, groups
from compkit.report.section import number
from compkit.results import OutOfFold
from compkit.types import Task

RNG = np.random.default_rng(0)


def multiclass(rows=300, count=4, accuracy=0.7):
    targets = RNG.integers(count, size=rows)
    answers = np.where(RNG.random(rows) < accuracy, targets, RNG.integers(count, size=rows))
    names = tuple(f"class {index}" for index in range(count))
    ids = np.array([f"{row}" for row in range(rows)], dtype=object)
    return OutOfFold(Task.MULTICLASS, ids, np.arange(rows) % 3, targets, np.eye(count)[answers], names)


def test_each_class_has_its_shares_and_their_intervals():
    oof = multiclass()
    answers = oof.values.argmax(1)
    precision, recall, f1, support = sk.precision_recall_fscore_support(oof.targets, answers)
    rows = classes(oof).tables[0].rows
    for at, row in enumerate(rows[:-1]):
        want = stats.binomtest(round(recall[at] * support[at]), int(support[at])).proportion_ci(
            method="wilson"
        )
        assert row[1] == support[at]
        assert [float(row[2]), float(row[4]), float(row[6])] == pytest.approx(
            [precision[at], recall[at], f1[at]]
        )
        assert str(row[5]) == f"{number(want.low)} to {number(want.high)}"
    assert float(rows[-1][6]) == pytest.approx(f1.mean())


def test_of_many_classes_the_worst_and_the_best_are_shown():
    oof = multiclass(rows=2000, count=200)
    worst, best = classes(oof).tables
    f1 = sk.f1_score(oof.targets, oof.values.argmax(1), average=None)
    assert len(worst.rows) == 31 and len(best.rows) == 30
    assert [float(row[6]) for row in worst.rows[:-1]] == pytest.approx(np.sort(f1)[:30].tolist())
    assert [float(row[6]) for row in best.rows] == pytest.approx(np.sort(f1)[::-1][:30].tolist())


def folds_of(oof, names):
    return pd.DataFrame({"id": oof.ids.astype(str), "fold": oof.fold, "group": names})


def test_groups_are_ordered_by_what_they_get_wrong():
    oof = multiclass()
    names = np.array([f"g{row % 7}" for row in range(300)])
    [section] = groups(oof, folds_of(oof, names))
    wrong = pd.Series(oof.values.argmax(1) != oof.targets).groupby(names).mean().sort_values(ascending=False)
    rows = section.tables[0].rows
    assert [float(row[2]) for row in rows[:-1]] == pytest.approx(wrong.tolist())
    assert rows[-1][0] == "all rows" and rows[-1][1] == 300


def test_groups_of_regression_have_bootstrap_intervals_that_hold_their_mean():
    truth = RNG.normal(size=(80, 1))
    ids = np.array([f"{row}" for row in range(80)], dtype=object)
    oof = OutOfFold(Task.REGRESSION, ids, np.zeros(80, int), truth, truth + RNG.normal(size=(80, 1)), ("y",))
    [section] = groups(oof, folds_of(oof, np.arange(80) % 4))
    for row in section.tables[0].rows:
        low, high = map(float, str(row[3]).split(" to "))
        assert low < float(row[2]) < high


def test_the_group_of_a_subject_is_that_of_its_first_picture():
    oof = multiclass(rows=60)
    pictures = np.array([f"picture {row}" for row in range(60)])
    subjects = OutOfFold(oof.task, oof.ids, oof.fold, oof.targets, oof.values, oof.classes, pictures)
    folds = folds_of(oof, np.arange(60) % 3).assign(id=pictures)
    [section] = groups(subjects, folds)
    assert {row[0] for row in section.tables[0].rows} == {"0", "1", "2", "all rows"}


def test_without_groups_of_several_rows_there_is_no_section():
    oof = multiclass(rows=60)
    assert groups(oof, None) == []
    assert groups(oof, folds_of(oof, None)) == []
    assert groups(oof, folds_of(oof, np.arange(60))) == []
    assert groups(oof, folds_of(oof, np.zeros(60))) == []
    assert len(groups(oof, folds_of(oof, np.arange(60) % (60 // LEAST_ROWS)))) == 1


def test_of_many_groups_the_worst_and_the_best_are_shown():
    oof = multiclass(rows=1000)
    [section] = groups(oof, folds_of(oof, np.arange(1000) // 5))
    assert len(section.tables[0].rows) == 61 and "30 worst" in section.sentences[-1]
