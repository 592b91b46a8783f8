"""What holds for every loss."""

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import get_class, instantiate
from torch import Tensor

from compkit.losses import (
    BCE,
    MAE,
    MSE,
    BinaryDice,
    BinaryFocalLoss,
    CrossEntropy,
    Dice,
    FocalLoss,
    Hinge,
    Huber,
    Loss,
    LovaszMultilabel,
    LovaszSoftmax,
    SetLoss,
    SoftFBeta,
    SoftmaxFBeta,
    TopK,
)
from compkit.losses.loss import OPTIONS, soft_labels
from compkit.types import Outputs, Targets, Task

CONF = Path(__file__).parents[2] / "conf"
C = 4
COUNTS = np.array([9, 5, 3, 1])

Labels = Callable[[int], Tensor]


def indices(rows: int) -> Tensor:
    return torch.randint(0, C, (rows,))


def mixed(rows: int) -> Tensor:
    return torch.rand(rows, C, dtype=torch.float64).softmax(dim=1)


def labels(rows: int) -> Tensor:
    return torch.randint(0, 2, (rows, C)).double()


def numbers(rows: int) -> Tensor:
    return torch.randn(rows, C, dtype=torch.float64)


WEIGHTED = {"class_weight": "inverse_frequency", "class_counts": COUNTS}
ALL_LOSSES: list[tuple[Loss, Labels]] = [
    (CrossEntropy(), indices),
    (CrossEntropy(), mixed),
    (CrossEntropy(smoothing=0.1), indices),
    (CrossEntropy(class_weight=[1, 2, 3, 4], class_counts=COUNTS), indices),
    (CrossEntropy(smoothing=0.1, **WEIGHTED), indices),
    (CrossEntropy(smoothing=0.1, **WEIGHTED), mixed),
    (CrossEntropy(class_weight="effective_number", beta=0.9, class_counts=COUNTS), indices),
    (BCE(), labels),
    (BCE(), mixed),
    (BCE(smoothing=0.1, pos_weight=2, **WEIGHTED), labels),
    (BCE(pos_weight=[1, 2, 3, 4], class_counts=COUNTS), labels),
    (MSE(), numbers),
    (MSE(column_weight=[1, 2, 3, 4]), numbers),
    (MAE(), numbers),
    (MAE(column_weight=[1, 2, 3, 4]), numbers),
    (Huber(delta=0.5), numbers),
    (Huber(column_weight=[1, 2, 3, 4]), numbers),
    (CrossEntropy(reduce=TopK(fraction=0.5)), indices),
    (CrossEntropy(smoothing=0.1, reduce=TopK(count=2), **WEIGHTED), indices),
    (BCE(reduce=TopK(fraction=0.7)), labels),
    (MAE(reduce=TopK(count=2)), numbers),
    (FocalLoss(), indices),
    (FocalLoss(gamma=0.5), mixed),
    (FocalLoss(smoothing=0.1, reduce=TopK(fraction=0.5), **WEIGHTED), indices),
    (FocalLoss(smoothing=0.1, **WEIGHTED), mixed),
    (BinaryFocalLoss(), labels),
    (BinaryFocalLoss(gamma=0.5, alpha=0.25, smoothing=0.1, **WEIGHTED), mixed),
    (Hinge(), indices),
    (Hinge(margin=0.5, **WEIGHTED), indices),
    (Hinge(**WEIGHTED), mixed),
    (SoftFBeta(beta=2), labels),
    (SoftFBeta(axis="class", smooth=0.1), labels),
    (SoftFBeta(axis="all"), mixed),
    (SoftmaxFBeta(beta=2), indices),
    (SoftmaxFBeta(), mixed),
    (Dice(), indices),
    (Dice(smooth=0), mixed),
    (BinaryDice(), labels),
    (LovaszSoftmax(), indices),
    (LovaszMultilabel(), labels),
    (LovaszMultilabel(axis="class"), labels),
    (LovaszMultilabel(axis="all"), labels),
]


def losses_with(holds: Callable[[Loss], bool]) -> pytest.MarkDecorator:
    """Those of ALL_LOSSES for which something holds."""
    return pytest.mark.parametrize("loss, targets_of", [pair for pair in ALL_LOSSES if holds(pair[0])])


def is_exact(loss: Loss) -> bool:
    """Whether its micro-batches add up to the large batch."""
    return not loss.per_batch and not isinstance(loss.reduce, TopK)


every_loss = losses_with(lambda loss: True)
per_sample_losses = losses_with(lambda loss: not loss.per_batch)
exact_losses = losses_with(is_exact)
per_sample_losses_taking_mixed = losses_with(lambda loss: not loss.per_batch and loss.takes_mixed)
set_losses_taking_mixed = losses_with(lambda loss: loss.per_batch and loss.takes_mixed)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@every_loss
def test_order_of_samples_does_not_matter(loss: Loss, targets_of: Labels) -> None:
    logits, targets, order = numbers(8), targets_of(8), torch.randperm(8)
    torch.testing.assert_close(loss(logits[order], targets[order]), loss(logits, targets))


