"""The worst mistakes of each task, by hand."""

import numpy as np
import pytest

from compkit.explain import ExplainSettings, output_losses, outputs_in_question, questions, worst_rows
from compkit.types import Task


def test_multiclass_takes_wrong_rows_by_the_true_class_s_probability():
    values = np.array([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])
    targets = np.array([1, 1, 1, 1])
    assert worst_rows(Task.MULTICLASS, targets, values, 10).tolist() == [1, 3, 0]
    assert worst_rows(Task.MULTICLASS, targets, values, 1).tolist() == [1]
    assert output_losses(Task.MULTICLASS, targets, values)[:, 0] == pytest.approx(-np.log(values[:, 1]))


def test_multilabel_goes_by_the_worst_label():
    targets = np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 1.0], [0.0, 0.0, 0.0]])
    values = np.array([[0.4, 0.4, 0.4], [0.9, 0.95, 0.9], [0.4, 0.1, 0.0]])
    # the first has the larger mean, the second the worst label; the third is right in all
    assert worst_rows(Task.MULTILABEL, targets, values, 10).tolist() == [1, 0]
    assert outputs_in_question(Task.MULTILABEL, targets, values).tolist() == [0, 1, 0]


def test_regression_goes_by_the_error_in_the_column_s_own_unit():
    targets, spread = np.array([[0.0, 0.0], [10.0, 1.0], [20.0, 2.0]]), np.array([8.0, 0.8])
    values = targets + np.array([[5.0, 0.0], [0.0, 0.9], [0.0, 0.0]])
    assert worst_rows(Task.REGRESSION, targets, values, 10, spread).tolist() == [1, 0]
    assert outputs_in_question(Task.REGRESSION, targets, values, spread).tolist() == [0, 1, 0]
    assert output_losses(Task.REGRESSION, targets, values, np.zeros(2))[0, 0] == 5.0


def test_questions_name_outputs_and_signs():
    value = np.array([0.1, 0.7, 0.2])
    assert [one.column for one in questions(Task.MULTICLASS, np.array(0), value, 1)] == [1, 0]
    assert [one.column for one in questions(Task.MULTICLASS, np.array(1), value, 1)] == [1, 2]
    assert [one.column for one in questions(Task.MULTICLASS, None, value, 1)] == [1, 2]
    for task in (Task.MULTILABEL, Task.REGRESSION):
        assert [(one.column, one.sign) for one in questions(task, None, value, 2)] == [(2, 1.0), (2, -1.0)]
    assert outputs_in_question(Task.MULTILABEL, None, value[None]).tolist() == [1]
    assert outputs_in_question(Task.REGRESSION, None, value[None]).tolist() == [0]


@pytest.mark.parametrize("total, folds", [(24, 5), (3, 5), (0, 3), (2000, 7)])
def test_folds_share_everything_out(total, folds):
    shares = [ExplainSettings(total, total).of_fold(place, folds) for place in range(folds)]
    assert sum(one.worst for one in shares) == sum(one.points for one in shares) == total
    assert max(one.worst for one in shares) - min(one.worst for one in shares) <= 1


@pytest.mark.parametrize(
    "values, words",
    [
        ({"worst": -1, "points": 5}, "explain.worst: got -1; expected a whole number >= 0"),
        ({"worst": 5, "points": 1.5}, "explain.points: got 1.5"),
        ({"worst": 5, "picture": 3}, "expected the keys worst and points"),
        (None, "explain=None: expected the keys worst and points"),
        (False, "Set explain.worst=0 explain.points=0"),
    ],
)
def test_wrong_settings_are_told(values, words):
    with pytest.raises(ValueError, match="explain") as error:
        ExplainSettings.of(values)
    assert words in str(error.value)
