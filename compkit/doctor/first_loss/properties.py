"""What must hold for every loss, whoever wrote it: facts about its values, without knowing its formula."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from compkit.doctor.first_loss.twice import CLOSE, cross_entropy, expects
from compkit.doctor.first_loss.values import SURE, Sheet
from compkit.findings import Finding, Status
from compkit.losses import Loss
from compkit.types import Task

NAME = "initial_loss.loss"
SCALES = (0.1, 1.0, 3.0, 10.0, SURE)  # of right answers: where labels are smoothed, being too sure costs
FAR = 100.0  # times larger or smaller than cross-entropy


def check_properties(sheet: Sheet, says_probs: bool, says_log_probs: bool) -> list[Finding]:
    """Everything wrong with a loss of logits; of one mistake the first sign.

    Args:
        sheet: loss and labels.
        says_probs: the network's outputs are probabilities, so that the loss may expect them.
        says_log_probs: they are logarithms of probabilities.
    """
    name = type(sheet.loss).__name__
    found = list(_rows_apart(sheet))
    if found:
        return found
    broken = _not_finite(sheet, name)
    if broken:
        return [broken]
    if sheet.task != Task.REGRESSION:
        found += expects(NAME, sheet, name, says_probs, says_log_probs)
    found = found or _order(sheet, name) or _direction(sheet, name)
    if found or says_log_probs:  # the size of such a loss is that of the network's logarithms
        return found
    return _size(sheet, name)


def _rows_apart(sheet: Sheet) -> Iterator[Finding]:
    """Each sample must have one loss, which the other samples of the batch do not change."""
    for loss in somebodys(sheet.loss):
        logits, name = _noise(sheet), type(loss).__name__
        loss.eval()
        with torch.no_grad():
            values = loss.per_sample(logits, sheet.labels)
            parts = torch.arange(len(logits), device=logits.device).tensor_split(2)
            alone = [loss.per_sample(logits[part], sheet.labels[part]) for part in parts]
        if values.shape != (len(logits),):
            yield Finding(
                NAME,
                Status.FAIL,
                f"loss {name}: per_sample returns the shape {list(values.shape)} for {len(logits)} samples.",
                expected="one value a sample, [B]",
                remedy=f"Return one number a sample in {name}.per_sample: .mean(dim=1) over classes, and no mean "
                'over the batch (reduction="none"), which `reduce` takes afterwards.',
            )
        elif not torch.allclose(values, torch.cat(alone), rtol=1e-4, atol=1e-5, equal_nan=True):
            change = float((values - torch.cat(alone)).abs().nan_to_num().max())
            yield Finding(
                NAME,
                Status.FAIL,
                f"loss {name}: what a sample costs changes with the other samples of its batch, by up to {change:.3g}.",
                value=change,
                expected="0",
                remedy=f"Look in {name}.per_sample for a sum or softmax over dim 0, a shape [B] beside [B, 1], or an "
                "index of one row. A loss that compares samples on purpose sets per_batch = True.",
            )


def somebodys(loss: nn.Module) -> Iterator[Loss]:
    """The losses of single samples' logits that are none of compkit's."""
    for one in loss.modules():
        if type(one).__module__.startswith("compkit.") or not isinstance(one, Loss):
            continue
        keeps_apart = not one.per_batch and type(one).per_sample is not Loss.per_sample
        if keeps_apart and one.reads == ("logits",):
            yield one


def _noise(sheet: Sheet) -> Tensor:
    """Answers around the guess, [N, C]."""
    noise = torch.randn(len(sheet.labels), sheet.classes, generator=torch.Generator().manual_seed(0))
    spread = sheet.labels.float().std(dim=0) if sheet.task == Task.REGRESSION else 1.0
    return sheet.same(sheet.guess) * (sheet.task == Task.REGRESSION) + spread * noise.to(sheet.labels.device)


def _not_finite(sheet: Sheet, name: str) -> Finding | None:
    """The first of some plain answers that costs no number."""
    answers = {
        "one answer to all": sheet.same(sheet.guess),
        "random answers": _noise(sheet),
        "right answers": sheet.sure(),
    }
    for words, logits in answers.items():
        value = sheet.value(logits)
        if not math.isfinite(value):
            bad = [row for row in range(len(logits)) if not _is_finite(sheet, logits, row)]
            rows = f" (first of label {sheet.labels[bad[0]].tolist()})" if bad else ""
            return Finding(
                NAME,
                Status.FAIL,
                f"loss {name} is {value} for {words}{rows}.",
                expected="a number",
                remedy=f"Compute in {name} with log_softmax or logsigmoid of the logits instead of log(probability), "
                "and clamp what a root or logarithm is taken of.",
            )
    return None


def _is_finite(sheet: Sheet, logits: Tensor, row: int) -> bool:
    return math.isfinite(sheet.value(logits[row : row + 1], sheet.labels[row : row + 1]))


def _order(sheet: Sheet, name: str) -> list[Finding]:
    """Samples in another order must cost the same."""
    logits = _noise(sheet)
    order = torch.randperm(len(logits), generator=torch.Generator().manual_seed(0)).to(logits.device)
    before, after = sheet.value(logits), sheet.value(logits[order], sheet.labels[order])
    if abs(after - before) <= CLOSE * max(1.0, abs(before)):
        return []
    return [
        Finding(
            NAME,
            Status.FAIL,
            f"loss {name} changes from {before:.4g} to {after:.4g} when its samples change their order.",
            value=after - before,
            expected="no change",
            remedy=f"Look in {name} for labels that are shifted, sorted or taken from another row than the prediction.",
        )
    ]


def _direction(sheet: Sheet, name: str) -> list[Finding]:
    """Right answers must cost less than one answer to all, and wrong ones more."""
    guesses = [sheet.value(sheet.same(sheet.guess))]
    if sheet.task != Task.REGRESSION:
        guesses.append(sheet.value(sheet.same(torch.zeros(sheet.classes, device=sheet.labels.device))))
    guess, right = min(guesses), min(sheet.value(sheet.sure(scale)) for scale in SCALES)
    wrong = sheet.value(sheet.mistaken(SCALES[2]))
    if not _differ(sheet):
        return []
    tiny = 1e-6 * abs(guess)
    if right < guess - tiny and not wrong <= guess - tiny:
        return []
    said = "right answers cost no less" if right >= guess - tiny else "wrong answers cost less"
    return [
        Finding(
            NAME,
            Status.FAIL,
            f"loss {name}: {said} than one answer to all pictures (right {right:.4g}, guessing {guess:.4g}, wrong "
            f"{wrong:.4g}).",
            value=right - guess,
            expected="right < guessing < wrong",
            remedy=f"Look in {name} for a wrong sign, for labels that count from 1, for a shape [B] beside [B, 1], "
            "or for a penalty that outweighs everything.",
        )
    ]


def _differ(sheet: Sheet) -> bool:
    """Whether the labels are not all the same, so that looking at pictures can pay."""
    return bool((sheet.labels != sheet.labels[:1]).any())


def _size(sheet: Sheet, name: str) -> list[Finding]:
    """A sum over the batch, or a scale far from cross-entropy's: nothing is wrong, but rates are not what
    they seem."""
    logits = _noise(sheet)
    once = sheet.value(logits)
    doubled = sheet.value(torch.cat([logits, logits]), torch.cat([sheet.labels, sheet.labels]))
    if once and abs(doubled / once - 2) < CLOSE:
        return [
            Finding(
                NAME,
                Status.WARN,
                f"loss {name} adds the samples of a batch up: the same samples twice cost twice as much, and the "
                "learning rate would grow with batch_size.",
                value=doubled / once,
                expected="1",
                remedy=f"Return the mean over the batch in {name}.",
            )
        ]
    if sheet.task == Task.REGRESSION or next(somebodys(sheet.loss), None) is None:
        return []
    ratio = sheet.value(sheet.same(0 * sheet.guess)) / cross_entropy(sheet)
    if 1 / FAR <= abs(ratio) <= FAR:
        return []
    return [
        Finding(
            NAME,
            Status.WARN,
            f"loss {name} costs {ratio:.3g} times as much as cross-entropy where nothing is known.",
            value=ratio,
            expected=f"{1 / FAR:g} to {FAR:g}",
            remedy=f"Take the factor out of {name}: learning rates, clipping and the optimizer's eps expect a loss "
            "of about 1.",
        )
    ]
