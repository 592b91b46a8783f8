"""Whether the first predictions are the frequencies of the classes, or the mean of the numbers."""

from collections.abc import Sequence

import numpy as np
import torch

from compkit.doctor.check import Check
from compkit.doctor.first_loss.head import find_mouth
from compkit.doctor.gradients.sample import take_sample
from compkit.findings import Finding, Status
from compkit.inference import activate
from compkit.models import Classifier, Head
from compkit.randomness import restore_rng, rng_state
from compkit.run.prepare import class_counts, first_logits
from compkit.run.trial import Trial
from compkit.types import Task

EXACT = 1e-3
WASTED = 0.3  # of the loss at even predictions: what knowing the frequencies alone would save


def prior_bias(trial: Trial) -> list[Finding]:
    """The answer of the last layer's bias alone, beside the training rows' frequencies or mean."""
    before = rng_state()
    try:
        stepper = trial.stepper()
        model, task = stepper.learner.model, trial.plan.competition.task
        classes = len(trial.plan.competition.classes)
        images, _ = take_sample(trial, stepper, 2)
        mouth = find_mouth(model, images, classes)
        said = None if mouth is None else mouth.outputs(mouth.layer.bias.detach().clone())[:1].cpu()
    finally:
        restore_rng(before)
    rows = trial.data.folds.train_rows(trial.fold)
    labels = trial.fold_data.table.labels[rows]
    counts = class_counts(trial.fold_data.table, rows, task, classes)
    logits = first_logits(counts, len(rows), task)
    if said is None:
        why = "the network's answers do not end in a linear layer with a bias, such as those of cosine heads."
        return [Finding("prior_bias", Status.SKIP, why)]
    wanted = (
        labels.mean(axis=0)
        if logits is None
        else activate(torch.from_numpy(logits).float()[None], task).reshape(-1)
    )
    unit = labels.std(axis=0) + EXACT * np.abs(wanted) if logits is None else 1.0
    got = np.asarray(activate(said, task)).reshape(-1)
    error = float(np.max(np.abs(got - wanted) / np.maximum(unit, 1e-12)))
    if error <= EXACT:
        return [Finding("prior_bias", Status.PASS, _describe(task), value=error)]
    if is_asked_for(trial, model):
        return [_missed(got, wanted, error, trial.plan.competition.classes)]
    return [_not_asked(task, wanted, error)]


def is_asked_for(trial: Trial, model: torch.nn.Module) -> bool:
    """Whether the network is told to start at the prior, by a head that can."""
    if not isinstance(model, Classifier):
        return False
    if trial.plan.competition.task == Task.REGRESSION:
        return model.target_mean is not None
    knows = type(model.head).start_at is not Head.start_at
    return knows and bool(trial.plan.config["model"].get("prior_bias", True))


def even_and_prior(task: Task, prior: np.ndarray) -> tuple[float, float]:
    """Cross-entropy of even predictions, and of the prior, in nats.

    >>> even_and_prior(Task.MULTICLASS, np.array([1.0, 0.0]))
    (0.6931471805599453, 0.0)
    """
    p = np.clip(prior.astype(np.float64), 1e-12, 1)
    if task == Task.MULTICLASS:
        return float(np.log(len(p))), float(abs((p * np.log(p))[prior > 0].sum()))
    rest = np.clip(1 - p, 1e-12, 1)
    return float(np.log(2)), float(-(p * np.log(p) + rest * np.log(rest)).mean())


def _describe(task: Task) -> str:
    what = "the mean of the targets" if task == Task.REGRESSION else "the frequencies of the classes"
    return f"without looking at a picture the network predicts {what}."


def _missed(got: np.ndarray, wanted: np.ndarray, error: float, classes: Sequence[str]) -> Finding:
    worst = int(np.argmax(np.abs(got - wanted)))
    return Finding(
        "prior_bias",
        Status.FAIL,
        f"without looking at a picture the network predicts {got[worst]:.4g} for {classes[worst]}, whose share (or "
        f"mean) of the training rows is {wanted[worst]:.4g}.",
        value=error,
        expected=f"{wanted[worst]:.4g} within {EXACT:g}",
        remedy="Look at what changes the last layer's bias or its answers after it was made (start_at of an own "
        "head, an activation behind it), or set model.prior_bias=false.",
    )


def _not_asked(task: Task, wanted: np.ndarray, error: float) -> Finding:
    if task == Task.REGRESSION:
        return Finding(
            "prior_bias",
            Status.INFO,
            "the network does not start at the mean of the targets; its first epochs go into finding it. Use "
            "target_mean and target_std, which the program offers it.",
            value=error,
        )
    even, prior = even_and_prior(task, wanted)
    if even - prior < WASTED * even:
        return Finding("prior_bias", Status.PASS, "the classes are about equally frequent.", value=error)
    return Finding(
        "prior_bias",
        Status.INFO,
        "the classes are not equally frequent, and the network does not start at their frequencies: its first epochs "
        f"go into bringing the loss from {even:.3g} to {prior:.3g}. Set model.prior_bias=true; an own network is "
        "offered first_logits for the bias of its last layer.",
        value=even - prior,
    )


PRIOR_BIAS = Check(
    "prior_bias", "whether the first predictions are the frequencies of the classes", prior_bias
)
