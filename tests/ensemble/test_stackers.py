"""Level-2 models against the arithmetic they stand for, and what all of them promise."""

import itertools

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from scipy.optimize import minimize
from torch.nn import functional as F

from compkit.build import build
from compkit.cli import config_dir
from compkit.ensemble.stackers import (
    CNNStacker,
    GBDTStacker,
    Inputs,
    LogisticStacker,
    MLPStacker,
    RidgeStacker,
)
from compkit.ensemble.stackers.classes import fit_classes, fit_label
from compkit.ensemble.stackers.cnn import GridNetwork
from compkit.ensemble.stackers.gbdt import first_trees
from compkit.ensemble.stackers.inputs import to_scores
from compkit.ensemble.stackers.selection import MAX_ROWS, held_out_losses, some_rows, task_loss
from compkit.metrics import LogLoss
from compkit.types import Task

from .stackers import STACKERS, softmax, some_task

OPTIONS = sorted(path.stem for path in (config_dir() / "stacker").glob("*.yaml"))
EVERY = [
    (name, task)
    for name, task in itertools.product(STACKERS, Task)
    if (name, task) != ("logistic", Task.REGRESSION)
]


def inputs_of(task, **sizes):
    """Inputs with one further column, targets, and three parts."""
    predictions, targets = some_task(task, **sizes)
    rows = predictions.shape[1]
    extra = np.random.default_rng(1).normal(size=(rows, 1))
    return Inputs(predictions, extra, task), targets, np.arange(rows) % 3


@pytest.mark.parametrize("name, task", EVERY)
def test_every_stacker_learns_and_keeps_its_promises(name, task):
    inputs, targets, parts = inputs_of(task)
    before = torch.get_rng_state()
    fitted = STACKERS[name].fit(inputs, targets, parts, seed=0)
    assert torch.equal(torch.get_rng_state(), before)
    values = fitted.predict(inputs)
    assert values.shape == inputs.predictions.shape[1:] and values.dtype == np.float64
    assert task_loss(targets, values, task) < task_loss(targets, inputs.predictions.mean(axis=0), task)
    if task != Task.REGRESSION:
        assert values.min() > 0 and values.max() < 1
    if task == Task.MULTICLASS:
        np.testing.assert_allclose(values.sum(axis=1), 1)

    again = STACKERS[name].fit(inputs, targets, parts, seed=0)
    np.testing.assert_array_equal(again.predict(inputs), values)
    shuffled = np.random.default_rng(2).permutation(len(inputs))
    np.testing.assert_allclose(fitted.predict(inputs.take(shuffled)), values[shuffled], rtol=1e-5)


@pytest.mark.parametrize("name", STACKERS)
@pytest.mark.parametrize("kept", [[0, 1, 3], [1]])
def test_a_class_that_was_never_seen_keeps_a_chance(name, kept):
    """The linear ones and the trees give it 1 / (N + C) or so, networks what the models say of it, and less."""
    inputs, targets, parts = inputs_of(Task.MULTICLASS)
    seen = np.isin(targets, kept)
    values = STACKERS[name].fit(inputs.take(seen), targets[seen], parts[seen], seed=0).predict(inputs)
    np.testing.assert_allclose(values.sum(axis=1), 1)
    mean = softmax(to_scores(inputs).mean(axis=0))
    assert values.min() > 0 and values[:, 2].mean() < mean[:, 2].mean()
    assert name in ("mlp", "cnn") or values[:, 2].mean() < 0.05


@pytest.mark.parametrize("name", STACKERS)
def test_a_label_that_nobody_has_or_everybody(name):
    inputs, targets, parts = inputs_of(Task.MULTILABEL)
    targets = targets.copy()
    targets[:, 0], targets[:, 1] = 0, 1
    values = STACKERS[name].fit(inputs, targets, parts, seed=0).predict(inputs)
    assert values.min() > 0 and values.max() < 1
    assert values[:, 0].mean() < 0.2 and values[:, 1].mean() > 0.8


