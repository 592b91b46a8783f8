"""Samplers: how often classes and images come, against their definitions; PK batches one by one."""

import numpy as np
import pytest

from compkit.data import (
    EffectiveNumberSampler,
    FrequencySampler,
    PKSampler,
    Shuffle,
    WeightedSampler,
    training_windows,
)
from compkit.data.samplers import image_weights
from compkit.losses.class_weights import class_weights
from compkit.types import Task

LABELS = np.repeat(np.arange(4), [400, 100, 25, 4])
ALL_SAMPLERS = [
    Shuffle(),
    FrequencySampler(),
    FrequencySampler(power=0.5),
    EffectiveNumberSampler(),
    WeightedSampler([1, 2, 3, 4]),
    PKSampler(),
]


def rng(*seed):
    return np.random.default_rng([*seed])


def shares_of(sampler, labels, samples=200_000):
    sampler.samples = samples
    return np.bincount(labels[sampler.order(labels, 8, rng(0))], minlength=labels.max() + 1) / samples


@pytest.mark.parametrize("sampler", ALL_SAMPLERS, ids=lambda sampler: type(sampler).__name__)
def test_order_is_positions_that_depend_on_the_generator_alone(sampler):
    order = sampler.order(LABELS, 16, rng(1))
    assert order.dtype == np.int64 and order.ndim == 1
    assert order.min() >= 0 and order.max() < len(LABELS)
    assert abs(len(order) - len(LABELS)) < 16
    np.testing.assert_array_equal(sampler.order(LABELS, 16, rng(1)), order)
    assert (sampler.order(LABELS, 16, rng(2)) != order).any()


def test_shuffle_shows_each_image_once():
    order = Shuffle().order(LABELS, 8, rng(0))
    np.testing.assert_array_equal(np.sort(order), np.arange(len(LABELS)))
    np.testing.assert_array_equal(order, rng(0).permutation(len(LABELS)))


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_classes_come_in_proportion_to_a_power_of_their_size(power):
    counts = np.bincount(LABELS)
    want = counts ** (1 - power) / (counts ** (1 - power)).sum()
    np.testing.assert_allclose(shares_of(FrequencySampler(power=power), LABELS), want, rtol=0.06)


@pytest.mark.parametrize("beta", [0.0, 0.9, 0.999])
def test_effective_number_draws_as_the_loss_weighs(beta):
    counts = np.bincount(LABELS)
    want = counts * class_weights("effective_number", counts, beta)
    np.testing.assert_allclose(
        shares_of(EffectiveNumberSampler(beta=beta), LABELS), want / want.sum(), rtol=0.06
    )


def test_given_weights_multiply_what_is_there():
    want = np.bincount(LABELS) * [1, 0, 4, 10]
    np.testing.assert_allclose(
        shares_of(WeightedSampler([1, 0, 4, 10]), LABELS), want / want.sum(), rtol=0.06
    )


def test_a_class_missing_from_the_fold_is_no_obstacle():
    labels = np.repeat([0, 3], [30, 10])
    for sampler in (FrequencySampler(), EffectiveNumberSampler()):
        assert set(labels[sampler.order(labels, 8, rng(0))]) == {0, 3}


def test_samples_set_the_length_of_the_epoch():
    assert len(FrequencySampler(samples=77.0).order(LABELS, 8, rng(0))) == 77


def test_images_with_several_labels():
    labels = np.array([[1, 0, 0], [1, 1, 0], [0, 1, 1], [0, 0, 0]], np.float32)
    weights = np.array([1.0, 4.0, 10.0])
    np.testing.assert_allclose(image_weights(labels, weights, "mean"), [1, 2.5, 7, 1])
    np.testing.assert_allclose(image_weights(labels, weights, "max"), [1, 4, 10, 1])


def test_rare_labels_come_more_often():
    labels = np.zeros((1000, 2), np.float32)
    labels[:900, 0], labels[950:, 1] = 1, 1
    seen = labels[FrequencySampler(samples=50_000).order(labels, 8, rng(0))].mean(axis=0)
    # weights 1/900 (900 images and the 50 without a label) and 1/50: 900 : 50 * 18 of 1850
    np.testing.assert_allclose(seen, [900 / 1850, 900 / 1850], rtol=0.03)


def batches_of(sampler, labels, batch_size, *seed):
    order = sampler.order(labels, batch_size, rng(*seed))
    assert len(order) % batch_size == 0
    return order.reshape(-1, batch_size)


