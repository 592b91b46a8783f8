"""Policies: their tables and ranges are the papers', their randomness is the seed's alone."""

from collections import Counter

import albumentations as A
import numpy as np
import pytest
from torchvision import transforms as T

from compkit.augment import OPERATIONS, AutoAugment, Operation, RandAugment, TrivialAugment
from compkit.augment.operations import DRAWN, Extent, extents, paper_extents, wide_extents
from compkit.augment.tables import POLICIES

H, W = 120, 200
COLOURS = ("Brightness", "Color", "Contrast", "Sharpness")


@pytest.mark.parametrize("name", POLICIES)
def test_tables_are_the_paper_s(name):
    reference = T.AutoAugment(T.AutoAugmentPolicy(name)).policies
    want = [tuple((op, p, (level or 0) / 9) for op, p, level in pair) for pair in reference]
    assert POLICIES[name] == want and len(want) == 25


def assert_same_ranges(ours, reference, bins):
    for name, (amounts, signed) in reference.items():
        extent = ours.get(name, Extent(0, 0))
        got = [extent.amount(level / (bins - 1), 1) for level in range(bins)] if amounts.ndim else [0.0]
        if name == "Posterize":
            got = [round(one) for one in got]
        np.testing.assert_allclose(got, amounts.reshape(-1), rtol=1e-6, atol=1e-6, err_msg=name)
        assert extent.signed == signed


def test_ranges_of_randaugment():
    reference = T.RandAugment(num_magnitude_bins=11)._augmentation_space(11, (H, W))
    assert_same_ranges(extents(H, W), reference, bins=11)
    assert set(reference) == set(DRAWN)


def test_ranges_of_trivialaugment():
    reference = T.TrivialAugmentWide()._augmentation_space(31)
    assert_same_ranges(wide_extents(H, W), reference, bins=31)
    assert set(reference) == set(DRAWN)


def test_ranges_of_autoaugment():
    reference = T.AutoAugment()._augmentation_space(10, (H, W))
    same = {name: space for name, space in reference.items() if name not in COLOURS}
    assert_same_ranges(paper_extents(H, W), same, bins=10)
    for name in COLOURS:  # table 6 of the paper: factors from 0.1 to 1.9, without a sign
        extent = paper_extents(H, W)[name]
        assert not extent.signed
        np.testing.assert_allclose([1 + extent.amount(s, 1) for s in (0, 0.5, 1)], [0.1, 1.0, 1.9])


def drawn(policy, channels=3, number=4000):
    """Steps of many pictures."""
    policy.set_random_seed(0)
    return [policy.draw(channels) for _ in range(number)]


def test_autoaugment_follows_its_probabilities():
    pictures = drawn(AutoAugment("cifar10"), number=20000)
    counts = Counter(step.name for steps in pictures for step in steps)
    want = Counter()
    for pair in POLICIES["cifar10"]:
        for name, p, _ in pair:
            want[name] += p / 25
    for name, expected in want.items():
        assert abs(counts[name] / len(pictures) - expected) < 0.02


def test_randaugment_draws_evenly_at_one_strength():
    pictures = drawn(RandAugment(num_operations=3, magnitude=7))
    assert {len(steps) for steps in pictures} == {3}
    steps = [step for steps in pictures for step in steps]
    assert {step.strength for step in steps} == {0.7}
    counts = Counter(step.name for step in steps)
    assert set(counts) == set(DRAWN) and min(counts.values()) > 0.85 * len(steps) / 14
    assert abs(np.mean([step.sign for step in steps])) < 0.05


def test_trivialaugment_draws_every_strength():
    pictures = drawn(TrivialAugment())
    assert {len(steps) for steps in pictures} == {1}
    assert {round(steps[0].strength * 30) for steps in pictures} == set(range(31))


@pytest.mark.parametrize(
    "policy", [AutoAugment(), RandAugment(), TrivialAugment(), Operation("Color", p=1.0)]
)
def test_color_is_never_drawn_for_grey_pictures(policy):
    assert "Color" not in {step.name for steps in drawn(policy, channels=1, number=500) for step in steps}


def test_what_is_left_out_is_not_drawn():
    left = ("Invert", "Equalize", "Rotate")
    for policy in (AutoAugment(leave_out=left), RandAugment(leave_out=left), TrivialAugment(leave_out=left)):
        assert not set(left) & {step.name for steps in drawn(policy, number=500) for step in steps}


def test_operation_draws_its_strength():
    strengths = [steps[0].strength for steps in drawn(Operation("Rotate", strength=[0.2, 0.6]))]
    assert 0.2 <= min(strengths) < 0.21 and 0.59 < max(strengths) <= 0.6


POLICY_LIST = [
    AutoAugment("imagenet"), AutoAugment("svhn"), RandAugment(), TrivialAugment(), *map(Operation, OPERATIONS)
]  # fmt: skip


@pytest.mark.parametrize(
    "policy", POLICY_LIST, ids=lambda policy: getattr(policy, "name", type(policy).__name__)
)
def test_the_seed_decides_and_global_generators_do_not(policy):
    image = np.random.default_rng(0).integers(0, 256, (24, 20, 3), dtype=np.uint8)
    compose = A.Compose([policy])

    def pictures(seed):
        np.random.seed(np.random.default_rng().integers(2**31))
        compose.set_random_seed(seed)
        return np.stack([compose(image=image)["image"] for _ in range(12)])

    np.testing.assert_array_equal(pictures(3), pictures(3))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: AutoAugment(policy="mnist"), "policy: got 'mnist'.*imagenet"),
        (lambda: RandAugment(magnitude=30), "magnitude: got 30.*<= 10"),
        (lambda: RandAugment(num_operations=0), "num_operations: got 0"),
        (lambda: RandAugment(fill=128), "fill: got 128.*<= 1"),
        (lambda: TrivialAugment(leave_out=["rotate"]), "leave_out: got 'rotate'.*Rotate"),
        (lambda: TrivialAugment(leave_out=OPERATIONS), "nothing to draw"),
        (lambda: Operation("Twist"), "name: got 'Twist'"),
        (lambda: Operation("Rotate", strength=[0.8, 0.2]), "strength of Rotate.*smallest, largest"),
        (lambda: Operation("Rotate", strength=0.5), "strength.*0.5"),
        (lambda: Operation("Rotate", strength=[0, "far"]), "strength"),
    ],
)
def test_mistakes_are_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
