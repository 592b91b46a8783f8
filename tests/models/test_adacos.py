"""The scale that follows training: its formula, its state, several ranks."""

import math

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import Tensor

from compkit.models import AdaCosHead
from compkit.models.adacos import main_labels
from compkit.types import Moment, Targets

D, C = 5, 7
MOMENT = Moment(step=1, epoch=0.1, epochs=1)


def head(seed: int = 0, **arguments) -> AdaCosHead:
    torch.manual_seed(seed)
    return AdaCosHead(D, C, **arguments)


def batch(rows: int, seed: int) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(100 + seed)
    return torch.randn(rows, D, generator=draw), torch.randint(0, C, (rows,), generator=draw)


def statistics(adacos: AdaCosHead, embeddings: Tensor, labels: Tensor, scale: float) -> tuple[float, float]:
    """Mean sum over the wrong classes, and the lower median angle, in plain float64."""
    x, w = embeddings.double().numpy(), adacos.weight.detach().double().numpy()
    cosine = (x / np.linalg.norm(x, axis=1)[:, None]) @ (w / np.linalg.norm(w, axis=1)[:, None]).T
    sums = [
        sum(math.exp(scale * row[c]) for c in range(C) if c != y)
        for row, y in zip(cosine, labels, strict=True)
    ]
    angles = sorted(math.acos(row[y]) for row, y in zip(cosine, labels, strict=True))
    return float(np.mean(sums)), angles[(len(angles) - 1) // 2]


def formula(others: float, angle: float) -> float:
    return math.log(others) / math.cos(min(math.pi / 4, angle))


@pytest.mark.parametrize("rows", [5, 6])
def test_scale_follows_the_formula_step_by_step(rows: int) -> None:
    adacos, scale = head(), math.sqrt(2) * math.log(C - 1)
    for step in range(3):
        embeddings, labels = batch(rows, step)
        embeddings += 3 * adacos.weight.detach()[labels] / adacos.weight.detach().norm() * (step > 0)
        logits = adacos(embeddings, Targets(labels)).logits
        torch.testing.assert_close(logits, scale * adacos.cosines(embeddings))  # the scale from before
        scale = formula(*statistics(adacos, embeddings, labels, scale))
        adacos.set_moment(MOMENT)
        assert adacos.scale.item() == pytest.approx(scale, rel=1e-5)


def test_micro_batches_of_a_step_see_one_scale_and_are_averaged() -> None:
    adacos, start = head(), head().scale.item()
    (x1, y1), (x2, y2) = batch(6, 0), batch(3, 1)
    adacos(x1, Targets(y1))
    assert adacos.scale.item() == start
    adacos(x2, Targets(y2))
    (b1, a1), (b2, a2) = statistics(adacos, x1, y1, start), statistics(adacos, x2, y2, start)
    adacos.set_moment(MOMENT)
    assert adacos.scale.item() == pytest.approx(
        formula((6 * b1 + 3 * b2) / 9, (6 * a1 + 3 * a2) / 9), rel=1e-5
    )


def test_nothing_moves_without_training() -> None:
    adacos, start = head(), head().scale.item()
    embeddings, labels = batch(6, 0)
    adacos.set_moment(MOMENT)  # before the first step
    adacos(embeddings)
    adacos.eval()(embeddings, Targets(labels))
    adacos.set_moment(MOMENT)
    assert adacos.scale.item() == start


def test_fixed_scale_and_two_classes_stay() -> None:
    two = AdaCosHead(D, 2)
    assert two.scale.item() == pytest.approx(math.log(99) / 2)
    for adacos in (head(dynamic=False), two):
        before = adacos.scale.clone()
        adacos(batch(6, 0)[0], Targets(torch.zeros(6, dtype=torch.int64)))
        adacos.set_moment(MOMENT)
        assert torch.equal(adacos.scale, before) and torch.equal(adacos.statistics, torch.zeros(3))


def test_three_classes_never_get_a_negative_scale() -> None:
    adacos = AdaCosHead(2, 3)
    adacos.weight.data = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [-1.0, 0.0]])
    adacos(torch.tensor([[1.0, 0.0]]), Targets(torch.tensor([0])))
    assert adacos.statistics[0] < 1  # its logarithm is negative
    adacos.set_moment(MOMENT)
    assert adacos.scale.item() == pytest.approx(math.sqrt(2) * math.log(2))


def test_a_resumed_step_ends_in_the_same_bits() -> None:
    embeddings, labels = batch(6, 0)
    straight = head()
    straight(embeddings, Targets(labels))
    resumed = head(seed=9)
    resumed.load_state_dict(straight.state_dict())
    for adacos in (straight, resumed):
        adacos.set_moment(MOMENT)
    assert torch.equal(straight.scale, resumed.scale)


def test_mixed_and_soft_labels_count_for_their_largest_share() -> None:
    labels, order = torch.tensor([0, 1, 2]), torch.tensor([1, 2, 0])
    mixed = Targets(labels, other=labels[order], share=torch.tensor([0.7, 0.2, 0.5]))
    assert main_labels(mixed).tolist() == [0, 2, 2]
    soft = torch.eye(3)[labels] * 0.6 + 0.1
    assert main_labels(Targets(soft)).tolist() == [0, 1, 2]
    assert main_labels(mixed._replace(labels=soft, other=soft[order])).tolist() == [0, 2, 2]


def test_typical_angle_makes_the_scale_finite_for_zeros_and_parallel_embeddings() -> None:
    for embeddings in (torch.zeros(4, D), head().weight.detach()[:4], -head().weight.detach()[:4]):
        adacos = head()
        adacos(embeddings, Targets(torch.arange(4)))
        adacos.set_moment(MOMENT)
        assert adacos.scale.isfinite() and adacos.scale > 0


def test_ranks_take_over_the_same_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two ranks with a micro-batch each end where one process with both ends."""
    ranks, alone = [head(), head()], head()
    for adacos, seed, rows in zip(ranks, (0, 1), (6, 3), strict=True):
        embeddings, labels = batch(rows, seed)
        for learner in (adacos, alone):
            learner(embeddings, Targets(labels))
    alone.set_moment(MOMENT)
    total = sum(adacos.statistics.clone() for adacos in ranks)
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "all_reduce", lambda value: value.copy_(total))
    for adacos in ranks:
        adacos.set_moment(MOMENT)
        torch.testing.assert_close(adacos.scale, alone.scale)
        assert torch.equal(adacos.statistics, torch.zeros(3))
