"""Wrong labels found in out-of-fold predictions, against the paper's definition written out and against what was flipped."""

import numpy as np
import pytest

from compkit.findings import Status
from compkit.inspection import find_label_issues
from compkit.inspection.label_issues import confident_classes, label_finding, noise_share
from compkit.results import OutOfFold
from compkit.types import Task

from .planted import flipped_predictions


def test_joint_is_that_of_the_paper():
    """Equation 1 of arXiv:1911.00068, one picture at a time."""
    oof, _ = flipped_predictions(0.2, rows=300, skill=1.0)
    given, probs = oof.targets, oof.values
    threshold = [probs[given == label, label].mean() for label in range(3)]
    wanted = np.zeros((3, 3), int)
    for label, row in zip(given, probs, strict=True):
        confident = [other for other in range(3) if row[other] >= threshold[other]]
        if confident:
            wanted[label, max(confident, key=lambda other: row[other])] += 1
    found = confident_classes(given, probs)
    joint = np.zeros((3, 3), int)
    np.add.at(joint, (given[found >= 0], found[found >= 0]), 1)
    assert (joint == wanted).all()
    # equation 2: rows weighted to the counts of given labels, then divided by their sum
    weighted = joint / joint.sum(1, keepdims=True) * np.bincount(given)[:, None]
    assert noise_share(given, found) == pytest.approx(1 - np.trace(weighted / weighted.sum()))


def test_noise_of_very_many_classes_needs_no_table_of_their_pairs():
    given = np.repeat([0, 10**6], 4)
    found = np.array([0, 0, 0, 10**6, 10**6, 10**6, -1, -1])
    assert noise_share(given, found) == pytest.approx(0.5 * 1 / 4)


def test_an_empty_class_is_nobody_s():
    probs = np.array([[0.6, 0.1, 0.3], [0.1, 0.6, 0.3], [0.2, 0.7, 0.1]])
    assert not (confident_classes(np.array([0, 1, 1]), probs) == 2).any()


@pytest.mark.parametrize("seed", range(3))
def test_flipped_labels_are_found_and_others_left_alone(seed):
    oof, is_flipped = flipped_predictions(0.1, seed)
    found = find_label_issues(oof)
    rows = np.array([issue.row for issue in found.issues])
    assert is_flipped[rows].mean() > 0.9 and np.isin(np.flatnonzero(is_flipped), rows).mean() > 0.7
    assert found.noise == pytest.approx(is_flipped.mean(), abs=0.04)
    assert label_finding(found, oof).status == Status.WARN
    margins = [issue.margin for issue in found.issues]
    assert margins == sorted(margins, reverse=True)


@pytest.mark.parametrize("skill", [0.5, 1.0, 1.7, 2.5])
def test_the_mistakes_of_a_weak_model_are_no_warning(skill):
    oof, _ = flipped_predictions(0.0, skill=skill)
    assert label_finding(find_label_issues(oof), oof).status in (Status.PASS, Status.INFO)


def test_models_that_are_too_sure_are_not_believed():
    oof, _ = flipped_predictions(0.0, skill=1.0)
    sure = oof.values**8 / (oof.values**8).sum(axis=1, keepdims=True)
    too_sure = OutOfFold(oof.task, oof.ids, oof.fold, oof.targets, sure, oof.classes)
    finding = label_finding(find_label_issues(too_sure), too_sure)
    assert finding.status == Status.INFO and "too sure" in finding.message


def test_labels_of_multilabel_rows_are_judged_one_by_one():
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, (400, 3))
    probs = np.clip(0.9 * truth + 0.05 + rng.normal(0, 0.03, truth.shape), 0.01, 0.99)
    given = truth.astype(float)
    given[7, 1] = 1 - given[7, 1]
    oof = OutOfFold(
        Task.MULTILABEL, np.arange(400).astype(str), np.zeros(400, int), given, probs, ("a", "b", "c")
    )
    [issue, *others] = find_label_issues(oof).issues
    assert (issue.row, issue.output, issue.given, issue.found) == (
        7,
        1,
        given[7, 1],
        truth[7, 1],
    ) and not others


def test_numbers_far_from_the_prediction_are_issues():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(500, 1))
    given = values + rng.normal(0, 0.1, values.shape)
    given[11] += 3
    oof = OutOfFold(Task.REGRESSION, np.arange(500).astype(str), np.zeros(500, int), given, values, ("y",))
    found = find_label_issues(oof)
    assert [issue.row for issue in found.issues] == [11] and found.noise is None
    assert label_finding(found, oof).status == Status.INFO
    given[:40] += 3
    assert label_finding(find_label_issues(oof), oof).status == Status.WARN
