import warnings

import numpy as np
import pandas as pd
import pytest

from compkit.competition import SCHEMES, make_folds, resolve_scheme
from compkit.types import Table, Task

N, C = 203, 4
RNG = np.random.default_rng(0)
GROUPS = RNG.integers(0, 40, N)
TIMES = RNG.permutation(N).astype(float)
TARGETS = {
    Task.MULTICLASS: RNG.choice(C, N, p=[0.5, 0.3, 0.15, 0.05]),
    Task.MULTILABEL: (RNG.random((N, C)) < [0.5, 0.2, 0.1, 0.05]).astype(np.float32),
    Task.REGRESSION: RNG.lognormal(size=(N, 2)).astype(np.float32),
}
CLASSES = tuple("abcd")


def table_of(targets):
    count = len(targets)
    return Table(np.array([f"{row:04d}" for row in range(count)]), np.zeros((count, 1), "S1"), targets)


def folds_of(scheme, task, folds=5, **options):
    """Folds of the data above, with the columns that the scheme goes by."""
    columns = {"group_column": ("groups", GROUPS), "time_column": ("times", TIMES)}
    columns |= {"fold_column": ("predefined", np.arange(N) % folds), None: ("groups", None)}
    name, values = columns[SCHEMES[scheme].needs]
    return make_folds(table_of(TARGETS[task]), task, folds, scheme, **({name: values} | options))


def labels_of(task):
    """Labels as a 0/1 matrix."""
    return np.eye(C)[TARGETS[task]] if task == Task.MULTICLASS else TARGETS[task]


EVERY = [(scheme, task) for scheme, (tasks, _, _) in SCHEMES.items() for task in tasks]
GROUPED = [
    (scheme, task) for scheme, task in EVERY if SCHEMES[scheme].keeps_groups and scheme != "predefined"
]


@pytest.mark.parametrize("scheme, task", EVERY)
def test_every_row_once_and_reproducible(scheme, task):
    folds = folds_of(scheme, task)
    assert folds.scheme == scheme and folds.fold.dtype == np.int64 and len(folds.fold) == N
    assert folds.num_folds == (1 if scheme == "holdout" else 5)
    never = np.count_nonzero(folds.fold == -1)
    assert sum(len(folds.valid_rows(k)) for k in range(folds.num_folds)) == N - never
    assert (never > 0) == (scheme in ("time", "holdout"))
    for k in range(folds.num_folds):
        assert not set(folds.train_rows(k)) & set(folds.valid_rows(k))
    folds.audit(TARGETS[task], task, CLASSES)
    assert folds.hash == folds_of(scheme, task).hash


@pytest.mark.parametrize("scheme, task", [pair for pair in EVERY if pair[0] not in ("time", "predefined")])
def test_seed_changes_the_folds(scheme, task):
    assert folds_of(scheme, task, seed=0).hash != folds_of(scheme, task, seed=1).hash


@pytest.mark.parametrize("scheme, task", GROUPED)
def test_groups_stay_whole(scheme, task):
    folds = folds_of(scheme, task, groups=GROUPS)
    assert pd.Series(folds.fold).groupby(GROUPS).nunique().max() == 1
    assert folds.groups.tolist() == [str(group) for group in GROUPS]
    folds.audit(TARGETS[task], task, CLASSES)


def test_stratified_balances_classes_to_within_a_row_and_sizes():
    counts = np.array(
        [
            np.bincount(TARGETS[Task.MULTICLASS][folds_of("stratified", Task.MULTICLASS).fold == k])
            for k in range(5)
        ]
    )
    assert np.ptp(counts, axis=0).max() <= 1
    assert np.ptp(counts.sum(axis=1)) <= 1


def test_random_balances_sizes():
    assert np.ptp(np.bincount(folds_of("random", Task.REGRESSION).fold)) <= 1


@pytest.mark.parametrize("scheme", ["multilabel_stratified", "multilabel_stratified_group"])
def test_multilabel_folds_share_each_label(scheme):
    labels = TARGETS[Task.MULTILABEL]
    fold = folds_of(scheme, Task.MULTILABEL).fold
    counts = np.array([labels[fold == k].sum(axis=0) for k in range(5)])
    assert np.abs(counts - labels.sum(axis=0) / 5).max() <= 3
    assert np.abs(np.bincount(fold) - N / 5).max() <= 5