@per_sample_losses
def test_a_sample_costs_the_same_in_any_company(loss: Loss, targets_of: Labels) -> None:
    logits, targets, order = numbers(8), targets_of(8), torch.randperm(8)[:5]
    torch.testing.assert_close(
        loss.per_sample(logits[order], targets[order]), loss.per_sample(logits, targets)[order]
    )


@every_loss
def test_gradient_is_that_of_the_value(loss: Loss, targets_of: Labels) -> None:
    targets = targets_of(3)
    assert torch.autograd.gradcheck(lambda logits: loss(logits, targets), numbers(3).requires_grad_())


@exact_losses
def test_shapes_and_parts(loss: Loss, targets_of: Labels) -> None:
    logits, targets = numbers(5), targets_of(5)
    values, weights = loss.per_sample(logits, targets), loss.sample_weight(targets)
    assert values.shape == weights.shape == (5,)
    torch.testing.assert_close(loss(logits, targets), values.sum() / weights.sum(), check_dtype=False)


@per_sample_losses_taking_mixed
def test_mixed_images_cost_both_labels_by_their_shares(loss: Loss, targets_of: Labels) -> None:
    logits, labels = numbers(6), targets_of(6)
    order, share = torch.randperm(6), torch.rand(6).double()
    mix = Targets(labels, labels[order], share)
    want = share * loss.per_sample(logits, labels) + (1 - share) * loss.per_sample(logits, labels[order])
    torch.testing.assert_close(loss.values(Outputs(logits), mix), want)
    weights = share * loss.sample_weight(labels) + (1 - share) * loss.sample_weight(labels[order])
    torch.testing.assert_close(loss(logits, mix), loss.reduce(want, weights))


@set_losses_taking_mixed
def test_mixed_images_have_soft_labels_in_a_set(loss: SetLoss, targets_of: Labels) -> None:
    logits, labels, order = numbers(6), targets_of(6), torch.randperm(6)
    rows = labels if labels.is_floating_point() else torch.nn.functional.one_hot(labels, C).double()
    want = loss.of_batch(logits, 0.7 * rows + 0.3 * rows[order])
    mix = Targets(labels, labels[order], torch.full((6,), 0.7, dtype=torch.float64))
    torch.testing.assert_close(loss(logits, mix), want)


@losses_with(lambda loss: loss.takes_mixed)
def test_one_label_for_both_halves_is_not_mixed(loss: Loss, targets_of: Labels) -> None:
    logits, labels = numbers(6), targets_of(6)
    mix = Targets(labels, labels, torch.rand(6).double())
    torch.testing.assert_close(loss(logits, mix), loss(logits, labels), check_dtype=False)


@every_loss
def test_views_of_an_image_are_averaged(loss: Loss, targets_of: Labels) -> None:
    views, labels = (numbers(6), numbers(6)), targets_of(6)
    value = loss(Outputs(views[0], views=views), Targets(labels))
    if is_exact(loss) or loss.per_batch:
        torch.testing.assert_close(value, (loss(views[0], labels) + loss(views[1], labels)) / 2)
    else:
        both = sum(loss.per_sample(view, labels) for view in views) / 2
        torch.testing.assert_close(value, loss.reduce(both, loss.sample_weight(labels)))


def test_soft_labels_of_masks() -> None:
    masks, order = torch.randint(0, C, (3, 2, 2)), torch.tensor([2, 0, 1])
    share = torch.tensor([0.9, 0.5, 1.0])
    soft = soft_labels(Targets(masks, masks[order], share), C)
    assert soft.shape == (3, C, 2, 2)
    for image, y, x in np.ndindex(3, 2, 2):
        want = torch.zeros(C)
        want[masks[image, y, x]] += share[image]
        want[masks[order[image], y, x]] += 1 - share[image]
        torch.testing.assert_close(soft[image, :, y, x], want)


@every_loss
@pytest.mark.parametrize("extreme", [1e4, -1e4])
def test_finite_at_extreme_logits(loss: Loss, targets_of: Labels, extreme: float) -> None:
    logits = torch.zeros(6, C)
    logits[:, 1] = extreme
    logits.requires_grad_()
    value = loss(logits, targets_of(6))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(logits.grad).all()


@every_loss
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sixteen_bit_logits_give_a_float32_loss(loss: Loss, targets_of: Labels, dtype: torch.dtype) -> None:
    logits, targets = numbers(6).to(dtype), targets_of(6)
    value = loss(logits, targets)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, loss(logits.float(), targets))


