import numpy as np
import pytest
import torch

from compkit import losses
from compkit.data import FrequencySampler, PKSampler
from compkit.diagnosis.loss_terms import main_term, prior_loss, seen_shares
from compkit.diagnosis.priors import Labels, labels_of
from compkit.types import Task

RNG = np.random.default_rng(0)
CLASSES = RNG.choice(4, 300, p=[0.5, 0.3, 0.15, 0.05])
SETS = (RNG.random((300, 3)) < [0.5, 0.1, 0.02]).astype(np.float32)
NUMBERS = RNG.gamma(2.0, 3.0, (301, 2)).astype(np.float32)
CASES = [
    (Task.MULTICLASS, "CrossEntropy", {}),
    (Task.MULTICLASS, "CrossEntropy", {"smoothing": 0.1}),
    (Task.MULTICLASS, "CrossEntropy", {"class_weight": "inverse_frequency"}),
    (Task.MULTICLASS, "CrossEntropy", {"class_weight": [1, 2, 3, 4], "smoothing": 0.2}),
    (Task.MULTICLASS, "CrossEntropy", {"class_weight": "effective_number", "beta": 0.99}),
    (Task.MULTILABEL, "BCE", {}),
    (Task.MULTILABEL, "BCE", {"smoothing": 0.1, "pos_weight": 3}),
    (Task.MULTILABEL, "BCE", {"pos_weight": [1, 2, 5], "class_weight": [1, 2, 1]}),
    (Task.REGRESSION, "MSE", {}),
    (Task.REGRESSION, "MSE", {"column_weight": [1, 3]}),
    (Task.REGRESSION, "MAE", {}),
    (Task.REGRESSION, "Huber", {"delta": 2.0}),
]
TARGETS = {Task.MULTICLASS: CLASSES, Task.MULTILABEL: SETS, Task.REGRESSION: NUMBERS}


def smallest(loss, targets, outputs):
    """The loss of the best constant answer, found by descent."""
    answer = torch.zeros(1, outputs, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([answer], max_iter=500, tolerance_grad=1e-12, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        value = loss(answer.expand(len(targets), -1), targets)
        value.backward()
        return value

    for _ in range(5):
        optimizer.step(closure)
    return closure().item()


@pytest.mark.parametrize("task, name, options", CASES)
def test_it_is_the_loss_of_the_best_constant_answer(task, name, options):
    targets = TARGETS[task]
    outputs = 4 if targets.ndim == 1 else targets.shape[1]
    counts = None
    if task != Task.REGRESSION:
        counts = np.bincount(targets) if targets.ndim == 1 else targets.sum(axis=0)
    loss = getattr(losses, name)(**options, class_counts=counts)
    given = torch.from_numpy(targets if targets.ndim == 1 else targets.astype(np.float64))
    found = prior_loss(
        {"_target_": f"compkit.losses.{name}"} | options, labels_of(task, targets, outputs), counts
    )
    assert found == pytest.approx(smallest(loss, given, outputs), rel=2e-4)


def test_labels_without_any_difference_cost_nothing():
    assert (
        prior_loss(
            {"_target_": "compkit.losses.Huber", "delta": 1.0},
            Labels(Task.REGRESSION, None, np.ones((3, 1)), 3),
            None,
        )
        == 0
    )
    only = labels_of(Task.MULTILABEL, np.ones((5, 2)), 2)
    assert prior_loss({"_target_": "compkit.losses.BCE"}, only, np.array([5, 5])) == 0


def test_unknown_labels_have_no_prior():
    assert (
        prior_loss({"_target_": "compkit.losses.MSE"}, Labels(Task.REGRESSION, None, None, 3), None) is None
    )


@pytest.mark.parametrize(
    "node, sampler",
    [
        ({"_target_": "compkit.data.FrequencySampler", "power": 0.5}, FrequencySampler(power=0.5)),
        ({"_target_": "compkit.data.FrequencySampler", "power": 1.0}, FrequencySampler(power=1.0)),
        ({"_target_": "compkit.data.PKSampler", "images_per_class": 4}, PKSampler(images_per_class=4)),
    ],
)
def test_what_an_epoch_shows_is_what_the_sampler_draws(node, sampler):
    labels = np.repeat(CLASSES, 50)
    drawn = labels[sampler.order(labels, 16, np.random.default_rng(0))]
    shares = seen_shares(node, labels_of(Task.MULTICLASS, labels, 4)).shares
    np.testing.assert_allclose(np.bincount(drawn) / len(drawn), shares, atol=0.02)


def test_what_is_not_known_of_a_sampler_is_not_guessed():
    several = labels_of(Task.MULTILABEL, SETS, 3)
    assert seen_shares({"_target_": "compkit.data.FrequencySampler", "power": 1.0}, several) is None
    assert seen_shares({"_target_": "my.Sampler"}, labels_of(Task.MULTICLASS, CLASSES, 4)) is None
    assert seen_shares({"_target_": "compkit.data.Shuffle"}, several) is several


def term(**changes):
    config = {"loss": {"_target_": "compkit.losses.CrossEntropy"}, "auxiliary": {}}
    return main_term(config | changes)


def test_the_term_is_found_among_several():
    terms = {
        "triplet": {"_target_": "compkit.losses.Triplet"},
        "main": {"_target_": "compkit.losses.CrossEntropy"},
    }
    both = {"_target_": "compkit.losses.WeightedSum", "terms": terms, "weights": {"main": 0.5}}
    assert term().column == "train_loss"
    assert term(auxiliary={"genus": {}}).column == "train_target"
    assert term(loss=both)[:2] == ("train_main", 0.5)
    assert term(loss=both | {"terms": terms | {"triplet": None}})[:2] == ("train_loss", 0.5)
    assert term(loss=both | {"weights": {"main": 0}}) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"loss": {"_target_": "compkit.losses.FocalLoss"}},
        {"loss": {"_target_": "mine.CrossEntropy"}},
        {"loss": {"_target_": "compkit.losses.CrossEntropy", "reduce": {"_target_": "compkit.losses.TopK"}}},
        {"model": {"head": {"_target_": "compkit.models.ArcFaceHead"}}},
        {"model": {"head": {"_target_": "mine.Head"}}},
        {"semi": {"_target_": "compkit.semi.Distillation"}},
        {"pseudo_labels": "pseudo.csv"},
    ],
)
def test_where_guessing_has_no_known_loss_there_is_no_term(changes):
    assert term(**changes) is None


@pytest.mark.parametrize("head", ["CosineHead", "LinearHead", "AdaCosHead"])
def test_heads_without_margin_have_one(head):
    assert term(model={"head": {"_target_": f"compkit.models.{head}"}}) is not None
