"""Temperatures against scipy's minimiser of scikit-learn's log loss."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit, softmax
from sklearn.metrics import log_loss

from compkit.metrics import AUC, Accuracy, LogLoss
from compkit.postprocess import Temperature, best_temperature, temper, temper_labels
from compkit.types import Task


def make(sureness, seed, rows=400, classes=4):
    """Logits that are right, and the probabilities of a network that is `sureness` times as sure."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (rows, classes))
    targets = np.array([rng.choice(classes, p=line) for line in softmax(logits, axis=1)])
    return targets, logits * sureness


@pytest.mark.parametrize("sureness", [0.4, 1.0, 3.0])
def test_multiclass_against_scipy(sureness):
    targets, logits = make(sureness, 0)
    found = best_temperature(targets, softmax(logits, axis=1).astype(np.float32))
    least = minimize(lambda x: log_loss(targets, softmax(logits / np.exp(x[0]), axis=1)), x0=[0.0], tol=1e-10)
    assert found == pytest.approx(np.exp(least.x[0]), rel=1e-3)
    assert found == pytest.approx(sureness, rel=0.2)


@pytest.mark.parametrize("sureness", [0.4, 3.0])
def test_labels_against_scipy(sureness):
    rng = np.random.default_rng(1)
    logits = rng.normal(-1, 1.5, (300, 3))
    targets = (rng.random((300, 3)) < expit(logits)).astype(float)
    values = expit(logits * sureness)

    def loss(x, column=slice(None)):
        truth, logit = targets[:, column].ravel(), (logits * sureness)[:, column].ravel()
        return log_loss(truth, expit(logit / np.exp(x[0])))

    least = minimize(loss, x0=[0.0], tol=1e-10)
    assert best_temperature(targets, values) == pytest.approx(np.exp(least.x[0]), rel=1e-3)
    each = Temperature(per_label=True).fit(targets, values, LogLoss())["temperatures"]
    want = [np.exp(minimize(loss, x0=[0.0], args=([column],), tol=1e-10).x[0]) for column in range(3)]
    np.testing.assert_allclose(each, want, rtol=1e-3)


def test_tempering_divides_logits():
    logits = np.random.default_rng(2).normal(0, 2, (50, 5))
    np.testing.assert_allclose(temper(softmax(logits, axis=1), 1.7), softmax(logits / 1.7, axis=1), rtol=1e-9)
    np.testing.assert_allclose(temper_labels(expit(logits), np.array([1.7])), expit(logits / 1.7), rtol=1e-9)
    values = softmax(logits, axis=1).astype(np.float32)
    np.testing.assert_allclose(temper(values, 1.0), values, rtol=1e-6)


@pytest.mark.parametrize("temperature", [0.1, 0.7, 3.0])
def test_order_and_decisions_stay(temperature):
    values = softmax(np.random.default_rng(3).normal(0, 1, (200, 4)), axis=1)
    np.testing.assert_array_equal(temper(values, temperature).argsort(axis=1), values.argsort(axis=1))
    np.testing.assert_array_equal(temper_labels(values, np.array([temperature])) > 0.5, values > 0.5)


def test_certainties_stay_finite_and_bounds_hold():
    sure = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert (
        best_temperature(np.array([0, 0]), np.array([[0.9, 0.1]] * 2)) == 0.05
    )  # always right: as sure as allowed
    assert best_temperature(np.array([1, 1]), sure) == 20.0
    for method, targets in ((Temperature(), np.array([0, 1])), (Temperature(), np.eye(2))):
        learned = method.fit(targets, sure, LogLoss())
        assert np.isfinite(method.apply(sure, learned)).all()


def test_a_label_of_one_class_keeps_its_probabilities():
    targets, values = np.array([[1.0, 0], [0, 0], [1, 0]]), np.full((3, 2), 0.3)
    assert Temperature(per_label=True).fit(targets, values, LogLoss())["temperatures"][1] == 1.0


def test_what_it_cannot_change_is_refused():
    for metric, instead in ((Accuracy(), "class_weights"), (AUC(), "none")):
        with pytest.raises(ValueError, match=f"postprocess=temperature: .*{metric.name}.*{instead}"):
            Temperature().check(Task.MULTICLASS, metric)
    with pytest.raises(ValueError, match=r"postprocess\.per_label=false"):
        Temperature(per_label=True).check(Task.MULTICLASS, LogLoss())
    Temperature(per_label=True).check(Task.MULTILABEL, LogLoss())
