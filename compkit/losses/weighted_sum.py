"""Several losses at once, each with its weight."""

from collections.abc import Callable, Mapping

import numpy as np
from torch import Tensor, nn
from torch.optim import Optimizer

from compkit.losses.auxiliary import AUXILIARY, TARGET
from compkit.losses.loss import Loss
from compkit.ranges import not_negative
from compkit.types import Outputs, Targets, Task

# terms of teachers, and the key that weighs them; the consistency's own is left out of the comparison, as its weight
# is small on purpose while the scales are compared
OF_TEACHERS = {"distillation": "semi.alpha", "features": "semi.feature_weight"}
RAMPED_UP = "consistency"


def drowned_terms(means: Mapping[str, float], ratio: float = 100.0) -> str | None:
    """A warning when terms of a sum are so small beside the largest that they hardly teach anything.

    Args:
        means: mean value of each term over some steps, its weight multiplied in. Terms of 0 are left out: their
            weight is 0, or they had nothing to compare.
        ratio: how many times smaller than the largest a term may be.

    Returns:
        What to tell the user, or None.

    >>> drowned_terms({"cross_entropy": 2.0, "triplet": 0.3}) is None
    True
    >>> print(drowned_terms({"cross_entropy": 2.0, "center": 0.001, "triplet": 0.3}))
    loss: beside cross_entropy (mean 2) over 100 times smaller, so that it hardly counts: center (mean 0.001).
    Unless this is meant, raise loss.weights.center, or lower loss.weights.cross_entropy.
    """
    sizes = {name: abs(mean) for name, mean in means.items() if mean != 0 and name != RAMPED_UP}
    largest = max(sizes, key=lambda name: sizes[name], default="")
    drowned = [name for name, size in sizes.items() if size * ratio < sizes[largest]]
    if not drowned:
        return None
    listed = ", ".join(f"{name} (mean {means[name]:.3g})" for name in drowned)
    raised = ", ".join(weight_key(name) for name in drowned if name != TARGET)
    advice = [f"raise {raised}"] if raised else []
    advice += [f"lower {weight_key(largest)}"] if largest != TARGET else []
    return (
        f"loss: beside {largest} (mean {means[largest]:.3g}) over {ratio:g} times smaller, so that it hardly "
        f"counts: {listed}. Unless this is meant, {', or '.join(advice)}."
    )


def weight_key(term: str) -> str:
    """The key that weighs a term.

    >>> weight_key("center"), weight_key("auxiliary_genus"), weight_key("distillation")
    ('loss.weights.center', 'auxiliary.genus.weight', 'semi.alpha')
    """
    if term in OF_TEACHERS:
        return OF_TEACHERS[term]
    name = term.removeprefix(AUXILIARY)
    return f"loss.weights.{term}" if name == term else f"auxiliary.{name}.weight"


def gradient_times(values: Tensor, factor: float) -> Tensor:
    """The same values, whose gradient arrives multiplied by a factor.

    >>> import torch
    >>> x = torch.tensor(3.0, requires_grad=True)
    >>> gradient_times(x, 0.5).square().backward()
    >>> x.grad
    tensor(3.)
    """
    # not factor * values + (1 - factor) * values: rounding would change the values
    return values.detach() + factor * (values - values.detach())


def outputs_gradient_times(outputs: Outputs, factor: float) -> Outputs:
    """The same outputs, through which the network's gradient arrives multiplied by a factor."""
    return outputs._replace(
        logits=gradient_times(outputs.logits, factor),
        features=None if outputs.features is None else gradient_times(outputs.features, factor),
        margin=tuple(gradient_times(logits, factor) for logits in outputs.margin),
        views=tuple(gradient_times(logits, factor) for logits in outputs.views),
    )


