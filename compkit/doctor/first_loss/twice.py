"""A softmax or logarithm too many or too few between the network and the loss."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from compkit.doctor.first_loss.values import SURE, Sheet
from compkit.findings import Finding, Status
from compkit.types import Task

CLOSE = 1e-3


def stall(sheet: Sheet) -> float:
    """The lowest loss of a cross-entropy whose logits are probabilities: ln(e + C - 1) - 1, or that of labels."""
    if sheet.task == Task.MULTICLASS:
        return math.log(math.e + sheet.classes - 1) - 1
    present = float(sheet.labels.mean())
    return present * math.log(1 + math.exp(-1)) + (1 - present) * math.log(2)


def is_stalled(sheet: Sheet, value: Callable[[float], float]) -> bool:
    """Whether a loss stays at `stall`, however sure the right answers are; `value` takes their scale."""
    return all(abs(value(scale) - stall(sheet)) < CLOSE for scale in (10.0, SURE))


def twice(name: str, sheet: Sheet, where: str, remedy: str) -> Finding:
    """The finding of two softmaxes (or sigmoids) in a row."""
    function = "softmax (or sigmoid)" if sheet.task == Task.MULTICLASS else "sigmoid"
    return Finding(
        name,
        Status.FAIL,
        f"{where}: right and sure answers still cost {stall(sheet):.4f}, what is left when a {function} is taken "
        "twice. Training would stall there.",
        value=stall(sheet),
        expected="near 0",
        remedy=remedy.format(function=function),
    )


def expects(check: str, sheet: Sheet, name: str, says_probs: bool, says_log_probs: bool) -> list[Finding]:
    """A loss of probabilities, of their logarithms, or with a softmax too many, behind a network that says logits."""
    if is_stalled(sheet, lambda scale: sheet.value(sheet.sure(scale))):
        remedy = f"Take the {{function}} out of loss {name}: its cross-entropy takes logits."
        return [twice(check, sheet, f"loss {name}", remedy)]
    if sheet.task == Task.MULTICLASS and all(lacks_logarithm(sheet, scale) for scale in (1.0, 3.0)):
        message = (
            f"loss {name} is minus the probability of the right class, not minus its logarithm: sure mistakes are "
            "hardly corrected."
        )
        remedy = f"Take log_softmax, not softmax, before nll_loss in {name}, or use loss=cross_entropy."
        return [Finding(check, Status.WARN, message, expected="-log p", remedy=remedy)]
    zeros = torch.zeros(sheet.classes, device=sheet.labels.device)
    at_zero, plain = sheet.value(sheet.same(zeros)), cross_entropy(sheet)
    even = 1 / sheet.classes if sheet.task == Task.MULTICLASS else 0.5
    reads_probs = abs(sheet.value(sheet.same(zeros + even)) - plain) < CLOSE < abs(at_zero - plain)
    shifted = sheet.value(sheet.same(zeros + 1)) - at_zero
    reads_logs = sheet.task == Task.MULTICLASS and abs(shifted + 1) < CLOSE
    kind = "probabilities" if reads_probs else "logarithms of probabilities" if reads_logs else ""
    if not kind or (reads_probs and says_probs) or (reads_logs and says_log_probs):
        return []
    return [
        Finding(
            check,
            Status.FAIL,
            f"loss {name} reads its input as {kind}, and the network says logits: equal logits cost {at_zero:.3g}.",
            value=at_zero,
            expected=f"{plain:.4g}, as by cross-entropy",
            remedy=f"Let {name} start with log_softmax (or logsigmoid) of its input, or use loss=cross_entropy or bce.",
        )
    ]


def lacks_logarithm(sheet: Sheet, scale: float) -> bool:
    """Whether the loss of random answers is minus the mean probability of the right class."""
    noise = torch.randn(len(sheet.labels), sheet.classes, generator=torch.Generator().manual_seed(0))
    logits = scale * noise.to(sheet.labels.device)
    right = logits.softmax(dim=1).gather(1, sheet.labels[:, None]).mean()
    return abs(sheet.value(logits) + float(right)) < 1e-5


def cross_entropy(sheet: Sheet) -> float:
    """Of equal logits."""
    return math.log(sheet.classes) if sheet.task == Task.MULTICLASS else math.log(2)


def are_probs(outputs: Tensor, task: Task) -> bool:
    """Whether all outputs [K, C] could be probabilities.

    >>> are_probs(torch.tensor([[0.25, 0.75]]), Task.MULTICLASS)
    True
    """
    inside = bool(((outputs >= 0) & (outputs <= 1)).all())
    sums = outputs.sum(dim=1)
    return inside and (task != Task.MULTICLASS or torch.allclose(sums, torch.ones_like(sums), atol=1e-4))


def are_log_probs(outputs: Tensor) -> bool:
    """Whether all outputs [K, C] could be logarithms of probabilities of exclusive classes."""
    sums = outputs.logsumexp(dim=1)
    return torch.allclose(sums, torch.zeros_like(sums), atol=1e-4)