@pytest.mark.parametrize("name", STACKERS)
def test_what_is_no_prediction_is_refused(name):
    inputs, targets, parts = inputs_of(Task.MULTICLASS)
    broken = inputs.predictions.copy()
    broken[1, 5, 2] = np.nan
    with pytest.raises(ValueError, match="predictions are NaN or infinite in 1 of"):
        STACKERS[name].fit(Inputs(broken, inputs.extra, inputs.task), targets, parts, 0)
    with pytest.raises(ValueError, match="extra columns are NaN or infinite"):
        STACKERS[name].fit(Inputs(inputs.predictions, inputs.extra * np.inf, inputs.task), targets, parts, 0)
    with pytest.raises(ValueError, match="expected probabilities from 0 to 1"):
        STACKERS[name].fit(Inputs(inputs.predictions * 3, inputs.extra, inputs.task), targets, parts, 0)


def test_logistic_refuses_regression():
    inputs, targets, parts = inputs_of(Task.REGRESSION)
    with pytest.raises(ValueError, match="Set stacker=ridge"):
        LogisticStacker().fit(inputs, targets, parts, 0)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: LogisticStacker(penalty=0), "stacker.penalty: got 0"),
        (lambda: RidgeStacker(penalty="strong"), "stacker.penalty: got 'strong'"),
        (lambda: MLPStacker(hidden=0), "stacker.hidden: got 0"),
        (lambda: MLPStacker(dropout=1), "stacker.dropout: got 1"),
        (lambda: CNNStacker(channels=0), "stacker.channels: got 0"),
        (lambda: CNNStacker(context=0), "stacker.context: got 0"),
        (lambda: CNNStacker(networks=0), "stacker.networks: got 0"),
        (lambda: CNNStacker(epochs=0), "stacker.epochs: got 0"),
        (lambda: CNNStacker(patience_epochs=0), "stacker.patience_epochs: got 0"),
        (lambda: CNNStacker(lr=0), "stacker.lr: got 0"),
        (lambda: CNNStacker(weight_decay=-1), "stacker.weight_decay: got -1"),
        (lambda: CNNStacker(batch_size=0), "stacker.batch_size: got 0"),
        (lambda: GBDTStacker(max_trees=0), "stacker.max_trees: got 0"),
        (lambda: GBDTStacker(learning_rate=0), "stacker.learning_rate: got 0"),
        (lambda: GBDTStacker(max_leaves=1), "stacker.max_leaves: got 1"),
        (lambda: GBDTStacker(min_leaf_rows=0), "stacker.min_leaf_rows: got 0"),
        (lambda: GBDTStacker(l2=-1), "stacker.l2: got -1"),
    ],
)
def test_settings_out_of_range(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_builds_and_fits(option):
    smaller = {"mlp": ["stacker.epochs=2"], "cnn": ["stacker.epochs=2"], "gbdt": ["stacker.max_trees=5"]}
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        config = compose("stack", overrides=[f"stacker={option}", "runs=[a]", *smaller.get(option, [])])
    stacker = build(config.stacker)
    assert stacker.name == option
    inputs, targets, parts = inputs_of(Task.MULTICLASS, rows=60)
    assert np.isfinite(stacker.fit(inputs, targets, parts, 0).predict(inputs)).all()


def test_scores_add_up_evidence():
    predictions = np.array([[[0.2, 0.8]], [[1.0, 0.0]]])
    scores = to_scores(Inputs(predictions, np.zeros((1, 0)), Task.MULTILABEL))
    np.testing.assert_allclose(1 / (1 + np.exp(-scores[0])), predictions[0])
    assert np.isfinite(scores).all()
    values = to_scores(Inputs(predictions * 50, np.zeros((1, 0)), Task.REGRESSION))
    np.testing.assert_array_equal(values, predictions * 50)


def test_logistic_is_the_penalised_maximum_of_likelihood():
    inputs, targets, parts = inputs_of(Task.MULTICLASS, rows=60, num_classes=3)
    fitted = LogisticStacker(penalty=7).fit(inputs, targets, parts, 0)

    scores, extra = np.log(inputs.predictions), inputs.extra
    extra = (extra - extra.mean(axis=0)) / extra.std(axis=0)
    features = np.concatenate([*(scores - scores.mean()) / scores.std(), extra], axis=1)

    def loss(weights):
        weights, bias = weights[:-3].reshape(-1, 3), weights[-3:]
        probs = softmax(features @ weights + bias)
        return -np.log(probs[np.arange(60), targets]).sum() + 7 * (weights**2).sum() / 2

    best = minimize(loss, np.zeros(features.shape[1] * 3 + 3), method="BFGS", options={"gtol": 1e-4}).x
    want = softmax(features @ best[:-3].reshape(-1, 3) + best[-3:])
    np.testing.assert_allclose(fitted.predict(inputs), want, atol=1e-3)


def test_ridge_is_the_solution_of_the_normal_equations():
    inputs, targets, parts = inputs_of(Task.REGRESSION, rows=50, num_classes=2)
    fitted = RidgeStacker(penalty=3).fit(inputs, targets, parts, 0)
    scores, extra = inputs.predictions, inputs.extra
    extra = (extra - extra.mean(axis=0)) / extra.std(axis=0)
    features = np.concatenate([*(scores / scores.std()), extra], axis=1)
    features = features - features.mean(axis=0)
    gram = features.T @ features + 3 * np.eye(features.shape[1])
    weights = np.linalg.solve(gram, features.T @ (targets - targets.mean(axis=0)))
    np.testing.assert_allclose(fitted.predict(inputs), features @ weights + targets.mean(axis=0))


@pytest.mark.parametrize("name", ["logistic", "ridge"])
def test_models_that_learnt_nothing_do_no_harm(name):
    """Such a model says the shares of its fold's training rows, which are rare where they are frequent in the fold."""
    rng = np.random.default_rng(0)
    targets, parts = (rng.random((240, 6)) < 0.3).astype(float), np.arange(240) % 3
    good = 1 / (1 + np.exp(-(3 * targets - 1.5 + rng.normal(size=targets.shape))))
    idle = np.array([targets[parts != part].mean(axis=0) for part in parts])
    grid = np.stack([good, *(idle.clip(0.1, 0.9) + rng.normal(size=(2, 240, 6)) * 1e-3)])

    def held_out_loss(predictions):
        values = np.zeros_like(targets)
        for part in range(3):
            inside, outside = parts == part, parts != part
            inputs = Inputs(predictions, np.zeros((240, 0)), Task.MULTILABEL)
            fitted = STACKERS[name].fit(inputs.take(outside), targets[outside], parts[outside], 0)
            values[inside] = fitted.predict(inputs.take(inside))
        return LogLoss()(targets, values)

    assert held_out_loss(grid) < held_out_loss(grid[:1]) + 0.02


@pytest.mark.parametrize("name", ["logistic", "ridge"])
def test_linear_stackers_do_not_care_how_classes_and_models_are_ordered(name):
    inputs, targets, parts = inputs_of(Task.MULTICLASS)
    order, models = np.array([2, 0, 3, 1]), [1, 2, 0]
    values = STACKERS[name].fit(inputs, targets, parts, 0).predict(inputs)
    permuted = Inputs(inputs.predictions[models][:, :, order], inputs.extra, inputs.task)
    again = STACKERS[name].fit(permuted, np.argsort(order)[targets], parts, 0).predict(permuted)
    np.testing.assert_allclose(again, values[:, order], atol=1e-3)


def test_the_grid_network_is_a_convolution_over_models_and_one_over_classes():
    torch.manual_seed(0)
    network = GridNetwork(num_models=3, num_classes=5, num_extra=2, channels=4, context=2)
    torch.nn.init.normal_(network.out.weight)
    scores, extra = torch.randn(7, 3, 5), torch.randn(7, 2)

    read = F.conv2d(scores[:, None], network.over_models.weight[:, None, :, None], network.over_models.bias)
    over_classes = network.over_classes.weight.view(2, 5, 4).transpose(1, 2)[:, :, None]
    context = F.gelu(F.conv2d(F.gelu(read), over_classes, network.over_classes.bias))
    grid = torch.cat(
        [
            read,
            network.of_class.T[None, :, None].expand(7, -1, -1, -1),
            context.expand(-1, -1, -1, 5),
            extra[:, :, None, None].expand(-1, -1, 1, 5),
        ],
        dim=1,
    )
    mixed = F.gelu(F.conv2d(grid, network.mix.weight[:, :, None, None], network.mix.bias))
    want = F.conv2d(mixed, network.out.weight[:, :, None, None], network.out.bias)[:, 0, 0] + network.bias
    torch.testing.assert_close(network(scores, extra), want)


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_networks_start_as_the_mean_of_the_models(name):
    maker = {"mlp": MLPStacker, "cnn": CNNStacker}[name]
    for task in Task:
        inputs, targets, parts = inputs_of(task, rows=30)
        values = maker(networks=1, epochs=1, lr=1e-12).fit(inputs, targets, parts, 0).predict(inputs)
        mean = to_scores(inputs).mean(axis=0)
        want = {
            Task.MULTICLASS: softmax(mean),
            Task.MULTILABEL: 1 / (1 + np.exp(-mean)),
            Task.REGRESSION: mean,
        }
        np.testing.assert_allclose(values, want[task], rtol=1e-4)


def test_networks_keep_the_weights_that_the_held_out_part_liked_best():
    """Labels of the learning rows are wrong on purpose, so that every step makes the held-out part worse."""
    inputs, targets, _ = inputs_of(Task.MULTICLASS)
    parts = (np.arange(len(targets)) < 90).astype(int)  # the first network holds part 0 out
    wrong = np.where(parts == 1, (targets + 1) % 4, targets)
    stacker = MLPStacker(networks=1, epochs=5, lr=1e-2)
    np.testing.assert_allclose(
        stacker.fit(inputs, wrong, parts, 0).predict(inputs),
        softmax(to_scores(inputs).mean(axis=0)),
        rtol=1e-4,
    )


@pytest.mark.parametrize("task", Task)
def test_first_trees_are_those_of_a_shorter_fit(task):
    inputs, targets, _ = inputs_of(task, num_classes=2)
    stacker = GBDTStacker()
    short, long = (stacker._fit(inputs, targets, trees, seed=0) for trees in (3, 8))
    np.testing.assert_allclose(first_trees(long, 3).predict(inputs), short.predict(inputs))


def test_trees_stop_where_more_of_them_would_hurt():
    rng = np.random.default_rng(0)
    inputs = Inputs(softmax(rng.normal(size=(3, 150, 3))), np.zeros((150, 0)), Task.MULTICLASS)
    targets, parts = rng.integers(0, 3, 150), np.arange(150) % 3
    fitted = GBDTStacker(max_trees=40, min_leaf_rows=5).fit(inputs, targets, parts, 0)
    assert fitted.models[0].model.n_iter_ == 5


def test_soft_labels_count_in_part_for_either_side():
    seen = {}

    def fit(rows, labels, weights):
        for row, label, weight in zip(rows, labels, weights, strict=True):
            seen[int(row), int(label)] = float(weight)

    fit_label(fit, np.array([1.0, 0.0, 0.25]))
    assert seen == {(0, 1): 1.0, (1, 0): 1.0, (2, 1): 0.25, (2, 0): 0.75}


def test_absent_classes_share_what_the_model_leaves_them():
    class Half:
        def predict_proba(self, features):
            return np.full((len(features), 2), 0.5)

    values = fit_classes(lambda rows, labels, weights: Half(), np.array([0, 2, 2]), 4).probs(np.zeros((1, 1)))
    np.testing.assert_allclose(values, [[5 / 14, 1 / 7, 5 / 14, 1 / 7]])  # 1 / (N + C) each, the rest halved


def test_settings_are_chosen_on_rows_that_were_not_fitted_on():
    parts, targets = np.array([0, 0, 1, 1, 1]), np.arange(5.0)[:, None]
    seen = []

    def fit_predict(setting, fitted, held_out):
        assert set(fitted) | set(held_out) == set(range(5)) and not set(fitted) & set(held_out)
        assert len(set(parts[held_out])) == 1
        seen.append(setting)
        return targets[held_out] + setting

    np.testing.assert_allclose(
        held_out_losses((1.0, 3.0), fit_predict, targets, parts, Task.REGRESSION), [1, 9]
    )
    assert seen == [1.0, 3.0, 1.0, 3.0]
    assert len(some_rows(MAX_ROWS + 5, seed=0)) == MAX_ROWS == len(set(some_rows(MAX_ROWS + 5, seed=0)))


@pytest.mark.parametrize("stacker", [LogisticStacker(), RidgeStacker()], ids=["logistic", "ridge"])
def test_a_strong_penalty_is_chosen_where_there_is_nothing_to_learn(stacker):
    rng = np.random.default_rng(0)
    inputs = Inputs(softmax(rng.normal(size=(10, 120, 3))), np.zeros((120, 0)), Task.MULTICLASS)
    targets, parts = rng.integers(0, 3, 120), np.arange(120) % 3
    values = stacker.fit(inputs, targets, parts, 0).predict(inputs)
    np.testing.assert_allclose(values, np.tile(np.bincount(targets) / 120, (120, 1)), atol=0.1)