def test_multilabel_groups_beat_random_groups():
    # 300 groups of 1 to 8 rows whose rows agree in a rare label: chance alone tears the counts apart
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(300), rng.integers(1, 9, 300))
    labels = (rng.random((300, 10)) < 0.04)[groups].astype(np.float32)

    def imbalance(fold):
        return np.std([labels[fold == k].sum(axis=0) for k in range(5)], axis=0).mean()

    ours = imbalance(make_folds(table_of(labels), Task.MULTILABEL, 5, groups=groups).fold)
    chance = np.mean([imbalance(rng.integers(0, 5, 300)[groups]) for _ in range(20)])
    assert ours < chance / 4


def test_multilabel_with_one_class():
    labels = (np.arange(40) % 4 == 0).astype(np.float32)[:, np.newaxis]
    folds = make_folds(table_of(labels), Task.MULTILABEL, folds=5)
    assert [int(labels[folds.valid_rows(k)].sum()) for k in range(5)] == [2] * 5


def test_group_scheme_balances_rows():
    assert np.ptp(np.bincount(folds_of("group", Task.REGRESSION).fold)) <= 2


def test_stratified_group_shares_classes():
    targets = TARGETS[Task.MULTICLASS]
    fold = folds_of("stratified_group", Task.MULTICLASS).fold
    share = np.array([np.bincount(targets[fold == k], minlength=C) / np.sum(fold == k) for k in range(5)])
    assert np.abs(share - np.bincount(targets) / N).max() < 0.1


def test_stratified_regression_gives_each_fold_the_whole_range():
    targets = np.random.default_rng(0).lognormal(sigma=2, size=(200, 1)).astype(np.float32)
    folds = make_folds(table_of(targets), Task.REGRESSION, folds=5)
    assert folds.scheme == "stratified_regression"
    twentieths = np.argsort(np.argsort(targets[:, 0])) // 10  # ranks in 20 bins of 10: 2 a fold
    for k in range(5):
        assert np.bincount(twentieths[folds.valid_rows(k)]).tolist() == [2] * 20


def test_stratified_regression_takes_constant_targets():
    folds = make_folds(table_of(np.ones((10, 2), np.float32)), Task.REGRESSION, folds=5)
    assert np.bincount(folds.fold).tolist() == [2] * 5


@pytest.mark.parametrize(
    "times", [TIMES, pd.to_datetime(TIMES, unit="D", utc=True).to_series().to_numpy(object)]
)
def test_time_trains_on_the_past_only(times):
    folds = folds_of("time", Task.MULTICLASS, times=times)
    assert folds.expanding
    assert np.ptp(np.bincount(folds.fold + 1)) <= 1
    for k in range(5):
        assert TIMES[folds.train_rows(k)].max() < TIMES[folds.valid_rows(k)].min()


def test_equal_times_stay_in_one_block():
    days = np.sort(np.random.default_rng(0).integers(0, 30, N))
    folds = folds_of("time", Task.MULTICLASS, times=days)
    assert pd.Series(folds.fold).groupby(days).nunique().max() == 1


def test_time_with_groups_never_trains_on_the_future_or_on_a_validation_group():
    folds = folds_of("time", Task.MULTICLASS, folds=3, times=TIMES, groups=np.arange(N) // 2)
    for k in range(3):
        train, valid = folds.train_rows(k), folds.valid_rows(k)
        assert TIMES[train].max() < TIMES[valid].max()
        assert not set(folds.groups[train]) & set(folds.groups[valid])


@pytest.mark.parametrize(
    "column, want",
    [
        ([0, 1, 2, 0], [0, 1, 2, 0]),
        ([1, 2, 3, -1], [0, 1, 2, -1]),
        ([10.0, 9.0, 11.0, np.nan], [1, 0, 2, -1]),
        (["10", "9", "11", "-1"], [1, 0, 2, -1]),
        (["b", "a", "c", "train"], [1, 0, 2, -1]),
        (["b", "a", "c", ""], [1, 0, 2, -1]),
        (["1", "x", "2", "train"], [0, 2, 1, -1]),
    ],
)
def test_predefined_folds_in_the_order_of_their_names(column, want):
    table = table_of(np.zeros((4, 1), np.float32))
    folds = make_folds(table, Task.REGRESSION, folds=3, predefined=np.array(column))
    assert folds.scheme == "predefined" and folds.fold.tolist() == want


def test_predefined_single_validation_set():
    table = table_of(np.zeros((3, 1), np.float32))
    folds = make_folds(table, Task.REGRESSION, folds=1, predefined=np.array(["train", "val", "train"]))
    assert folds.valid_rows(0).tolist() == [1] and folds.train_rows(0).tolist() == [0, 2]


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.37])
@pytest.mark.parametrize("groups", [None, GROUPS])
@pytest.mark.parametrize("task", Task)
def test_holdout_takes_the_fraction_of_rows_and_labels(task, groups, fraction):
    folds = folds_of("holdout", task, groups=groups, holdout_fraction=fraction)
    assert set(folds.fold) == {-1, 0}
    assert abs(len(folds.valid_rows(0)) - fraction * N) <= (2 if groups is None else 5)
    if task != Task.REGRESSION:
        labels = labels_of(task)
        off = labels[folds.valid_rows(0)].sum(axis=0) - fraction * labels.sum(axis=0)
        assert np.abs(off).max() <= (2 if groups is None else 5)


