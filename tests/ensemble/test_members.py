"""Runs are joined on id and class name, and whatever does not belong together is refused by name."""

import json

import numpy as np
import pandas as pd
import pytest

from compkit.ensemble import align, check_metric, read_members
from compkit.metrics import AUC, Accuracy, AveragePrecision, QuadraticKappa

from .run_folders import CLASSES, write_run

ROWS, TESTS = 30, 7
TARGETS, FOLD = np.arange(ROWS) % 3, np.arange(ROWS) // 3 % 5


def probabilities(rows, seed):
    return np.random.default_rng(seed).dirichlet(np.ones(3), rows)


@pytest.fixture
def write(tmp_path):
    """Write a run: write("a", …) with the keys of write_run; predictions come from the name."""

    def call(name, seed=None, **changes):
        seed = sum(map(ord, name)) if seed is None else seed
        given = {
            "values": probabilities(ROWS, seed),
            "targets": TARGETS,
            "fold": FOLD,
            "test": probabilities(TESTS, seed + 1),
        }
        return write_run(tmp_path / name, **(given | changes))

    return call


def test_rows_and_columns_are_joined_by_name(write):
    rng = np.random.default_rng(0)
    of_folds = {f"fold_{fold}": probabilities(TESTS, fold) for fold in range(5)}
    plain, a = write("a", test_of_folds=of_folds), probabilities(ROWS, 5)
    test, columns = probabilities(TESTS, 6), [2, 0, 1]
    shuffled_test = rng.permutation(TESTS)
    other = write(
        "b",
        values=a[:, columns],
        classes=tuple(CLASSES[column] for column in columns),
        targets=np.argsort(columns)[TARGETS],
        test=test[shuffled_test][:, columns],
        test_ids=np.array([f"t{row}" for row in shuffled_test]),
        test_of_folds={name: one[shuffled_test][:, columns] for name, one in of_folds.items()},
        order=rng.permutation(ROWS),
    )
    aligned = align(read_members([plain, other]))
    assert aligned.names == ("a", "b") and aligned.classes == CLASSES
    np.testing.assert_array_equal(aligned.targets, TARGETS)
    np.testing.assert_array_equal(aligned.fold, FOLD)
    np.testing.assert_array_equal(aligned.oof[1], a)
    np.testing.assert_allclose(aligned.test[1], test.astype(np.float32))
    for fold in range(5):
        np.testing.assert_allclose(aligned.test_of_folds[fold][0], aligned.test_of_folds[fold][1])
    swapped = align(read_members([other, plain]))
    np.testing.assert_array_equal(swapped.oof[0][:, np.argsort(columns)][np.argsort(swapped.ids)], a)


def test_a_pattern_stands_for_its_folders_in_order(write, tmp_path):
    for name in ("seed-2", "seed-1", "other"):
        write(name)
    assert [one.name for one in read_members([f"{tmp_path}/seed-*"])] == ["seed-1", "seed-2"]
    assert [one.name for one in read_members(f"{tmp_path}/seed-*")] == ["seed-1", "seed-2"]


def test_groups_and_missing_tests(write):
    groups = np.array([f"g{row // 15}" for row in range(ROWS)])
    fold = np.arange(ROWS) // 15
    runs = [write(name, test=None, groups=groups, fold=fold) for name in "ab"]
    aligned = align(read_members(runs))
    assert aligned.test is None and aligned.test_ids is None and aligned.test_of_folds is None
    np.testing.assert_array_equal(aligned.groups, groups)


def test_equal_names_become_folders(write, tmp_path):
    runs = [write("x/run"), write("y/run")]
    assert align(read_members(runs)).names == tuple(map(str, runs))


def test_mistakes_in_runs(write, tmp_path):
    a = write("a")
    for runs, words in [
        ([], r"runs=\[\]"),
        ([tmp_path / "b*"], "no folder matches"),
        ([tmp_path / "nowhere"], "nowhere: no such folder"),
        ([a, f"{tmp_path}/./a"], "more than once"),
    ]:
        with pytest.raises((ValueError, FileNotFoundError), match=words):
            read_members(runs)
    (a / "oof.parquet").unlink()
    with pytest.raises(FileNotFoundError, match=r"has no oof\.parquet, so it is no finished run"):
        read_members([a])


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("file", ["oof.parquet", "test.parquet", "fold_0/test.parquet"])
def test_broken_predictions(write, value, file):
    folder = write("a", test_of_folds={"fold_0": probabilities(TESTS, 0)})
    frame = pd.read_parquet(folder / file)
    frame.loc[3, "pred_dog"] = value
    frame.to_parquet(folder / file)
    with pytest.raises(
        ValueError, match=f"{file}: predictions are NaN or infinite in 1 of .*{frame['id'][3]}"
    ):
        read_members([folder])