@every_loss
def test_autocast_changes_nothing(loss: Loss, targets_of: Labels) -> None:
    logits, targets = numbers(6).float(), targets_of(6)
    with torch.autocast("cpu", torch.bfloat16):
        inside = loss(logits, targets)
    torch.testing.assert_close(inside, loss(logits, targets), rtol=0, atol=0)


@exact_losses
def test_micro_batches_add_up_to_the_large_batch(loss: Loss, targets_of: Labels) -> None:
    targets = targets_of(11)
    whole = numbers(11).requires_grad_()
    parts = whole.detach().clone().requires_grad_()
    value = loss(whole, targets)
    value.backward()
    window = loss.sample_weight(targets).sum().double()
    total = 0.0
    for rows in torch.arange(11).split(4):  # 4 + 4 + 3: the last one is smaller
        share = loss.sample_weight(targets[rows]).sum().double() / window
        part = loss(parts[rows], targets[rows]) * share
        part.backward()
        total += part.item()
    assert total == pytest.approx(value.item(), rel=1e-6)
    torch.testing.assert_close(parts.grad, whole.grad, rtol=1e-6, atol=1e-9)


@every_loss
def test_weights_are_no_part_of_a_checkpoint(loss: Loss, targets_of: Labels) -> None:
    assert loss.state_dict() == {}


@functools.cache
def config(option: str, *overrides: str) -> dict:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(f"loss/{option}", overrides=list(overrides)).loss


OPTION_NAMES = sorted(path.stem for path in (CONF / "loss").glob("*.yaml"))


def trainable(node: dict) -> set[Task]:
    """The tasks that a loss of compkit's can train; a sum those of all its terms."""
    if "terms" in node:
        return set.intersection(*(trainable(term) for term in node["terms"].values()))
    return set(get_class(node["_target_"]).tasks)


@pytest.mark.parametrize("option", [option for option in OPTION_NAMES if option != "custom"])
def test_option_builds(option: str) -> None:
    loss = instantiate(config(option), _convert_="all")(class_counts=COUNTS)
    assert isinstance(loss, Loss)
    loss.prepare(num_features=C)
    targets = {Task.MULTICLASS: indices, Task.MULTILABEL: labels, Task.REGRESSION: numbers}[loss.tasks[0]](6)
    outputs = Outputs(numbers(6).float(), features=numbers(6).float())
    assert torch.isfinite(loss(outputs, Targets(targets)))


class Mine(Loss):
    """What a user writes."""

    def per_sample(self, inputs: Tensor, labels: Tensor) -> Tensor:
        return (inputs.logsumexp(dim=1) - inputs.gather(1, labels[:, None])[:, 0]) ** 2


def test_a_loss_of_the_users_own() -> None:
    node = config("custom", f"loss._target_={__name__}.Mine")
    loss = instantiate(node, _convert_="all")(class_counts=COUNTS)
    logits, targets = numbers(6), indices(6)
    want = torch.nn.functional.cross_entropy(logits, targets, reduction="none").square().mean()
    torch.testing.assert_close(loss(logits, targets), want)
    for task in Task:
        loss.check_task(task)


def test_ohem_is_cross_entropy_of_the_hard_samples() -> None:
    ohem, plain = config("ohem"), config("cross_entropy")
    assert ohem["reduce"]["_target_"] == "compkit.losses.TopK"
    assert {**ohem, "reduce": None} == {**plain, "reduce": None}


@pytest.mark.parametrize("option", ["cross_entropy", "label_smoothing", "focal", "hinge"])
def test_reduce_is_a_group_of_its_own(option: str) -> None:
    chosen = config(option, "loss/reduce=top_k", "loss.reduce.fraction=0.3")
    loss = instantiate(chosen, _convert_="all")(class_counts=COUNTS)
    assert loss.reduce.num_kept(10) == 3


def test_label_smoothing_is_cross_entropy_with_smoothing() -> None:
    assert config("label_smoothing") == {**config("cross_entropy"), "smoothing": 0.1}


@pytest.mark.parametrize("task", Task)
def test_the_advice_names_the_options_that_fit(task: Task) -> None:
    fitting = {name for name in OPTION_NAMES if name != "custom" and task in trainable(config(name))}
    assert set(OPTIONS[task].split(", ")) == fitting


@every_loss
@pytest.mark.parametrize("task", Task)
def test_another_task_is_refused(loss: Loss, targets_of: Labels, task: Task) -> None:
    if task in loss.tasks:
        loss.check_task(task)
    else:
        with pytest.raises(ValueError, match=f"{type(loss).__name__}.*{task}.*loss= one of {OPTIONS[task]}"):
            loss.check_task(task)


def test_a_loss_must_say_what_a_sample_costs() -> None:
    with pytest.raises(NotImplementedError):
        Loss()(torch.zeros(1, 1), torch.zeros(1, 1))
