"""Proofs of the loss: right answers cost less than wrong ones, of each class, and each sample stands for itself."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from compkit.doctor.proofs.bench import Bench
from compkit.doctor.proofs.proof import doubted, failed, left_out
from compkit.doctor.proofs.spread import spread_rows
from compkit.findings import Finding
from compkit.losses import Loss, SetLoss, WithAuxiliary, WithConsistency, WithTeacher
from compkit.types import Task

LABELLED = 64  # rows whose labels the loss is tried on
SURE = 4.0  # size of a logit that is right or wrong
KINDS = 32  # classes that are looked at one by one
CLOSE = 1e-4  # relative, between two ways to compute the same in float32


class Answers(NamedTuple):
    """Labels, and logits that are right and wrong for each of them."""

    labels: Tensor
    right: Tensor
    wrong: Tensor


def target_loss(loss: Loss) -> Loss:
    """The loss of the target, without those of teachers and further columns."""
    while isinstance(loss, WithAuxiliary | WithTeacher | WithConsistency):
        loss = loss.main
    return loss


def answers(bench: Bench) -> Answers:
    """To labels of as many classes as there are."""
    rows = spread_rows(bench.labels, bench.fold_data.train_rows, bench.task, LABELLED)
    labels = torch.from_numpy(bench.labels[rows]).to(bench.ranks.device)
    if bench.task == Task.REGRESSION:
        spread = labels.std(dim=0).clamp(min=1e-6)
        offsets = torch.linspace(1, 2, len(labels), device=labels.device)[:, None] * spread
        return Answers(labels, labels.clone(), labels + offsets)
    if bench.task == Task.MULTILABEL:
        signs = 2 * (labels > 0.5).float() - 1
        return Answers(labels, SURE * signs, -SURE * signs)
    wanted = torch.nn.functional.one_hot(labels, bench.num_outputs).float()
    return Answers(labels, SURE * wanted, SURE * wanted.roll(1, dims=1))


def loss(bench: Bench) -> list[Finding]:
    """The loss is finite, listens to outputs and targets, and is lower for right answers."""
    whole = target_loss(bench.learner.loss)
    if "logits" not in whole.reads:
        return [left_out("loss", f"{type(whole).__name__} compares features, not outputs with targets.")]
    if bench.num_outputs < 2 and bench.task == Task.MULTICLASS:
        return [left_out("loss", "There is one class.")]
    # in evaluation a sum leaves out what is read from features, which there are none of here
    whole.train("features" not in whole.reads)
    said = answers(bench)
    name, fix = type(whole).__name__, f"Look at {type(whole).__name__}.per_sample (loss._target_)."
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(said.right.shape, generator=generator).to(said.right)
    # around right answers margin losses are flat
    centre = said.right if bench.task == Task.REGRESSION else 0 * said.right
    logits = (centre + noise * _unit(bench, said)).requires_grad_(True)
    value = whole(logits, said.labels)
    levels = {"right": said.right, "wrong": said.wrong, "some": logits.detach()}
    values = {key: float(whole(one, said.labels).detach()) for key, one in levels.items()}
    if not all(np.isfinite(list(values.values()))):
        bad = next(key for key, one in values.items() if not np.isfinite(one))
        return [
            failed(
                "loss",
                f"{name} is {values[bad]} for outputs that are {bad} ones: they are logits of size {SURE:g}.",
                f"{fix} It gets logits, not probabilities: use log_softmax or logsigmoid rather than log.",
            )
        ]
    if value.grad_fn is None:
        return [
            failed(
                "loss",
                f"{name} has no gradient: its outputs are cut off.",
                f"{fix} Without detach() or item().",
            )
        ]
    (gradient,) = torch.autograd.grad(value, logits)
    if not bool(torch.isfinite(gradient).all()):
        return [failed("loss", f"The gradient of {name} is not finite.", fix)]
    if not bool(gradient.any()):
        return [
            failed(
                "loss",
                f"The gradient of {name} with respect to the outputs is 0 everywhere.",
                f"{fix} Look for detach(), rounding or argmax.",
                0.0,
                "above 0",
            )
        ]
    shuffled = float(whole(levels["right"], said.labels.roll(1, dims=0)).detach())
    if shuffled == values["right"] and bool((said.labels != said.labels.roll(1, dims=0)).any()):
        return [
            failed(
                "loss",
                f"{name} is the same when the targets are dealt to other rows: it does not listen to them.",
                fix,
                shuffled,
                "another value",
            )
        ]
    if not values["right"] < values["wrong"]:
        return [
            failed(
                "loss",
                f"{name} is {values['right']:.4g} for right answers and {values['wrong']:.4g} for wrong ones.",
                f"{fix} It must be lower the better the outputs are: a sign or a shift of the classes.",
                values["right"],
                f"below {values['wrong']:.4g}",
            )
        ]
    return _samples(whole, said, logits.detach(), fix) or _kinds(bench, whole, said, fix)


def _unit(bench: Bench, said: Answers) -> Tensor | float:
    return said.labels.std(dim=0).clamp(min=1e-6) if bench.task == Task.REGRESSION else 1.0


def _samples(whole: Loss, said: Answers, logits: Tensor, fix: str) -> list[Finding]:
    """Each sample's loss depends on its own outputs and target, and a batch's is their mean."""
    name = type(whole).__name__
    if isinstance(whole, SetLoss) or whole.per_batch or type(whole).per_sample is Loss.per_sample:
        return []
    values = whole.per_sample(logits, said.labels)
    if values.shape != (len(logits),):
        return [
            failed(
                "loss",
                f"{name}.per_sample gives shape {tuple(values.shape)} for {len(logits)} samples.",
                fix,
                expected=f"({len(logits)},)",
            )
        ]
    half = len(logits) // 2
    if half < 1:
        return []
    alone = whole.per_sample(logits[:half], said.labels[:half])
    other = (
        torch.cat([logits[:half], -logits[half:]]),
        torch.cat([said.labels[:half], said.labels[half:].roll(1, dims=0)]),
    )
    beside = whole.per_sample(*other)[:half]
    if not torch.allclose(values[:half], beside, rtol=CLOSE, atol=CLOSE):
        return [
            doubted(
                "loss",
                f"What {name} says of a sample depends on the outputs and targets of others in the batch.",
                f"{fix} Look for an axis that is the batch's, or a [B] beside a [B, 1]; if it is meant, "
                "doctor.skip=[proofs.loss].",
                float((values[:half] - beside).abs().max()),
                "0",
            )
        ]
    if not torch.allclose(values[:half], alone, rtol=CLOSE, atol=CLOSE):
        return [
            doubted(
                "loss",
                f"{name} grows with the number of samples: it is a sum where the mean is wanted, and the step would "
                "depend on batch_size.",
                f"{fix} Return one value for each sample; the program takes the mean.",
                float((values[:half] / alone).nanmedian()),
                "1",
            )
        ]
    return []


def compares(part: nn.Module) -> bool:
    """Whether a part of a loss is made of whole batches, whose samples of one class say little alone."""
    return isinstance(part, SetLoss) or (isinstance(part, Loss) and part.per_batch)


def _kinds(bench: Bench, whole: Loss, said: Answers, fix: str) -> list[Finding]:
    """Right answers cost less for each class too, and for each label alone."""
    if bench.task == Task.REGRESSION or any(compares(one) for one in whole.modules()):
        return []
    kinds = range(bench.num_outputs)[:KINDS]
    levels = {}
    for kind in kinds:
        if bench.task == Task.MULTICLASS:
            here = said.labels == kind
            pair = (said.right[here], said.wrong[here])
        else:
            here = torch.ones(len(said.labels), dtype=torch.bool)
            mistaken = said.right.clone()
            mistaken[:, kind] *= -1
            pair = (said.right, mistaken)
        if bool(here.any()):
            right, wrong = (float(whole(one, said.labels[here]).detach()) for one in pair)
            levels[bench.plan.competition.classes[kind]] = (right, wrong)
    odd = {kind: values for kind, values in levels.items() if not values[0] < values[1]}
    if not odd:
        return []
    first, (right, wrong) = next(iter(odd.items()))
    is_upside_down = right > wrong
    tell = failed if is_upside_down else doubted
    return [
        tell(
            "loss",
            f"{type(whole).__name__} of {len(odd)} of {len(levels)} classes, {first} first, is {right:.4g} for right "
            f"answers and {wrong:.4g} for wrong ones: "
            + ("wrong ones are rewarded." if is_upside_down else "nothing of them is learnt."),
            f"{fix} Look for an ignored class, and at loss.class_weight.",
            right,
            f"below {wrong:.4g}",
            classes=list(odd)[:KINDS],
        )
    ]