class WeightedSum(Loss):
    """The sum of named losses, each times its weight.

    A loss with parameters of its own (centers) gives them the gradient of the loss without its weight: the weight
    says how much the network heeds the loss, not how fast the centers move.

    In eval mode only terms of logits count: evaluation computes no features.

    Args:
        terms: name -> what makes the loss from class_counts; a name with None is left out.
        weights: name -> number >= 0; 1 when not given.
        class_counts: training samples of each class, [C].

    Raises:
        ValueError: no terms, a weight out of range or of no term; what a term's own constructor raises, with its name.

    >>> import torch
    >>> from compkit.losses import CrossEntropy
    >>> loss = WeightedSum({"plain": CrossEntropy, "half": CrossEntropy}, weights={"half": 0.5})
    >>> loss.terms(Outputs(torch.zeros(1, 2)), Targets(torch.tensor([0])))
    {'plain': tensor(0.6931), 'half': tensor(0.3466)}
    """

    def __init__(
        self,
        terms: Mapping[str, Callable[..., Loss] | None],
        weights: Mapping[str, float] | None = None,
        class_counts: np.ndarray | None = None,
    ) -> None:
        super().__init__(class_counts=class_counts)
        factors = check_weights(weights or {}, tuple(terms))
        made = {name: make_term(name, make, class_counts) for name, make in terms.items() if make is not None}
        if not made:
            raise ValueError("loss.terms: there are none; add one, e.g. +loss@loss.terms.triplet=triplet.")
        self.members = nn.ModuleList(made.values())  # a ModuleDict refuses names such as "half"
        self.factors = {name: factors.get(name, 1.0) for name in made}
        losses = made.values()
        self.tasks = tuple(task for task in Task if all(task in loss.tasks for loss in losses))
        self.reads = tuple(
            name for name in ("logits", "features") if any(name in loss.reads for loss in losses)
        )
        self.takes_mixed = all(loss.takes_mixed for loss in losses)
        self.per_batch = any(loss.per_batch for loss in losses)
        self.term_names = tuple(made)

    def losses(self) -> dict[str, Loss]:
        """The losses that are summed, by name."""
        return dict(zip(self.term_names, self.members, strict=True))  # type: ignore[arg-type]

    def terms(self, outputs: Outputs, targets: Targets) -> dict[str, Tensor]:
        return {
            name: weighted(loss, self.factors[name], outputs, targets)
            for name, loss in self.losses().items()
            if self.training or "logits" in loss.reads
        }

    def term_weights(self, targets: Targets | Tensor) -> dict[str, Tensor]:
        return {name: loss.weights(targets) for name, loss in self.losses().items()}

    def prepare(self, num_features: int) -> None:
        for loss in self.losses().values():
            loss.prepare(num_features)

    def make_optimizer(self) -> Optimizer | None:
        made = {name: loss.make_optimizer() for name, loss in self.losses().items()}
        optimizers = {name: optimizer for name, optimizer in made.items() if optimizer is not None}
        if len(optimizers) > 1:
            raise ValueError(
                f"loss.terms: {' and '.join(optimizers)} each learn parameters of their own, but a sum has room for "
                f"one such loss. Drop one, e.g. loss.terms.{list(optimizers)[-1]}=null."
            )
        return next(iter(optimizers.values()), None)

    def check_task(self, task: Task) -> None:
        for name, loss in self.losses().items():
            try:
                loss.check_task(task)
            except ValueError as error:
                raise ValueError(f"loss.terms.{name}: {error}") from error


def weighted(loss: Loss, weight: float, outputs: Outputs, targets: Targets) -> Tensor:
    """The loss of a batch times its weight, a scalar; its own parameters get the gradient of weight 1."""
    if next(loss.parameters(), None) is None:
        return weight * loss(outputs, targets)
    value = loss(outputs_gradient_times(outputs, weight), targets)
    return weight * value.detach() + (value - value.detach())


def make_term(name: str, make: Callable[..., Loss], class_counts: np.ndarray | None) -> Loss:
    """The loss of a term; its errors say in which term."""
    try:
        return make(class_counts=class_counts)
    except ValueError as error:
        raise ValueError(f"loss.terms.{name}: {error}") from error


def check_weights(weights: Mapping[str, float], names: tuple[str, ...]) -> dict[str, float]:
    """The weights as floats.

    Raises:
        ValueError: a weight of no term, or one that is no number >= 0.

    >>> check_weights({"triplet": 2}, names=("triplet",))
    {'triplet': 2.0}
    """
    for name in weights:
        if name not in names:
            raise ValueError(
                f"loss.weights.{name}: there is no such term, only {', '.join(names)}. Correct the name, or drop "
                f"the weight: ~loss.weights.{name}."
            )
    return {name: not_negative(f"loss.weights.{name}", weight, "1") for name, weight in weights.items()}
