"""What tells the label besides content: probes of trees, single pixels, and train against test."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from compkit.competition import Competition
from compkit.findings import Status
from compkit.inspection.domain import LEAST_GROUPS, auc_error, compare_domains, domain_finding, tell_apart
from compkit.inspection.features import as_numbers, file_names, metadata_columns
from compkit.inspection.pixels import _outputs, around_each, corners, explained_share, find_mark
from compkit.inspection.probe import NONE, neighbour_skill, probe, probe_each_class
from compkit.inspection.shortcuts import probe_shortcuts, shortcut_finding
from compkit.pictures import measure_pictures
from compkit.types import Table, Task

from ..pictures.test_measure import table_of

ROWS = 400
RNG = np.random.default_rng(0)


def columns_of(values):
    return pd.DataFrame({"told": values, "noise": RNG.normal(size=len(values))})


@pytest.mark.parametrize("classes", [2, 3, 20])
def test_a_column_that_is_the_label_has_full_skill_and_noise_none(classes):
    labels = RNG.integers(0, classes, ROWS)
    names, groups = tuple(map(str, range(classes))), np.arange(ROWS)
    full = probe(columns_of(labels), labels, Task.MULTICLASS, names, groups)
    none = probe(columns_of(RNG.normal(size=ROWS)), labels, Task.MULTICLASS, names, groups)
    assert 0.6 < full.value < 1.1 and full.low > 0.4 and full.column == "told"
    assert abs(none.value) < 0.2 and none.low < 0.05


def test_one_class_of_many_that_is_told_is_not_lost_in_the_mean():
    labels, groups = RNG.integers(0, 10, ROWS), np.arange(ROWS)
    names = tuple("abcdefghij")
    told = probe_each_class(columns_of(labels == 4), labels, names, groups)
    assert told.low > 0.9 and "of e " in told.score and told.column == "told"
    assert probe(columns_of(labels == 4), labels, Task.MULTICLASS, names, groups).value < 0.3
    assert probe_each_class(columns_of(RNG.normal(size=ROWS)), labels, names, groups).low < 0.1
    assert (
        probe_each_class(columns_of(labels), labels % 2, ("a", "b"), groups) == NONE
    )  # two classes tell each other


def test_groups_are_never_in_both_parts():
    """A column that is only the number of the patient tells nothing of other patients."""
    patients = np.repeat(np.arange(40), 10)
    labels = RNG.integers(0, 2, 40)[patients]
    codes = RNG.permutation(40)[patients]
    by_patient = probe(columns_of(codes), labels, Task.MULTICLASS, ("a", "b"), patients)
    by_picture = probe(columns_of(codes), labels, Task.MULTICLASS, ("a", "b"), np.arange(ROWS))
    assert by_patient.low < 0.1 and by_picture.value > by_patient.value + 0.2


def test_the_most_telling_label_counts():
    labels = RNG.integers(0, 2, (ROWS, 4)).astype(np.float32)
    told = probe(columns_of(labels[:, 2]), labels, Task.MULTILABEL, tuple("abcd"), np.arange(ROWS))
    assert told.low > 0.8 and "of c" in told.score


def test_numbers_are_told_by_explained_variance():
    values = RNG.normal(size=(ROWS, 1))
    told = probe(columns_of(values[:, 0]), values, Task.REGRESSION, ("y",), np.arange(ROWS))
    noise = probe(columns_of(RNG.normal(size=ROWS)), values, Task.REGRESSION, ("y",), np.arange(ROWS))
    assert told.low > 0.7 and noise.low < 0.05
    assert probe(columns_of(values[:, 0]), values * 0, Task.REGRESSION, ("y",), np.arange(ROWS)) == NONE


def test_what_cannot_be_judged_has_no_skill():
    labels = np.zeros(ROWS, np.int64)
    assert (
        probe(columns_of(labels), labels, Task.MULTICLASS, ("a", "b"), np.arange(ROWS)) == NONE
    )  # one class
    assert probe(columns_of(labels), labels, Task.MULTICLASS, ("a", "b"), labels) == NONE  # one group
    same = pd.DataFrame({"told": labels})
    assert probe(same, RNG.integers(0, 2, ROWS), Task.MULTICLASS, ("a", "b"), np.arange(ROWS)) == NONE
    assert neighbour_skill(np.ones(3, bool), 0.5) == NONE
    finding = shortcut_finding("picture size", NONE, limit=0.3)
    assert finding.status == Status.SKIP and "too few" in finding.message


def test_a_label_that_cannot_be_judged_does_not_hide_the_others():
    labels = np.stack([RNG.integers(0, 2, ROWS), np.zeros(ROWS)], axis=1).astype(np.float32)
    told = probe(
        columns_of(RNG.normal(size=ROWS)), labels, Task.MULTILABEL, ("coin", "never"), np.arange(ROWS)
    )
    assert told != NONE and "of coin" in told.score


def test_neighbours():
    assert neighbour_skill(np.ones(200, bool), 0.1).value == pytest.approx(1)
    assert abs(neighbour_skill(RNG.random(2000) < 0.1, 0.1).value) < 0.05


@pytest.mark.parametrize("skill, status", [(0.0, Status.PASS), (0.2, Status.INFO), (0.9, Status.WARN)])
def test_findings_by_skill(skill, status):
    told = NONE._replace(value=skill, error=0.01)
    finding = shortcut_finding("column age", told, limit=0.3)
    assert finding.status == status and bool(finding.remedy) == (status == Status.WARN)


def test_names_of_files_become_numbers():
    files = np.array([[b"x/a_12_b7.png"], [b"x/dog-3.png"], [b"x/q.png"]])
    found = file_names(Table(np.array(list("abc")), files, None), ("cat", "dog"), Task.MULTICLASS)
    assert found["number 1"].tolist() == [12, 3, -1] and found["number 2"].tolist() == [7, -1, -1]
    assert found["class in name"].tolist() == [-1, 1, -1] and found["length"].tolist() == [7, 5, 1]
    assert found["character 2"].tolist() == [ord("_"), ord("o"), -1]


def test_only_columns_that_test_has_too_are_metadata(tmp_path):
    frame = pd.DataFrame({"id": ["1"], "label": ["a"], "age": ["7"], "later": ["x"]})
    table = Table(np.array(["1"]), np.array([[b"1.png"]]), None, frame)
    competition = Competition("x", tmp_path, "multiclass")
    test = Table(table.ids, table.files, None, frame[["id", "age", "label"]])
    assert list(metadata_columns(table, test, competition)) == ["column age"]
    assert metadata_columns(table, None, competition) == {}
    by_time = Competition("x", tmp_path, "multiclass", time_column="age", fold_scheme="time")
    assert metadata_columns(table, test, by_time) == {}


@pytest.fixture(scope="module")
def noise(tmp_path_factory):
    """Fifty pictures of noise, of four classes in turn, and what was measured of them."""
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (16, 16, 3), dtype=np.uint8) for _ in range(50)]
    table = replace(table_of(tmp_path_factory.mktemp("noise"), pictures), targets=np.arange(50) % 4)
    return table, measure_pictures(table, channels=3)


def test_of_very_many_columns_the_first_are_looked_at_and_the_others_named(noise, tmp_path, monkeypatch):
    for module in ("features", "shortcuts"):
        monkeypatch.setattr(f"compkit.inspection.{module}.MOST_COLUMNS", 3)
    table, seen = noise
    names = [f"c{number}" for number in range(5)]
    frame = pd.DataFrame({name: RNG.normal(size=len(table)) for name in names})
    competition = Competition("x", tmp_path, "multiclass", classes=list("abcd"))
    table = replace(table, frame=frame)
    found = {
        one.check: one for one in probe_shortcuts(table, seen, competition, table, np.arange(len(table)))
    }
    columns = [check for check in found if check.startswith("shortcut: column ")]
    assert columns == ["shortcut: column c0", "shortcut: column c1", "shortcut: column c2"]
    left = found["shortcut: further columns"]
    assert left.status == Status.INFO and left.value == 2 and "c3, c4" in left.message


@pytest.mark.parametrize("groups, status", [(4, Status.SKIP), (9, Status.SKIP), (25, Status.PASS)])
def test_domains_of_few_groups_are_not_judged(noise, groups, status):
    """Fewer groups than parts of the cross-validation would stop scikit-learn."""
    of = np.arange(50) % groups
    assert (groups < LEAST_GROUPS) == (status == Status.SKIP)
    finding = compare_domains(noise[1], noise[1], of, of)
    assert finding.status == status and ("too few groups" in finding.message) == (status == Status.SKIP)


def test_cells_become_numbers():
    assert as_numbers(pd.Series(["2", "", "3"])).tolist() == [2, 1, 3]
    assert (
        as_numbers(pd.Series([f"text {row}" * (row % 3 + 1) for row in range(99)])).max() > 10
    )  # no category: its length
    assert as_numbers(pd.to_datetime(pd.Series(["2020-01-01", "2021-01-01"])))[1] > 0
    assert as_numbers(pd.Series([1.5, 2.5])).tolist() == [1.5, 2.5]
    for cells in (["1", "inf", "-1e400"], [1.0, np.inf, -np.inf]):
        values = as_numbers(pd.Series(cells))
        assert values.tolist() == [1, 1e30, -1e30] and np.isfinite(values.astype(np.float32)).all()


def test_share_explained_by_classes_and_numbers():
    """Against eta squared and the squared correlation of each pixel, written out."""
    labels, values = RNG.integers(0, 3, 200), RNG.normal(size=(200, 2))
    pictures = RNG.integers(0, 256, (200, 4, 5, 2), dtype=np.uint8)
    pictures[:, 1, 2, 0] = 80 * labels + RNG.integers(0, 30, 200)
    pictures[:, 3, 3, 1] = np.clip(128 + 40 * values[:, 1], 0, 255)
    by_class = explained_share(pictures, np.eye(3, dtype=np.float32)[labels], exclusive=True)
    flat = pictures.reshape(200, -1).astype(float)
    for pixel in range(flat.shape[1]):
        means = np.array([flat[labels == one, pixel].mean() for one in range(3)])[labels]
        eta = ((means - flat[:, pixel].mean()) ** 2).sum() / (
            (flat[:, pixel] - flat[:, pixel].mean()) ** 2
        ).sum()
        wanted = max(0, 1 - (1 - eta) * 199 / 197)
        assert by_class.ravel()[pixel] == pytest.approx(wanted, abs=1e-4)
    by_number = explained_share(pictures, values.astype(np.float32), exclusive=False)
    wanted = [
        max(np.corrcoef(flat[:, pixel], one)[0, 1] ** 2 for one in values.T) for pixel in range(flat.shape[1])
    ]
    np.testing.assert_allclose(by_number.ravel(), wanted, atol=1e-4)


def test_outputs_are_the_frequent_columns_of_one_hot_labels():
    labels = RNG.choice(30, 900, p=np.arange(1, 31) / 465)
    counts = np.bincount(labels)
    frequent = [label for label in np.sort(np.argsort(-counts, kind="stable")[:20]) if counts[label] >= 10]
    np.testing.assert_array_equal(_outputs(labels, Task.MULTICLASS), np.eye(30)[labels][:, frequent])
    some = (RNG.random((200, 4)) < [0.5, 0.02, 0.98, 0.3]).astype(np.float32)
    np.testing.assert_array_equal(_outputs(some, Task.MULTILABEL), some[:, [0, 3]])
    assert _outputs(np.repeat([3, 10**6], 50), Task.MULTICLASS).shape == (100, 2)  # not 100 x a million


@pytest.mark.parametrize("rows, classes", [(60, 20), (150, 75), (120, 1)])
def test_pixels_of_a_few_rows_or_of_tiny_classes_are_not_judged(tmp_path, rows, classes):
    """Among thousands of pixels of noise one tells three labels of each class by chance."""
    rng = np.random.default_rng(0)
    table = table_of(tmp_path, [rng.integers(0, 256, (40, 40, 3), dtype=np.uint8) for _ in range(rows)])
    table = replace(table, targets=np.arange(rows) % classes)
    seen = measure_pictures(table, channels=3)
    assert find_mark(table, seen, Task.MULTICLASS, 3, None, threads=1) is None


def test_around_a_lonely_pixel_is_nothing():
    share = np.zeros((20, 20, 1))
    share[0, 0] = share[10, 5] = 1
    for ring in (1, 2, 5, 30):
        assert around_each(share, ring)[10, 5] == (0 if ring < 30 else around_each(share, ring)[10, 5])
    assert around_each(share, 2)[0, 0] == 0
    assert around_each(np.ones((9, 9, 1)), 2).min() == 1


def test_corners_are_put_together():
    image = np.arange(50 * 70, dtype=np.uint16).reshape(50, 70, 1)
    found = corners(image)
    assert found.shape == (32, 32, 1)
    assert (found[0, 0], found[0, -1], found[-1, 0], found[-1, -1]) == (0, 69, 49 * 70, 50 * 70 - 1)


def test_domains_are_told_apart_by_what_differs():
    is_test = np.repeat([0, 1], 150)
    columns = pd.DataFrame({"brightness": RNG.normal(size=300) + 3 * is_test, "noise": RNG.normal(size=300)})
    auc, error, column, alone = tell_apart(columns, is_test, np.arange(300))
    assert auc > 0.95 and error < 0.02 and column == "brightness"
    assert alone == roc_auc_score(is_test, columns["brightness"])
    assert domain_finding(auc, error, column, alone).status == Status.WARN
    same = tell_apart(columns[["noise"]], is_test, np.arange(300))
    assert domain_finding(*same).status == Status.PASS
    assert tell_apart(columns[["noise"]] * 0, is_test, np.arange(300))[0] == 0.5
    assert domain_finding(0.75, 0.02, "width", 0.7).status == Status.INFO


def test_error_of_an_auc_is_its_spread_over_draws():
    is_test = np.repeat([0, 1], 60)
    aucs = [roc_auc_score(is_test, RNG.normal(size=120) + is_test) for _ in range(400)]
    assert auc_error(float(np.mean(aucs)), is_test) == pytest.approx(np.std(aucs), rel=0.15)