def test_doubled_ids(write):
    folder = write("a")
    frame = pd.read_parquet(folder / "test.parquet")
    pd.concat([frame, frame[:1]]).to_parquet(folder / "test.parquet")
    with pytest.raises(ValueError, match="8 rows have only 7 different ids"):
        read_members([folder])


def other_fold():
    fold = FOLD.copy()
    fold[[0, 3]] = fold[[3, 0]]
    return {"fold": fold}


def without(rows):
    keep = ~rows
    ids = np.array([f"{row:03d}" for row in range(ROWS)])
    return {
        "values": probabilities(ROWS, 1)[keep],
        "targets": TARGETS[keep],
        "fold": FOLD[keep],
        "ids": ids[keep],
        "all_ids": ids,
        "all_fold": FOLD,
    }


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"competition": "plants"}, "competition is plants, that of .*a is pets"),
        (
            {"task": "regression", "targets": probabilities(ROWS, 1)},
            "its task is regression, that of .*a is multiclass",
        ),
        ({"classes": ("cat", "dog", "wolf")}, "its class names is .*wolf"),
        (other_fold(), "its fold hash is"),
        (without(FOLD == 1), r"lacks 6 of 30 out-of-fold rows .* all of fold\(s\) \[1\]"),
        (without(np.arange(ROWS) == 4), "lacks 1 of 30 out-of-fold rows that other runs predicted, ids '004'"),
        ({"targets": np.where(np.arange(ROWS) == 9, 1, TARGETS)}, "its targets differ .* in 1 rows, such as id '009'"),
        ({"test": None}, "b: has no test.parquet, but .*a has one"),
        ({"test": probabilities(6, 1)}, r"predicted another test set than .*a: 1 ids, such as \['t6'\]"),
    ],
)  # fmt: skip
def test_runs_that_do_not_belong_together(write, changes, words):
    runs = [write("a"), write("b", **changes)]
    with pytest.raises(ValueError, match=words):
        align(read_members(runs))
    if changes != {"classes": ("cat", "dog", "wolf")}:
        with pytest.raises(ValueError):
            align(read_members(runs[::-1]))


def test_targets_of_several_columns(write, tmp_path):
    targets = (probabilities(ROWS, 3) > 0.3).astype(float)
    columns = [1, 2, 0]
    a = write("a", task="multilabel", targets=targets)
    b = write(
        "b",
        task="multilabel",
        targets=targets[:, columns],
        values=probabilities(ROWS, 9)[:, columns],
        classes=tuple(CLASSES[column] for column in columns),
    )
    aligned = align(read_members([a, b]))
    np.testing.assert_array_equal(aligned.targets, targets)
    np.testing.assert_array_equal(aligned.oof[1], probabilities(ROWS, 9))
    flipped = write("c", task="multilabel", targets=1 - targets)
    with pytest.raises(ValueError, match="its targets differ"):
        align(read_members([a, flipped]))


def test_metrics_without_a_value(write):
    targets = np.tile([1.0, 0.0, 1.0], (ROWS, 1))
    targets[::2, 0] = 0
    aligned = align(read_members([write("a", task="multilabel", targets=targets)]))
    with pytest.raises(ValueError, match=r"metric auc: undefined for column\(s\) 'dog', 'fox', as all 30"):
        check_metric(aligned, AUC())
    with pytest.raises(ValueError, match=r"metric average_precision: undefined for column\(s\) 'dog'"):
        check_metric(aligned, AveragePrecision())
    with pytest.raises(ValueError, match="measures multiclass"):
        check_metric(aligned, Accuracy())
    one_class = write("b", targets=np.zeros(ROWS, dtype=int), values=np.tile([1.0, 0, 0], (ROWS, 1)))
    with pytest.raises(ValueError, match="metric quadratic_kappa: is NaN"):
        check_metric(align(read_members([one_class])), QuadraticKappa())


def test_a_file_that_is_no_metrics_json_of_ours(write):
    folder = write("a")
    (folder / "metrics.json").write_text(json.dumps({"fold_hash": "x"}))
    with pytest.raises(ValueError, match="the task None"):
        read_members([folder])
