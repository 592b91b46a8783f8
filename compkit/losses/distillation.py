"""Distillation: a student learns from what trained networks say, beside the labels."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from compkit.losses.auxiliary import named
from compkit.losses.classification import cross_entropy
from compkit.losses.loss import Loss
from compkit.losses.reduce import at_least_float32
from compkit.losses.weighted_sum import outputs_gradient_times
from compkit.types import Outputs, Targets, Task

DISTILLATION, FEATURES = "distillation", "features"  # names of the teachers' terms


def distillation_loss(
    logits: Tensor, teacher_logits: Tensor, labels: Tensor, temperature: float = 4.0, alpha: float = 0.9
) -> Tensor:
    """How far the student is from its teachers, and from the labels.

    alpha T^2 KL(q || p) + (1 - alpha) cross-entropy, where p is the softmax of the student's logits / T and
    q the mean of the teachers'. T^2 keeps the gradient's size whatever the temperature.

    Args:
        logits: the student's, [B, C].
        teacher_logits: of the same images, [B, C], or [K, B, C] of K teachers; no gradient flows to them.
        labels: class indices, int64 [B], or probabilities, float [B, C].
        temperature: T > 0; higher shows more of what the teachers think of the wrong classes.
        alpha: share of the teachers, in [0, 1].

    Returns:
        Loss per sample in nats, [B], float32 at least.

    Source: Hinton et al. 2015, arXiv:1503.02531, section 2.

    >>> teacher = torch.tensor([[3.0, 1.0]]).log()
    >>> distillation_loss(torch.zeros(1, 2), teacher, torch.tensor([0]), temperature=1.0, alpha=1.0)
    tensor([0.1308])
    """
    assert temperature > 0 and 0 <= alpha <= 1, (temperature, alpha)
    teachers = teacher_logits.reshape(-1, *logits.shape)
    divergence = softmax_divergence(logits, teachers, temperature)
    return alpha * divergence + (1 - alpha) * cross_entropy(at_least_float32(logits), labels)


def softmax_divergence(logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """T^2 KL(q || p) of exclusive classes, [B]: p = softmax(logits / T), q the mean of the K teachers'.

    logits are float [B, C], teacher_logits [K, B, C].

    >>> softmax_divergence(torch.zeros(1, 2), torch.zeros(3, 1, 2), temperature=4.0)
    tensor([0.])
    """
    logits = at_least_float32(logits)
    wanted = (teacher_logits.detach().to(logits.dtype) / temperature).softmax(dim=-1).mean(dim=0)
    student = (logits / temperature).log_softmax(dim=1)
    return temperature**2 * F.kl_div(student, wanted, reduction="none").sum(dim=1)


def sigmoid_divergence(logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """T^2 KL(q || p) of each label by itself, the mean over labels, [B]: p = sigmoid(logits / T), q the mean of the K
    teachers'.

    logits are float [B, C], teacher_logits [K, B, C].

    >>> sigmoid_divergence(torch.zeros(1, 2), torch.tensor([[[0.0, 30.0]]]), temperature=1.0)
    tensor([0.3466])
    """
    logits = at_least_float32(logits) / temperature
    wanted = (teacher_logits.detach().to(logits.dtype) / temperature).sigmoid().mean(dim=0)
    positive = torch.xlogy(wanted, wanted) - wanted * F.logsigmoid(logits)
    negative = torch.xlogy(1 - wanted, 1 - wanted) - (1 - wanted) * F.logsigmoid(-logits)
    return temperature**2 * (positive + negative).mean(dim=1)


def spread_error(predictions: Tensor, teacher_predictions: Tensor, spread: Tensor) -> Tensor:
    """Squared error to the mean of the teachers in units of the targets' spread, the mean over columns, [B].

    Args:
        predictions: float [B, C], in target units.
        teacher_predictions: float [K, B, C].
        spread: standard deviation of each target column, > 0, [C].

    >>> spread_error(torch.zeros(1, 1), torch.tensor([[[2.0]], [[4.0]]]), torch.tensor([3.0]))
    tensor([1.])
    """
    predictions = at_least_float32(predictions)
    wanted = teacher_predictions.detach().to(predictions.dtype).mean(dim=0)
    return ((predictions - wanted) / spread.to(predictions.dtype)).square().mean(dim=1)


def feature_distance(features: Tensor, teacher_features: Tensor) -> Tensor:
    """Squared distance of two embeddings at length 1, [B], 0-4; both are [B, D], no gradient to the teacher's.

    >>> feature_distance(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 5.0]]))
    tensor([2.])
    """
    features, wanted = at_least_float32(features), at_least_float32(teacher_features.detach())
    return (F.normalize(features, dim=1) - F.normalize(wanted, dim=1)).square().sum(dim=1)


class WithTeacher(Loss):
    """A loss of the labels times 1 - alpha, and beside it how far the student is from its teachers, times alpha.

    Evaluation looks at the labels alone: in eval mode it is the main loss, whole.

    Args:
        main: the loss of the labels.
        task: decides how the distance is measured: classes by `softmax_divergence`, labels by `sigmoid_divergence`,
            numbers by `spread_error`.
        temperature: T > 0; without effect on numbers.
        alpha: share of the teachers, in [0, 1].
        spread: standard deviation of the targets, [C]; for regression only.
        feature_weight: of the mean `feature_distance` between the teachers' pooled features and the student's, which a
            learned linear map brings to their length; 0 is without.
        feature_lr: rate of these maps' Adam.
        feature_sizes: length of each teacher's features; only for a feature_weight above 0.

    Raises:
        ValueError: on make_optimizer, the main loss learns parameters of its own and so would the maps.

    Source: Hinton et al. 2015, arXiv:1503.02531, section 2; the features Romero et al. 2015, arXiv:1412.6550, eq. 3,
    at length 1 and as a term beside the others rather than a stage before them.

    >>> from compkit.losses import CrossEntropy
    >>> from compkit.types import Taught
    >>> loss = WithTeacher(CrossEntropy(), Task.MULTICLASS, temperature=1.0, alpha=0.5)
    >>> taught = Taught(torch.tensor([[[3.0, 1.0]]]).log())
    >>> loss.terms(Outputs(torch.zeros(1, 2)), Targets(torch.tensor([0]), taught=taught))
    {'target': tensor(0.3466), 'distillation': tensor(0.0654)}
    """

    spread: Tensor | None

    def __init__(
        self,
        main: Loss,
        task: Task,
        temperature: float = 4.0,
        alpha: float = 0.9,
        spread: np.ndarray | None = None,
        feature_weight: float = 0.0,
        feature_lr: float = 1e-3,
        feature_sizes: Sequence[int] = (),
    ) -> None:
        super().__init__(class_counts=main.class_counts)
        self.main = main
        self.task, self.temperature, self.alpha = task, temperature, alpha
        self.feature_weight, self.feature_lr = feature_weight, feature_lr
        self.feature_sizes = tuple(feature_sizes) if feature_weight else ()
        # prepare, once the student's length is known, puts the linear maps into it
        self.maps = nn.ModuleList()
        given = None if spread is None else torch.as_tensor(spread, dtype=torch.float32)
        self.register_buffer("spread", given, persistent=False)
        self.tasks, self.reads, self.takes_mixed = main.tasks, main.reads, main.takes_mixed
        self.per_batch = main.per_batch
        names = [*(named(name) for name in main.term_names), DISTILLATION]
        self.term_names = tuple([*names, FEATURES] if self.feature_sizes else names)

    def terms(self, outputs: Outputs, targets: Targets) -> dict[str, Tensor]:
        if not self.training:
            return self.main.terms(outputs, targets)
        assert targets.taught is not None, "a batch that no teacher has seen"
        terms = weighted_terms(self.main, 1 - self.alpha, outputs, targets)
        views = outputs.views or (outputs.logits,)
        distance = torch.stack([self.distance(view, targets.taught.logits) for view in views]).mean()
        terms[DISTILLATION] = self.alpha * distance
        if self.feature_sizes:
            assert outputs.features is not None, "a network that returns no features"
            pairs = zip(self.maps, targets.taught.features, strict=True)
            distances = [feature_distance(map(outputs.features), wanted).mean() for map, wanted in pairs]
            terms[FEATURES] = self.feature_weight * torch.stack(distances).mean()
        return terms

    def distance(self, logits: Tensor, teacher_logits: Tensor) -> Tensor:
        """How far the student is from its teachers, [B], of logits [B, C] and [K, B, C]."""
        if self.task == Task.REGRESSION:
            assert self.spread is not None, "a regression without the spread of its targets"
            return spread_error(logits, teacher_logits, self.spread)
        measure = softmax_divergence if self.task == Task.MULTICLASS else sigmoid_divergence
        return measure(logits, teacher_logits, self.temperature)

    def term_weights(self, targets: Targets | Tensor) -> dict[str, Tensor]:
        weights = {named(name): weight for name, weight in self.main.term_weights(targets).items()}
        labels = targets.labels if isinstance(targets, Targets) else targets
        all_the_same = torch.ones(len(labels), device=labels.device)
        return weights | dict.fromkeys(self.term_names[len(weights) :], all_the_same)

    def weights(self, targets: Targets | Tensor) -> Tensor:
        return self.main.weights(targets)

    def check_task(self, task: Task) -> None:
        self.main.check_task(task)

    def prepare(self, num_features: int) -> None:
        self.main.prepare(num_features)
        self.maps.extend(nn.Linear(num_features, size, bias=False) for size in self.feature_sizes)

    def make_optimizer(self) -> Optimizer | None:
        optimizer = self.main.make_optimizer()
        if not self.feature_sizes:
            return optimizer
        if optimizer is not None:
            raise ValueError(
                f"semi.feature_weight={self.feature_weight:g} learns a map of the features, and loss "
                f"{type(self.main).__name__} learns parameters of its own; there is room for one of them. "
                "Set semi.feature_weight=0, or drop the term that learns, e.g. loss.terms.center=null."
            )
        return Adam(self.maps.parameters(), lr=self.feature_lr)


def weighted_terms(loss: Loss, weight: float, outputs: Outputs, targets: Targets) -> dict[str, Tensor]:
    """The terms of a loss times a weight; its own parameters get the gradient of weight 1."""
    if next(loss.parameters(), None) is None:
        return {named(name): weight * term for name, term in loss.terms(outputs, targets).items()}
    terms = loss.terms(outputs_gradient_times(outputs, weight), targets)
    return {named(name): weight * term.detach() + (term - term.detach()) for name, term in terms.items()}
