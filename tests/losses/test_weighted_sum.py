import copy
import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from torch import Tensor

from compkit.losses import BCE, MSE, Center, CrossEntropy, Loss, Triplet, WeightedSum, drowned_terms
from compkit.losses.weighted_sum import gradient_times
from compkit.types import Outputs, Targets, Task

CONF = Path(__file__).parents[2] / "conf"
COUNTS = np.array([9, 5, 3])
LABELS = torch.tensor([0, 0, 1, 2, 2, 2, 1, 0])


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def outputs() -> Outputs:
    return Outputs(torch.randn(8, 3, requires_grad=True), features=torch.randn(8, 5, requires_grad=True))


def made(terms: dict[str, Callable[..., Loss] | None], **weights: float) -> WeightedSum:
    loss = WeightedSum(terms, weights, class_counts=COUNTS)
    loss.prepare(num_features=5)
    return loss


def test_is_the_sum_of_weight_times_term() -> None:
    loss = made({"a": CrossEntropy, "b": functools.partial(Triplet, margin=1), "c": CrossEntropy}, a=0.5, b=2)
    given = outputs()
    plain = CrossEntropy()(given, LABELS)
    want = {"a": 0.5 * plain, "b": 2 * Triplet(margin=1)(given, LABELS), "c": plain}
    terms = loss.terms(given, Targets(LABELS))
    assert tuple(terms) == loss.term_names == ("a", "b", "c")
    torch.testing.assert_close(terms, want)
    torch.testing.assert_close(loss(given, LABELS), sum(want.values()))


def test_terms_get_mixed_images_margins_and_views_as_they_are() -> None:
    targets = Targets(LABELS, other=LABELS.flip(0), share=torch.rand(8))
    loss = made({"ce": CrossEntropy, "center": Center}, ce=0.5, center=0)
    with_margin = outputs()._replace(margin=(torch.randn(8, 3), torch.randn(8, 3)))
    with_views = outputs()._replace(views=(torch.randn(8, 3), torch.randn(8, 3)))
    for given in (outputs(), with_margin, with_views):
        torch.testing.assert_close(loss(given, targets), 0.5 * CrossEntropy()(given, targets))


def test_each_term_has_its_own_sample_weights() -> None:
    """Micro-batches add up exactly though one term weighs classes and another counts anchors."""
    loss = made({"ce": functools.partial(CrossEntropy, class_weight=[1, 2, 4]), "triplet": Triplet})
    micro = [torch.tensor([0, 1, 2]), torch.tensor([3, 4, 5, 6, 7])]
    weights = [loss.term_weights(LABELS[rows]) for rows in micro]
    assert [list(one) for one in weights] == [["ce", "triplet"]] * 2
    assert weights[0]["ce"].tolist() == [1, 1, 2]
    assert weights[0]["triplet"].tolist() == [1, 1, 0]
    logits = torch.randn(8, 3)
    parts = [
        loss.terms(Outputs(logits[rows], features=logits[rows]), Targets(LABELS[rows])) for rows in micro
    ]
    window = sum(one["ce"].sum() for one in weights)
    total = sum(part["ce"] * one["ce"].sum() / window for part, one in zip(parts, weights, strict=True))
    torch.testing.assert_close(total, CrossEntropy(class_weight=[1, 2, 4])(logits, LABELS))


@pytest.mark.parametrize("weight", [0.0005, 3.0, 0.0])
def test_centers_learn_as_if_the_loss_weighed_one(weight: float) -> None:
    """After backward of weight * L the centers hold dL/dc, the features weight * dL/df."""
    loss, given = made({"ce": CrossEntropy, "center": Center}, center=weight), outputs()
    loss = copy.deepcopy(loss)  # as tools that try steps out on a copy do
    centers = loss.losses()["center"].centers
    plain = Center(class_counts=COUNTS)
    plain.prepare(num_features=5)
    plain.load_state_dict({"centers": centers.detach()})
    value = plain(given, LABELS)
    to_features, to_centers = torch.autograd.grad(value, (given.features, plain.centers))

    torch.testing.assert_close(loss.terms(given, Targets(LABELS))["center"], weight * value)
    loss(given, LABELS).backward()
    torch.testing.assert_close(centers.grad, to_centers)
    torch.testing.assert_close(given.features.grad, weight * to_features)


def test_centers_in_a_sum_within_a_sum_learn_likewise() -> None:
    inner = functools.partial(WeightedSum, {"ce": CrossEntropy, "center": Center}, {"center": 0.1})
    loss, given = made({"inner": inner, "center": CrossEntropy}, inner=0.5), outputs()
    (center,) = (module for module in loss.modules() if isinstance(module, Center))
    value = center(given, LABELS)
    to_features, to_centers = torch.autograd.grad(value, (given.features, center.centers))
    (to_logits,) = torch.autograd.grad(CrossEntropy()(given, LABELS), given.logits)
    loss(given, LABELS).backward()
    torch.testing.assert_close(center.centers.grad, to_centers)
    torch.testing.assert_close(given.features.grad, 0.05 * to_features)
    torch.testing.assert_close(given.logits.grad, 1.5 * to_logits)


