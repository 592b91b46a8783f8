"""The tree of runs: what follows from all of them, and from some of them."""

import json

import numpy as np
import pytest

from compkit.bundle.order import order_units
from compkit.bundle.recipe import Blend, Said, Stack, Trained, Unit, node_of, renormalise
from compkit.ensemble.blend import mean_blend, to_ranks

RNG = np.random.default_rng(0)
FOUND = {Unit(run, fold): RNG.random((6, 3)).astype(np.float32) for run in "abc" for fold in range(2)}
A, B, C = (
    Trained(run, run, (0, 1), (0.1, 0.2), score) for run, score in (("a", 0.5), ("b", 0.9), ("c", None))
)


class Sum:
    """A level-2 model that adds up, with a number of its own."""

    def __init__(self, more):
        self.more = more

    def predict(self, predictions):
        return predictions.sum(axis=0) + self.more


def some(*runs):
    return Said({unit: values for unit, values in FOUND.items() if f"{unit.run}{unit.fold}" in runs})


def mean(run):
    return np.mean([FOUND[Unit(run, fold)] for fold in range(2)], axis=0)


def test_a_trained_run_is_the_mean_of_the_folds_that_are_done():
    np.testing.assert_allclose(A.predict(Said(FOUND)), mean("a"), rtol=1e-6)
    np.testing.assert_array_equal(A.predict(some("a1")), FOUND[Unit("a", 1)])
    assert A.predict(some("b0")) is None and A.predict_fold(some("a1"), 0) is None


@pytest.mark.parametrize("weights", [np.array([0.2, 0.3, 0.5]), RNG.dirichlet([1, 1, 1], 3).T])
def test_a_blend_of_some_members_has_their_weights_made_to_sum_to_one(weights):
    blend = Blend((A, B, C), "mean", weights, exclusive=False)
    whole = mean_blend(np.stack([mean(run) for run in "abc"]).astype(float), weights)
    np.testing.assert_allclose(blend.predict(Said(FOUND)), whole, rtol=1e-5)
    rest = weights[[0, 2]] / weights[[0, 2]].sum(axis=0)
    part = mean_blend(np.stack([FOUND[Unit("a", 0)], mean("c")]).astype(float), rest)
    np.testing.assert_allclose(blend.predict(some("a0", "c0", "c1")), part, rtol=1e-5)
    assert blend.predict(Said({})) is None and blend.predict_fold(some("a0", "b0"), 0) is None


def test_a_blend_of_ranks_ranks_what_it_is_given():
    blend = Blend((A, B), "rank", np.array([0.5, 0.5]), exclusive=True)
    np.testing.assert_allclose(blend.predict(some("a0")), to_ranks(FOUND[Unit("a", 0)]), rtol=1e-6)


def test_a_fold_of_a_blend_has_the_weights_learned_without_it():
    blend = Blend((A, B), "mean", np.array([0.5, 0.5]), False, {1: np.array([1.0, 0.0])})
    np.testing.assert_allclose(blend.predict_fold(Said(FOUND), 1), FOUND[Unit("a", 1)], rtol=1e-6)
    both = (FOUND[Unit("a", 0)] + FOUND[Unit("b", 0)]) / 2
    np.testing.assert_allclose(blend.predict_fold(Said(FOUND), 0), both, rtol=1e-6)


def test_a_stack_asks_each_level2_model_about_the_fold_it_has_not_seen():
    stack = Stack("s", (A, B), {0: Sum(1.0), 1: Sum(2.0)}, per_fold=True)
    by_fold = [FOUND[Unit("a", k)] + FOUND[Unit("b", k)] + k + 1 for k in range(2)]
    np.testing.assert_allclose(stack.predict(Said(FOUND)), np.mean(by_fold, axis=0), rtol=1e-5)
    np.testing.assert_allclose(stack.predict(some("a0", "a1", "b1")), by_fold[1], rtol=1e-5)
    assert stack.predict_fold(Said(FOUND), 2) is None


def test_a_stack_of_means_and_what_stands_in_for_it():
    stack = Stack("s", (A, B), {0: Sum(1.0), 1: Sum(3.0)}, per_fold=False)
    np.testing.assert_allclose(stack.predict(Said(FOUND)), mean("a") + mean("b") + 2, rtol=1e-5)
    np.testing.assert_allclose(stack.predict(some("b0")), FOUND[Unit("b", 0)], rtol=1e-6)
    assert stack.predict(Said({})) is None


def test_images_become_subjects_before_runs_are_put_together():
    def join(values):
        return values.reshape(3, 2, 3).max(axis=1)

    blend = Blend((A, B), "mean", np.array([0.5, 0.5]), exclusive=False)
    want = (join(mean("a")) + join(mean("b"))) / 2
    np.testing.assert_allclose(blend.predict(Said(FOUND, join)), want, rtol=1e-5)


def test_order_goes_round_the_runs_by_weight_then_by_score_and_best_folds_first():
    light = Blend((A, B, C), "mean", np.array([0.6, 0.2, 0.2]), exclusive=False)
    assert [f"{unit.run}{unit.fold}" for unit in order_units(light)] == ["a1", "b1", "c1", "a0", "b0", "c0"]
    stack = Stack("s", (A, B), {}, per_fold=True)
    assert [unit.run for unit in order_units(stack)] == ["b", "a", "b", "a"]
    twice = Blend(
        (A, Blend((A, B), "mean", np.array([0.5, 0.5]), False)), "mean", np.array([0.4, 0.6]), False
    )
    assert len(order_units(twice)) == 4


def test_weights_of_none_become_equal():
    np.testing.assert_allclose(renormalise(np.array([[0.0, 0.1], [0.0, 0.3]])), [[0.5, 0.25], [0.5, 0.75]])


def test_json_brings_the_tree_back():
    level2 = {0: Sum(1.0), 1: Sum(2.0)}
    inner = Blend((A, B), "geometric", np.array([0.25, 0.75]), True, {0: np.array([1.0, 0.0])})
    tree = Blend((Stack("s", (inner, C), level2, True), C), "mean", RNG.dirichlet([1, 1], 3).T, False)
    back = node_of(json.loads(json.dumps(tree.to_dict())), {"s": level2}.get)
    assert back.to_dict() == tree.to_dict() and order_units(back) == order_units(tree)
    np.testing.assert_array_equal(back.predict(Said(FOUND)), tree.predict(Said(FOUND)))
