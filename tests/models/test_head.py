"""What holds for every head, and how the linear one starts."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import Tensor
from torch.nn import functional as F

import compkit.models
from compkit.models import (
    AdaCosHead,
    ArcFaceHead,
    CosFaceHead,
    CosineHead,
    DynamicMarginHead,
    Head,
    LinearHead,
    MLPHead,
    MultiSampleDropoutHead,
    SphereFaceHead,
    SubCenterArcFaceHead,
)
from compkit.types import Targets, Task

CONF = Path(__file__).parents[2] / "conf" / "model" / "head"
OPTIONS = {
    file.stem: getattr(compkit.models, OmegaConf.load(file)._target_.rpartition(".")[2])
    for file in CONF.glob("*.yaml")
}
D, C = 6, 4
COUNTS = np.array([50, 7, 1, 0])
LINEAR = [
    LinearHead,
    partial(MLPHead, hidden=8, layers=2, activation="gelu"),
    partial(MLPHead, hidden=8, highway=2, activation="tanh"),
    partial(MultiSampleDropoutHead, masks=3, dropout=0.0),
]
COSINE = [CosineHead, partial(CosineHead, scale=64, k=2), AdaCosHead, partial(AdaCosHead, dynamic=False)]
MARGIN = [
    CosFaceHead,
    ArcFaceHead,
    partial(ArcFaceHead, margin_rad=1.5),
    SubCenterArcFaceHead,
    DynamicMarginHead,
    partial(DynamicMarginHead, k=3),
    SphereFaceHead,
]
ALL_HEADS = LINEAR + COSINE + MARGIN
every_head = pytest.mark.parametrize("make", ALL_HEADS, ids=str)
every_angular_head = pytest.mark.parametrize("make", COSINE + MARGIN, ids=str)
every_margin_head = pytest.mark.parametrize("make", MARGIN, ids=str)


def build(make: Callable[..., Head], bias: bool = True) -> Head:
    torch.manual_seed(0)
    return make(in_features=D, num_outputs=C, bias=bias, class_counts=COUNTS)


def embeddings(rows: int = 8) -> Tensor:
    return torch.randn(rows, D, generator=torch.Generator().manual_seed(1))


def labels(rows: int = 8) -> Tensor:
    return torch.arange(rows) % C


def mixed(rows: int = 8) -> Targets:
    return Targets(labels(rows), other=labels(rows).flip(0), share=torch.linspace(0, 1, rows))


def all_logits(head: Head, inputs: Tensor, targets: Targets) -> Tensor:
    outputs = head(inputs, targets)
    return torch.stack([outputs.logits, *outputs.margin, *outputs.views])


@every_head
def test_order_of_samples_does_not_matter(make: Callable[..., Head]) -> None:
    head, order = build(make), torch.tensor([3, 1, 0, 2, 7, 6, 5, 4])
    inputs, targets = embeddings(), Targets(labels())
    moved = all_logits(head, inputs[order], Targets(labels()[order]))
    torch.testing.assert_close(moved, all_logits(head, inputs, targets)[:, order])


@every_head
def test_gradient_is_that_of_the_value(make: Callable[..., Head]) -> None:
    head = build(make).double()
    inputs = embeddings(3).double().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: all_logits(head, x, mixed(3)), inputs)
    weights = tuple(head.parameters())
    assert torch.autograd.gradcheck(lambda *_: all_logits(head, inputs, mixed(3)), weights)


@every_head
@pytest.mark.parametrize("extreme", [1e4, -1e4, 0.0])
def test_finite_at_extreme_embeddings(make: Callable[..., Head], extreme: float) -> None:
    head, inputs = build(make), torch.full((8, D), extreme, requires_grad=True)
    outputs = all_logits(head, inputs, mixed())
    outputs.sum().backward()
    assert outputs.isfinite().all() and inputs.grad.isfinite().all()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in head.parameters())


@every_angular_head
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_finite_where_embedding_and_class_are_parallel(make: Callable[..., Head], side: float) -> None:
    head = build(make)
    inputs = (side * 3 * head.weight[:: head.k]).detach().requires_grad_()
    outputs = head(inputs, Targets(torch.arange(C)))
    if side > 0 or head.k == 1:
        torch.testing.assert_close(head.cosines(inputs).diagonal(), torch.full((C,), side))
    torch.stack([outputs.logits, *outputs.margin]).sum().backward()
    assert inputs.grad.isfinite().all() and head.weight.grad.isfinite().all()


@every_head
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sixteen_bit_embeddings(make: Callable[..., Head], dtype: torch.dtype) -> None:
    head, inputs = build(make), embeddings().to(dtype)
    with torch.autocast("cpu", dtype):
        inside = all_logits(head, inputs, mixed())
    outside = all_logits(head, inputs.float(), mixed())
    if isinstance(head, compkit.models.AngularHead):
        assert inside.dtype == torch.float32
        torch.testing.assert_close(inside, outside, rtol=0, atol=0)
    else:
        torch.testing.assert_close(inside.float(), outside, rtol=0.05, atol=0.05)


@every_head
def test_evaluation_gives_plain_logits_alone(make: Callable[..., Head]) -> None:
    head = build(make).eval()
    for targets in (None, Targets(labels()), mixed()):
        outputs = head(embeddings(), targets)
        assert outputs.margin == outputs.views == () and outputs.logits.shape == (8, C)
        torch.testing.assert_close(outputs.logits, head(embeddings()).logits)
    assert head.train()(embeddings()).margin == head(embeddings()).views == ()


@every_margin_head
def test_margins_of_each_part_touch_its_labels_alone(make: Callable[..., Head]) -> None:
    head, inputs = build(make), embeddings()
    outputs = head(inputs, mixed())
    torch.testing.assert_close(outputs.logits, head.eval()(inputs).logits)
    torch.testing.assert_close(outputs.logits, head.scale * head.cosines(inputs))
    head.train()
    assert len(outputs.margin) == 2 and len(head(inputs, Targets(labels())).margin) == 1
    for logits, (truth, _) in zip(outputs.margin, mixed().parts(), strict=True):
        torch.testing.assert_close(logits, head(inputs, Targets(truth)).margin[0])
        is_truth = F.one_hot(truth, C).bool()
        torch.testing.assert_close(logits[~is_truth], outputs.logits[~is_truth])
        assert (logits[is_truth] < outputs.logits[is_truth]).all()


@every_margin_head
def test_soft_labels_are_refused(make: Callable[..., Head]) -> None:
    with pytest.raises(ValueError, match=r"needs class indices.*model/head=cosine"):
        build(make)(embeddings(), Targets(torch.rand(8, C)))


@every_angular_head
def test_only_directions_count(make: Callable[..., Head]) -> None:
    head, inputs = build(make), embeddings()
    before = all_logits(head, inputs, mixed())
    head.weight.data *= 7
    torch.testing.assert_close(all_logits(head, inputs * 100, mixed()), before)
    assert [name for name, _ in head.named_parameters()] == ["weight"]


@every_head
def test_state_is_saved_and_restored(make: Callable[..., Head]) -> None:
    head, other = build(make), build(make)
    for parameter in other.parameters():
        parameter.data.add_(1)
    other.load_state_dict(head.state_dict())
    torch.testing.assert_close(other.eval()(embeddings()).logits, head.eval()(embeddings()).logits)


@every_head
def test_starts_at_the_prior_or_has_no_bias(make: Callable[..., Head]) -> None:
    head, prior = build(make), torch.tensor([0.1, -2.0, 3.0, 0.0])
    before = head.eval()(embeddings()).logits
    head.start_at(prior.tolist())
    moved = head(embeddings()).logits - before
    wanted = prior.expand(8, C) if make in LINEAR else torch.zeros(8, C)
    torch.testing.assert_close(moved, wanted, atol=1e-5, rtol=0)
    without = build(make, bias=False)
    without.start_at(prior)
    torch.testing.assert_close(without.state_dict(), build(make, bias=False).state_dict())


@every_head
def test_tasks(make: Callable[..., Head]) -> None:
    head = build(make)
    assert head.has_margin == (make in MARGIN)
    head.check_task(Task.MULTICLASS)
    if make in LINEAR:
        head.check_task(Task.REGRESSION)
        return
    for task in (Task.MULTILABEL, Task.REGRESSION):
        with pytest.raises(
            ValueError, match=rf"trains multiclass.*task is {task}.*model/head= one of"
        ) as caught:
            head.check_task(task)
        advised = str(caught.value).partition("one of ")[2].removesuffix(".").split(", ")
        assert set(advised) == {name for name, option in OPTIONS.items() if task in option.tasks}


@pytest.mark.parametrize("option", sorted(file.stem for file in CONF.glob("*.yaml")))
def test_every_option_has_the_defaults_of_its_class(option: str) -> None:
    """What the file says and what the constructor says are the same head."""
    config = OmegaConf.load(CONF / f"{option}.yaml")
    arguments = {"in_features": D, "num_outputs": C, "bias": True, "class_counts": COUNTS}
    of_file = instantiate(config)(**arguments)
    of_class = getattr(compkit.models, config._target_.rpartition(".")[2])(**arguments)
    of_class.load_state_dict(of_file.state_dict())
    assert repr(of_file) == repr(of_class)
    numbers = {name: value for name, value in vars(of_file).items() if isinstance(value, int | float | bool)}
    assert numbers.items() <= vars(of_class).items()


def test_every_head_is_in_the_family() -> None:
    made = {type(build(make)) for make in ALL_HEADS}
    assert made == set(OPTIONS.values())


def test_linear_head_is_linear_and_starts_without_preference() -> None:
    head = LinearHead(8, 3)
    inputs = torch.randn(4, 8)
    torch.testing.assert_close(head(inputs).logits, F.linear(inputs, head.linear.weight))
    assert torch.equal(head.linear.bias, torch.zeros(3))


def test_linear_head_without_bias_starts_near_zero() -> None:
    torch.manual_seed(0)
    head = LinearHead(500, 200, bias=False)
    assert head.linear.bias is None
    assert abs(head.linear.weight.std().item() / 0.001 - 1) < 0.02
    assert abs(head.linear.weight.mean().item()) < 1e-5