def test_micro_batches_add_up_for_centers_too() -> None:
    loss, given = made({"center": Center}, center=0.0005), outputs()
    center = loss.losses()["center"]
    (want,) = torch.autograd.grad(center(given, LABELS), center.centers)
    for rows in torch.arange(8).split(3):
        part = Outputs(given.logits[rows], features=given.features[rows])
        (loss(part, LABELS[rows]) * len(rows) / 8).backward()
    torch.testing.assert_close(center.centers.grad, want)


def test_gradient_times_keeps_values_to_the_bit() -> None:
    values = torch.randn(1000, requires_grad=True)
    scaled = gradient_times(values, 0.1)
    assert torch.equal(scaled, values)
    scaled.sum().backward()
    torch.testing.assert_close(values.grad, torch.full((1000,), 0.1))


def test_gradient_is_that_of_the_value() -> None:
    loss = made({"ce": CrossEntropy, "triplet": Triplet}, triplet=0.3)
    logits = torch.randn(8, 3, dtype=torch.float64, requires_grad=True)
    features = torch.randn(8, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, f: loss(Outputs(x, features=f), LABELS), (logits, features))


def test_evaluation_counts_terms_of_logits_only() -> None:
    loss, logits = (
        made({"triplet": Triplet, "ce": CrossEntropy, "center": Center}, ce=0.5).eval(),
        torch.randn(8, 3),
    )
    torch.testing.assert_close(loss(logits, LABELS), 0.5 * CrossEntropy()(logits, LABELS))
    assert list(loss.terms(Outputs(logits), Targets(LABELS))) == ["ce"]
    assert loss.term_names == ("triplet", "ce", "center")


def test_it_can_do_what_all_its_terms_can() -> None:
    loss = made({"center": Center, "ce": CrossEntropy})
    assert (loss.tasks, loss.reads, loss.takes_mixed, loss.per_batch) == (
        (Task.MULTICLASS,),
        ("logits", "features"),
        True,
        False,
    )
    assert made({"triplet": Triplet}).reads == ("features",)
    assert made({"ce": CrossEntropy, "triplet": Triplet}).per_batch
    assert made({"ce": CrossEntropy, "bce": BCE}).tasks == ()

    class Unmixed(CrossEntropy):
        takes_mixed = False

    assert not made({"ce": CrossEntropy, "unmixed": Unmixed}).takes_mixed


def test_a_task_is_refused_by_the_name_of_the_term() -> None:
    loss = made({"ce": CrossEntropy, "pixels": MSE})
    with pytest.raises(ValueError, match=r"loss\.terms\.pixels: loss MSE: trains regression.*multiclass"):
        loss.check_task(Task.MULTICLASS)
    made({"ce": CrossEntropy}).check_task(Task.MULTICLASS)


def test_its_optimizer_is_that_of_the_term_with_parameters() -> None:
    assert made({"ce": CrossEntropy}).make_optimizer() is None
    loss = made({"ce": CrossEntropy, "center": functools.partial(Center, lr=0.1)})
    optimizer = loss.make_optimizer()
    assert optimizer.param_groups[0]["lr"] == 0.1
    assert optimizer.param_groups[0]["params"] == list(loss.parameters())
    assert set(loss.state_dict()) == {"members.1.centers"}


def test_one_term_at_most_learns_parameters() -> None:
    with pytest.raises(ValueError, match=r"loss\.terms: one and two each learn .*loss\.terms\.two=null"):
        made({"one": Center, "two": Center}).make_optimizer()


def test_a_term_of_null_is_left_out_and_may_keep_its_weight() -> None:
    assert made({"ce": CrossEntropy, "triplet": None}, triplet=0.5).term_names == ("ce",)


def test_any_name_will_do() -> None:
    assert made({"half": CrossEntropy, "train": CrossEntropy}).term_names == ("half", "train")


def test_errors_of_a_term_carry_its_name() -> None:
    with pytest.raises(ValueError, match=r"loss\.terms\.sharp: loss\.smoothing: got 2;"):
        made({"sharp": functools.partial(CrossEntropy, smoothing=2)})


@pytest.mark.parametrize("terms", [{}, {"ce": None}])
def test_a_sum_of_nothing(terms: dict) -> None:
    with pytest.raises(ValueError, match=r"loss\.terms: there are none; add one"):
        made(terms)


@pytest.mark.parametrize("weight", [-1, float("nan"), float("inf"), "much", None])
def test_a_weight_is_a_number_of_at_least_zero(weight: object) -> None:
    with pytest.raises(ValueError, match=r"loss\.weights\.ce: got .*; expected a number >= 0"):
        made({"ce": CrossEntropy}, ce=weight)


