"""Margins against their formulas in angles, written out with arccos in float64."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from torch import Tensor

from compkit.models import arc_margin, cos_margin, dynamic_margins, sphere_margin
from compkit.models.margin import adacos_next_scale, adacos_scale, cosines, smallest_scale, sphere_ease

# up to 0.0011 from 0 and pi: nearer, the sine is held at 0.001
ANGLES = torch.linspace(1.1e-3, math.pi - 1.1e-3, 4001, dtype=torch.float64)
PAIR = torch.stack([ANGLES.cos(), torch.zeros_like(ANGLES)], dim=1)
TRUE = torch.zeros(len(ANGLES), dtype=torch.int64)


def of_true_class(cosine: Tensor) -> Tensor:
    assert (cosine[:, 1] == 0).all(), "the other class has changed"
    return cosine[:, 0]


@pytest.mark.parametrize("margin", [0.0, 0.05, 0.3, 0.5, math.pi / 2])
def test_arc_margin_is_the_angle_formula(margin: float) -> None:
    beyond = ANGLES.cos() - margin * math.sin(math.pi - margin)
    want = torch.where(ANGLES + margin < math.pi, torch.cos(ANGLES + margin), beyond)
    got = of_true_class(arc_margin(PAIR, TRUE, margin))
    torch.testing.assert_close(got, want, rtol=0, atol=1e-12)
    assert (got.diff() < 0).all(), "a larger angle must never look better"


def test_arc_margin_takes_a_margin_for_each_class() -> None:
    cosine = torch.rand(5, 3, dtype=torch.float64) * 1.8 - 0.9
    labels, margins = torch.tensor([0, 1, 2, 2, 1]), torch.tensor([0.1, 0.2, 0.4], dtype=torch.float64)
    rows = [arc_margin(cosine[i : i + 1], labels[i : i + 1], margins[labels[i]].item()) for i in range(5)]
    torch.testing.assert_close(arc_margin(cosine, labels, margins), torch.cat(rows))


def test_cos_margin_is_a_difference() -> None:
    torch.testing.assert_close(of_true_class(cos_margin(PAIR, TRUE, 0.35)), ANGLES.cos() - 0.35)
    assert torch.equal(cos_margin(PAIR, TRUE, 0.0), PAIR)


@pytest.mark.parametrize("factor, ease", [*itertools.product([1, 2, 3, 4, 7], [0.0, 5.0, 1000.0])])
def test_sphere_margin_is_the_angle_formula(factor: int, ease: float) -> None:
    k = torch.floor(factor * ANGLES / math.pi)
    psi = (-1) ** k * torch.cos(factor * ANGLES) - 2 * k
    want = (ease * ANGLES.cos() + psi) / (1 + ease)
    got = of_true_class(sphere_margin(PAIR, TRUE, factor, ease))
    torch.testing.assert_close(got, want, rtol=0, atol=1e-9)
    assert (got.diff() < 0).all()


def test_sphere_margin_of_one_is_the_cosine() -> None:
    torch.testing.assert_close(sphere_margin(PAIR, TRUE, 1), PAIR)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_sphere_margin_and_its_slope_at_the_ends(factor: int) -> None:
    cosine = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64, requires_grad=True)
    values = sphere_margin(cosine, torch.tensor([0, 0]), factor)[:, 0]
    torch.testing.assert_close(values.tolist(), [1.0, 1.0 - 2 * factor])
    values.sum().backward()
    # the slope of cos(m theta) over cos(theta) is m^2 at both ends, and psi falls with the angle everywhere
    torch.testing.assert_close(cosine.grad[:, 0].tolist(), [float(factor**2)] * 2)


@pytest.mark.parametrize("step", [0, 1, 10, 1000, 1658, 1659, 10**6])
def test_ease_is_the_formula(step: int) -> None:
    assert sphere_ease(step) == max(5, 1000 / (1 + 0.12 * step))
    assert sphere_ease(step, smallest=0.5) == max(0.5, 1000 / (1 + 0.12 * step))


@pytest.mark.parametrize("margin", [0.3, math.pi / 2])
def test_arc_margin_has_a_finite_slope_at_the_ends(margin: float) -> None:
    cosine = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], requires_grad=True)
    values = arc_margin(cosine, torch.tensor([0, 0]), margin)
    values.sum().backward()
    assert cosine.grad.isfinite().all() and cosine.grad[:, 0].abs().max() <= 1
    want = [math.cos(margin), -1 - margin * math.sin(margin)]
    torch.testing.assert_close(values[:, 0].tolist(), want, atol=1.1e-3, rtol=0)


def test_steepest_slope_of_arc_margin_is_bounded_by_the_held_sine() -> None:
    cosine = torch.linspace(-1, 1, 100_001)[:, None].requires_grad_()
    arc_margin(cosine, torch.zeros(len(cosine), dtype=torch.int64), 0.5).sum().backward()
    assert cosine.grad.abs().max() <= math.sin(0.5) / 1e-3 + 1


def test_dynamic_margins_are_the_formula() -> None:
    counts = np.array([1000, 1, 81, 16])
    rarity = [n ** (-1 / 4) for n in counts]  # 0.178, 1, 1/3, 1/2
    want = [0.05 + 0.45 * (r - min(rarity)) / (max(rarity) - min(rarity)) for r in rarity]
    np.testing.assert_allclose(dynamic_margins(counts, 0.05, 0.5), want)


@pytest.mark.parametrize("counts, want", [([5, 5, 5], [0.275] * 3), ([0, 1, 16], [0.5, 0.5, 0.05])])
def test_dynamic_margins_of_equal_and_of_empty_classes(counts: list[int], want: list[float]) -> None:
    np.testing.assert_allclose(dynamic_margins(np.array(counts), 0.05, 0.5), want)


@pytest.mark.parametrize("classes", [3, 10, 1000, 81313])
def test_fixed_scale_of_adacos(classes: int) -> None:
    assert adacos_scale(classes) == pytest.approx(2**0.5 * np.log(classes - 1))


@pytest.mark.parametrize("classes", [3, 10, 1000])
def test_fixed_scale_of_adacos_bends_the_loss_at_an_eighth_of_a_turn(classes: int) -> None:
    """Where the paper takes it from: at pi/4 the true class has probability 1/2, all others being orthogonal."""
    s = adacos_scale(classes)
    prob = math.exp(s * math.cos(math.pi / 4)) / (math.exp(s * math.cos(math.pi / 4)) + classes - 1)
    assert prob == pytest.approx(0.5)


@pytest.mark.parametrize("classes, prob", [(2, 0.99), (2, 0.7), (10, 0.9), (1000, 0.999)])
def test_smallest_scale_just_reaches_the_probability(classes: int, prob: float) -> None:
    """Between the corners of a regular simplex all cosines are -1 / (C - 1)."""

    def shortfall(scale: float) -> float:
        return 1 / (1 + (classes - 1) * math.exp(-scale * (1 + 1 / (classes - 1)))) - prob

    assert smallest_scale(classes, prob) == pytest.approx(brentq(shortfall, 0, 1000))
    assert adacos_scale(2) == smallest_scale(2, 0.99)


@pytest.mark.parametrize("angle", [0.0, 0.5, math.pi / 4, 1.2, 3.0])
def test_next_scale_of_adacos(angle: float) -> None:
    """At it the true class at the median angle, no further than pi/4, has probability 1/2."""
    others = torch.tensor(37.5, dtype=torch.float64)
    scale = adacos_next_scale(others, torch.tensor(angle, dtype=torch.float64)).item()
    assert math.exp(scale * math.cos(min(angle, math.pi / 4))) == pytest.approx(37.5)


def test_cosines_are_those_of_the_angles() -> None:
    embeddings, classes = torch.randn(50, 8) * 100, torch.randn(20, 8) * 1e-3
    want = np.array(
        [
            [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for b in classes.double().numpy()]
            for a in embeddings.double().numpy()
        ]
    )
    torch.testing.assert_close(
        cosines(embeddings, classes).double(), torch.from_numpy(want), atol=1e-6, rtol=0
    )
    assert cosines(classes, classes).max() <= 1
    assert torch.equal(cosines(torch.zeros(1, 8), classes), torch.zeros(1, 20))