@pytest.mark.parametrize("images_per_class", [2, 4, 8])
def test_pk_batches_hold_k_images_of_distinct_classes(images_per_class):
    labels = rng(0).permutation(np.repeat(np.arange(20), rng(1).integers(1, 30, 20)))
    counts = np.bincount(labels)
    batches = batches_of(PKSampler(images_per_class), labels, 32, 0)
    assert len(batches) == len(labels) // 32
    for batch in batches:
        classes, sizes = np.unique(labels[batch], return_counts=True)
        assert len(classes) == 32 // images_per_class and set(sizes) == {images_per_class}
        for one in classes:
            images = batch[labels[batch] == one]
            assert len(set(images)) == min(images_per_class, counts[one])


def test_pk_uses_all_classes_and_images_of_balanced_data_equally_often():
    labels = np.arange(240) % 12
    seen = np.zeros(240)
    for epoch in range(8):
        order = PKSampler(4).order(labels, 16, rng(epoch))
        assert len(order) == 240
        np.testing.assert_array_equal(np.bincount(labels[order]), 20)
        seen += np.bincount(order, minlength=240)
    assert (seen == 8).all()


def test_pk_shows_classes_equally_often_however_large():
    seen = np.bincount(LABELS[PKSampler(4).order(LABELS, 8, rng(0))])
    assert seen.max() - seen.min() <= 4


@pytest.mark.parametrize("accumulate, world", [(1, 1), (3, 1), (1, 2), (2, 2), (2, 3)])
def test_pk_batches_reach_the_ranks_whole(accumulate, world):
    sampler, labels = PKSampler(4), np.arange(230) % 10
    rows = np.arange(1000, 1230)
    order = rows[sampler.order(labels, 16, rng(0))]
    windows = training_windows(order, 16, accumulate, world, 0, 0, whole_batches=sampler.whole_batches)
    dealt = [draw for window in windows for rank in window for draw in rank]
    assert len(order) // 16 - len(dealt) < world
    for draw in dealt:
        assert np.unique(labels[draw.rows - 1000], return_counts=True)[1].tolist() == [4] * 4


def test_ranks_share_one_global_draw():
    """Weighted sampling is of the whole fold: two ranks see in a step what one process sees with two micro-batches."""
    order = FrequencySampler().order(LABELS, 8, rng(0))
    one = training_windows(order, 8, 2, 1, 0, 0)
    two = training_windows(order, 8, 1, 2, 0, 0)
    for single, double in zip(one, two, strict=True):
        together = [row for rank in double for draw in rank for row in draw.rows]
        assert together == [row for draw in single[0] for row in draw.rows]


@pytest.mark.parametrize("sampler", ALL_SAMPLERS, ids=lambda sampler: type(sampler).__name__)
@pytest.mark.parametrize("task", Task)
def test_tasks(sampler, task):
    if task in sampler.tasks:
        return sampler.check_task(task)
    with pytest.raises(ValueError, match=f"sampler={sampler.name} .* task is {task}"):
        sampler.check_task(task)


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: FrequencySampler(power=2), "sampler.power: got 2"),
        (lambda: FrequencySampler(samples=0), "sampler.samples: got 0"),
        (lambda: FrequencySampler(several="sum"), "sampler.several: got 'sum'"),
        (lambda: EffectiveNumberSampler(beta=1), "sampler.beta: got 1"),
        (lambda: WeightedSampler(None), "sampler.class_weight: got None"),
        (lambda: WeightedSampler([1, -1]), "sampler.class_weight"),
        (lambda: WeightedSampler([0, 0]), "not all 0"),
        (lambda: PKSampler(1), "sampler.images_per_class: got 1"),
        (lambda: WeightedSampler([1, 2]).order(LABELS, 8, rng(0)), "2 weights given for 4 classes"),
        (lambda: WeightedSampler([1, 2, 3]).order(np.eye(2), 8, rng(0)), "3 weights given for 2 labels"),
        (lambda: WeightedSampler([0, 0, 0, 0, 1]).order(LABELS, 8, rng(0)), "weight above 0"),
        (lambda: FrequencySampler().order(np.zeros((4, 2)), 8, rng(0)), "weight above 0"),
        (lambda: PKSampler(4).order(LABELS, 10, rng(0)), "no multiple of sampler.images_per_class=4"),
        (lambda: PKSampler(4).order(LABELS, 20, rng(0)), "needs 5 classes, the training rows have 4.*=16"),
    ],
)
def test_refuses(make, words):
    with pytest.raises(ValueError, match=words):
        make()