def test_holdout_of_many_tiny_classes_keeps_its_size():
    folds = make_folds(table_of(np.arange(300) // 2), Task.MULTICLASS, folds=5, scheme="holdout")
    assert len(folds.valid_rows(0)) == 60


def test_rare_classes_do_not_warn():
    targets = np.array([0] * 20 + [1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        folds = make_folds(table_of(targets), Task.MULTICLASS, folds=5)
    assert any(
        "no training rows: 'b" in finding for finding in folds.audit(targets, Task.MULTICLASS, ("a", "b"))
    )


@pytest.mark.parametrize(
    "task, groups, times, predefined, want",
    [
        (Task.MULTICLASS, False, False, False, "stratified"),
        (Task.MULTICLASS, True, False, False, "stratified_group"),
        (Task.MULTILABEL, False, False, False, "multilabel_stratified"),
        (Task.MULTILABEL, True, False, False, "multilabel_stratified_group"),
        (Task.REGRESSION, False, False, False, "stratified_regression"),
        (Task.REGRESSION, True, False, False, "stratified_regression"),
        (Task.MULTICLASS, True, True, False, "time"),
        (Task.MULTICLASS, True, True, True, "predefined"),
    ],
)
def test_auto(task, groups, times, predefined, want):
    assert resolve_scheme("auto", task, groups, times, predefined) == want
    assert resolve_scheme(want, task, groups, times, predefined) == want


@pytest.mark.parametrize(
    "scheme, task, groups, message",
    [
        ("kfold", Task.MULTICLASS, False, "fold_scheme=kfold: expected auto, stratified"),
        ("stratified", Task.MULTILABEL, False, "it is for multiclass, the task is multilabel"),
        ("random", Task.MULTICLASS, True, "tear the groups of competition.group_column apart"),
        ("stratified", Task.MULTICLASS, True, "tear the groups"),
        ("group", Task.MULTICLASS, False, "Set competition.group_column"),
        ("stratified_group", Task.MULTICLASS, False, "Set competition.group_column"),
        ("multilabel_stratified_group", Task.MULTILABEL, False, "Set competition.group_column"),
        ("time", Task.MULTICLASS, False, "Set competition.time_column"),
        ("predefined", Task.MULTICLASS, False, "Set competition.fold_column"),
    ],
)
def test_schemes_that_do_not_fit(scheme, task, groups, message):
    with pytest.raises(ValueError, match=message):
        resolve_scheme(scheme, task, groups, times=False, predefined=False)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"folds": 1}, "folds=1: cross-validation needs at least 2; for a single .*fold_scheme=holdout"),
        ({"folds": 7, "scheme": "random"}, "only 6 rows. Set folds=6"),
        ({"folds": 3, "groups": np.array([1, 1, 1, 2, 2, 2])}, "only 2 groups. Set folds=2"),
        ({"folds": 5}, "the largest class has only 4 rows. Set folds=4"),
        ({"folds": 3, "times": np.array([1, 1, 1, 1, 2, 3])}, "only 2 blocks .* 4 are needed"),
        ({"folds": 5, "predefined": np.array([0, 1, 2, 0, 1, -1])}, "holds 3 folds .*Set folds=3"),
        ({"folds": 5, "scheme": "holdout", "holdout_fraction": 1.0}, "holdout_fraction=1.0"),
    ],
)
def test_impossible_folds(options, message):
    targets = np.array([0, 0, 0, 0, 1, 1])
    with pytest.raises(ValueError, match=message):
        make_folds(table_of(targets), Task.MULTICLASS, **options)


@pytest.mark.parametrize(
    "task, targets", [(Task.MULTICLASS, np.array([0, -1])), (Task.MULTILABEL, np.array([[1.0], [np.nan]]))]
)
def test_rows_without_label_are_our_own_bug(task, targets):
    with pytest.raises(AssertionError):
        make_folds(table_of(targets), task, folds=2)