def test_a_weight_of_no_term() -> None:
    with pytest.raises(ValueError, match=r"loss\.weights\.tripelt: there is no such term, only ce, triplet"):
        made({"ce": CrossEntropy, "triplet": Triplet}, tripelt=2)


@pytest.mark.parametrize(
    "means, drowned",
    [
        ({"a": 1.0, "b": 0.011}, []),
        ({"a": 1.0, "b": 0.009}, ["b"]),
        ({"a": 1.0, "b": -500.0, "c": 0.1}, ["a", "c"]),
        ({"a": 1.0, "switched_off": 0.0}, []),
        ({"a": 0.0, "b": 0.0}, []),
        ({"a": 3.0}, []),
        ({}, []),
    ],
)
def test_drowned_terms(means: dict[str, float], drowned: list[str]) -> None:
    text = drowned_terms(means)
    if not drowned:
        assert text is None
    else:
        assert (
            f"raise {', '.join(f'loss.weights.{name}' for name in drowned)}, or lower loss.weights." in text
        )


def test_the_ratio_that_drowns_can_be_chosen() -> None:
    assert drowned_terms({"a": 1.0, "b": 0.2}, ratio=4) is not None
    assert drowned_terms({"a": 1.0, "b": 0.2}, ratio=6) is None


@pytest.fixture
def composed(tmp_path: Path) -> Callable[..., dict]:
    """The loss that a command line makes, of a config with nothing but losses in it."""
    (tmp_path / "main.yaml").write_text("defaults: [_self_, {loss: cross_entropy}]")

    def call(*overrides: str) -> dict:
        with initialize_config_dir(str(tmp_path), version_base="1.3"):
            search = f"hydra.searchpath=[file://{CONF}]"
            return compose("main", overrides=[search, *overrides]).loss

    return call


def build(node: dict) -> WeightedSum:
    loss = instantiate(node, _convert_="all")(class_counts=COUNTS)
    loss.prepare(num_features=5)
    return loss


SUMS = {
    "sum": ("cross_entropy", "triplet"),
    "bag_of_tricks": ("cross_entropy", "triplet", "center"),
    "bce_fbeta": ("bce", "soft_fbeta"),
    "ce_lovasz": ("cross_entropy", "lovasz"),
}


@pytest.mark.parametrize("option, names", SUMS.items())
def test_option_of_a_sum_builds(composed: Callable, option: str, names: tuple[str, ...]) -> None:
    loss = build(composed(f"loss={option}"))
    assert loss.term_names == names
    labels: Tensor = LABELS if loss.tasks == (Task.MULTICLASS,) else torch.randint(0, 2, (8, 3)).float()
    value = loss(outputs(), labels)
    value.backward()
    assert torch.isfinite(value)


@pytest.mark.parametrize("option", ["triplet", "circle", "center"])
def test_option_of_features_builds(composed: Callable, option: str) -> None:
    loss = build(composed(f"loss={option}"))
    assert loss.reads == ("features",) and torch.isfinite(loss(outputs(), LABELS))


def test_bag_of_tricks_is_that_of_the_paper(composed: Callable) -> None:
    loss = build(composed("loss=bag_of_tricks"))
    assert loss.factors == {"cross_entropy": 1, "triplet": 1, "center": 0.0005}
    assert loss.losses()["cross_entropy"].smoothing == 0.1
    assert loss.losses()["triplet"].margin == 0.3
    assert loss.make_optimizer().param_groups[0]["lr"] == 0.5


def test_terms_from_the_command_line(composed: Callable) -> None:
    added = build(composed("loss=sum", "+loss@loss.terms.smooth=label_smoothing", "+loss.weights.smooth=2"))
    assert added.factors == {"cross_entropy": 1, "triplet": 1, "smooth": 2}
    replaced = composed("loss=sum", "loss@loss.terms.triplet=circle", "loss.terms.triplet.gamma=64")
    assert build(replaced).losses()["triplet"].gamma == 64
    dropped = composed("loss=sum", "loss.terms.triplet=null")
    assert build(dropped).term_names == ("cross_entropy",)
    deleted = composed("loss=sum", "~loss.terms.triplet", "~loss.weights.triplet")
    assert build(deleted).term_names == ("cross_entropy",)
    other = composed("loss=sum", "loss.terms.triplet.margin=0.5", "loss.weights.triplet=0.1")
    assert build(other).losses()["triplet"].margin == 0.5 and build(other).factors["triplet"] == 0.1


def test_groups_within_terms_resolve(composed: Callable) -> None:
    loss = composed("loss=sum", "loss/reduce@loss.terms.cross_entropy.reduce=top_k")
    assert loss.terms.cross_entropy.reduce._target_ == "compkit.losses.TopK"
    assert build(loss)(outputs(), LABELS) > 0
