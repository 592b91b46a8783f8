"""What holds for every loss."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import get_class, instantiate
from torch import Tensor

from compkit.losses import BCE, MAE, MSE, CrossEntropy, Huber, Loss
from compkit.losses.loss import OPTIONS
from compkit.types import Task

CONF = Path(__file__).parents[2] / "conf"
C = 4
COUNTS = np.array([9, 5, 3, 1])

Targets = Callable[[int], Tensor]


def indices(rows: int) -> Tensor:
    return torch.randint(0, C, (rows,))


def mixed(rows: int) -> Tensor:
    return torch.rand(rows, C, dtype=torch.float64).softmax(dim=1)


def labels(rows: int) -> Tensor:
    return torch.randint(0, 2, (rows, C)).double()


def numbers(rows: int) -> Tensor:
    return torch.randn(rows, C, dtype=torch.float64)


WEIGHTED = {"class_weight": "inverse_frequency", "class_counts": COUNTS}
ALL_LOSSES: list[tuple[Loss, Targets]] = [
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
]
every_loss = pytest.mark.parametrize("loss, targets_of", ALL_LOSSES)


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


@every_loss
def test_order_of_samples_does_not_matter(loss: Loss, targets_of: Targets) -> None:
    logits, targets, order = numbers(8), targets_of(8), torch.randperm(8)
    torch.testing.assert_close(
        loss.per_sample(logits[order], targets[order]), loss.per_sample(logits, targets)[order]
    )
    torch.testing.assert_close(loss(logits[order], targets[order]), loss(logits, targets))


@every_loss
def test_gradient_is_that_of_the_value(loss: Loss, targets_of: Targets) -> None:
    targets = targets_of(3)
    assert torch.autograd.gradcheck(lambda logits: loss(logits, targets), numbers(3).requires_grad_())


@every_loss
def test_shapes_and_parts(loss: Loss, targets_of: Targets) -> None:
    logits, targets = numbers(5), targets_of(5)
    values, weights = loss.per_sample(logits, targets), loss.sample_weight(targets)
    assert values.shape == weights.shape == (5,)
    torch.testing.assert_close(loss(logits, targets), values.sum() / weights.sum(), check_dtype=False)


@every_loss
@pytest.mark.parametrize("extreme", [1e4, -1e4])
def test_finite_at_extreme_logits(loss: Loss, targets_of: Targets, extreme: float) -> None:
    logits = torch.zeros(6, C)
    logits[:, 1] = extreme
    logits.requires_grad_()
    value = loss(logits, targets_of(6))
    value.backward()
    assert torch.isfinite(value)
    assert torch.isfinite(logits.grad).all()


@every_loss
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sixteen_bit_logits_give_a_float32_loss(loss: Loss, targets_of: Targets, dtype: torch.dtype) -> None:
    logits, targets = numbers(6).to(dtype), targets_of(6)
    value = loss(logits, targets)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, loss(logits.float(), targets))


@every_loss
def test_autocast_changes_nothing(loss: Loss, targets_of: Targets) -> None:
    logits, targets = numbers(6).float(), targets_of(6)
    with torch.autocast("cpu", torch.bfloat16):
        inside = loss(logits, targets)
    torch.testing.assert_close(inside, loss(logits, targets), rtol=0, atol=0)


@every_loss
def test_micro_batches_add_up_to_the_large_batch(loss: Loss, targets_of: Targets) -> None:
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
def test_weights_are_no_part_of_a_checkpoint(loss: Loss, targets_of: Targets) -> None:
    assert loss.state_dict() == {}


def config(option: str) -> dict:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(f"loss/{option}").loss


OPTION_NAMES = sorted(path.stem for path in (CONF / "loss").glob("*.yaml"))


@pytest.mark.parametrize("option", OPTION_NAMES)
def test_option_builds(option: str) -> None:
    loss = instantiate(config(option), _convert_="all")(class_counts=COUNTS)
    assert isinstance(loss, Loss)
    targets = {Task.MULTICLASS: indices, Task.MULTILABEL: labels, Task.REGRESSION: numbers}[loss.tasks[0]](6)
    assert torch.isfinite(loss(numbers(6).float(), targets))


def test_label_smoothing_is_cross_entropy_with_smoothing() -> None:
    assert config("label_smoothing") == {**config("cross_entropy"), "smoothing": 0.1}


@pytest.mark.parametrize("task", Task)
def test_the_advice_names_the_options_that_fit(task: Task) -> None:
    fitting = {name for name in OPTION_NAMES if task in get_class(config(name)._target_).tasks}
    assert set(OPTIONS[task].split(", ")) == fitting


@every_loss
@pytest.mark.parametrize("task", Task)
def test_another_task_is_refused(loss: Loss, targets_of: Targets, task: Task) -> None:
    if task in loss.tasks:
        loss.check_task(task)
    else:
        with pytest.raises(ValueError, match=f"{type(loss).__name__}.*{task}.*loss= one of {OPTIONS[task]}"):
            loss.check_task(task)


def test_a_loss_must_say_what_a_sample_costs() -> None:
    with pytest.raises(NotImplementedError):
        Loss()(torch.zeros(1, 1), torch.zeros(1, 1))
