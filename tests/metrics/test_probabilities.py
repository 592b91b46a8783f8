import numpy as np
import pytest
from sklearn import metrics as reference

from compkit.metrics import AUC, AveragePrecision, LogLoss, auc, average_precision, log_loss
from compkit.metrics.probabilities import auc_per_class


def multiclass(classes: int, rows: int = 90) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(classes)
    return generator.integers(classes, size=rows), generator.dirichlet(np.ones(classes), size=rows)


def multilabel(rows: int = 90, labels: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and probabilities with many ties."""
    generator = np.random.default_rng(0)
    targets = (generator.random((rows, labels)) < 0.3).astype(np.float32)
    return targets, generator.integers(1, 10, size=(rows, labels)) / 10


@pytest.mark.parametrize("classes", [2, 5])
def test_multiclass_log_loss_is_scikit_learns(classes: int) -> None:
    targets, values = multiclass(classes)
    assert log_loss(targets, values) == pytest.approx(
        reference.log_loss(targets, values, labels=range(classes))
    )


def test_multilabel_log_loss_is_the_mean_over_columns() -> None:
    targets, values = multilabel()
    want = [reference.log_loss(targets[:, column], values[:, column]) for column in range(4)]
    assert log_loss(targets, values) == pytest.approx(np.mean(want))
    np.testing.assert_allclose(LogLoss().per_class(targets, values), want)


def test_log_loss_keeps_a_label_set_wider_than_the_targets() -> None:
    assert log_loss(np.array([0, 0]), np.full((2, 4), 0.25)) == pytest.approx(np.log(4))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("eps", [1e-15, 1e-3])
def test_a_sure_mistake_costs_the_log_of_eps(dtype: type, eps: float) -> None:
    sure = np.array([[1, 0]], dtype=dtype)
    assert log_loss(np.array([1]), sure, eps) == pytest.approx(-np.log(eps))
    assert log_loss(1 - sure, sure, eps) == pytest.approx(-np.log(eps))
    assert LogLoss(eps)(np.array([0]), sure) == pytest.approx(0, abs=2 * eps)


def test_a_row_of_zeros_says_nothing() -> None:
    assert log_loss(np.array([1]), np.zeros((1, 4))) == pytest.approx(np.log(4))


def test_rows_are_divided_by_their_sum() -> None:
    targets, values = multiclass(3)
    assert log_loss(targets, values * 0.4) == pytest.approx(log_loss(targets, values))


@pytest.mark.parametrize("value", [-0.2, 1.3])
def test_log_loss_wants_probabilities(value: float) -> None:
    with pytest.raises(ValueError, match=r"log_loss: values run from .*expected probabilities"):
        log_loss(np.array([0]), np.array([[value, 0.5]]))


@pytest.mark.parametrize("eps", [0, 0.5])
def test_eps_out_of_range(eps: float) -> None:
    with pytest.raises(ValueError, match=r"metric\.eps"):
        LogLoss(eps)


def test_auc_of_two_classes_is_scikit_learns() -> None:
    targets, values = multiclass(2)
    assert auc(targets, values) == pytest.approx(reference.roc_auc_score(targets, values[:, 1]))


def test_auc_of_many_classes_is_scikit_learns() -> None:
    targets, values = multiclass(5)
    assert auc(targets, values) == pytest.approx(reference.roc_auc_score(targets, values, multi_class="ovr"))


def test_auc_of_labels_is_scikit_learns() -> None:
    targets, values = multilabel()
    assert auc(targets, values) == pytest.approx(reference.roc_auc_score(targets, values))
    np.testing.assert_allclose(
        AUC().per_class(targets, values), reference.roc_auc_score(targets, values, average=None)
    )


def test_auc_depends_on_the_order_only() -> None:
    targets, values = multilabel()
    assert auc(targets, 100 * values**3 - 5) == pytest.approx(auc(targets, values))


def test_average_precision_is_scikit_learns() -> None:
    targets, values = multilabel()
    assert average_precision(targets, values) == pytest.approx(
        reference.average_precision_score(targets, values)
    )
    classes, probs = multiclass(4)
    want = reference.average_precision_score(np.eye(4)[classes], probs)
    assert average_precision(classes, probs) == pytest.approx(want)


def test_columns_of_one_class_are_named_and_left_out_of_auc() -> None:
    targets, values = multilabel()
    targets[:, 1], targets[:, 3] = 0, 1
    with pytest.warns(UserWarning, match=r"auc: column\(s\) \[1, 3\] hold one class only.*other 2"):
        score = auc(targets, values)
    assert score == pytest.approx(reference.roc_auc_score(targets[:, [0, 2]], values[:, [0, 2]]))
    assert np.isnan(auc_per_class(targets, values)).tolist() == [False, True, False, True]


def test_columns_without_positives_are_left_out_of_average_precision() -> None:
    targets, values = multilabel()
    targets[:, 1], targets[:, 3] = 0, 1
    with pytest.warns(UserWarning, match=r"average_precision: column\(s\) \[1\]"):
        score = average_precision(targets, values)
    rest = [0, 2, 3]
    assert score == pytest.approx(reference.average_precision_score(targets[:, rest], values[:, rest]))


@pytest.mark.parametrize("metric", [AUC(), AveragePrecision()])
def test_no_defined_column_is_nan_and_said(metric: AUC | AveragePrecision) -> None:
    with pytest.warns(UserWarning, match=r"\[0, 1\].*NaN"):
        assert np.isnan(metric(np.zeros((5, 2)), np.random.default_rng(0).random((5, 2))))
