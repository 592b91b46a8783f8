"""What the loss is before the first step: exactly what it must be, and about what it may be."""

import math

import numpy as np
import torch
from torch import Tensor

from compkit.doctor.check import Check
from compkit.doctor.first_loss.head import Mouth, find_mouth
from compkit.doctor.first_loss.properties import check_properties
from compkit.doctor.first_loss.terms import check_terms, term_sizes
from compkit.doctor.first_loss.twice import are_log_probs, are_probs, is_stalled, twice
from compkit.doctor.first_loss.values import NUMBERS, SURE, Sheet, best_guess, known_values
from compkit.doctor.gradients.sample import pick_rows, take_sample
from compkit.engine import Stepper
from compkit.findings import Finding, Status
from compkit.losses import as_outputs
from compkit.models import AngularHead
from compkit.randomness import restore_rng, rng_state
from compkit.run.prepare import class_counts
from compkit.run.trial import Trial
from compkit.types import Outputs, Targets, Task

PICTURES, ROWS = 16, 2048
EXACT = 1e-3
BAND, USUAL = (0.5, 4.0), (0.8, 1.5)  # of the loss of guessing: what warns, and what is told
SQUEEZED = 0.05  # of what guessing costs: what right answers may cost more than they need


def initial_loss(trial: Trial) -> list[Finding]:
    """The loss's own values, the network's last layer, the loss as built, and the scale of its terms."""
    before = rng_state()
    try:
        stepper = trial.stepper(trial.plan.epochs - 1)
        images, targets = take_sample(trial, stepper, min(PICTURES, max(2, trial.plan.batch_size)))
        found: list[Finding] = []
        known = ""
        if "logits" in stepper.learner.loss.reads:
            sheet = make_sheet(trial, stepper)
            mouth = find_mouth(stepper.learner.model, images[:2], sheet.classes)
            found, known = _values(trial, stepper, sheet, mouth, images)
            found += [] if _failed(found) else check_built(stepper, sheet, images, targets)
        else:
            why = "the loss compares features, and no loss of guessing is known for it."
            found.append(Finding("initial_loss.loss", Status.SKIP, why))
        if len(stepper.learner.loss.term_names) > 1:
            found += check_terms(term_sizes(stepper, images, targets))
    finally:
        restore_rng(before)
    if trial.plan.optimizer.weight_decay or trial.plan.trainer.l1:
        why = "weight decay and L1 act in the optimizer's step: the loss must not change by them."
        found.append(Finding("initial_loss.regulariser", Status.SKIP, why))
    is_told = any(one.check == "initial_loss.loss" for one in found)  # that nothing is known of it
    if not is_told and all(one.status in (Status.SKIP, Status.INFO) for one in found):
        said = f"the loss is what it must be where nothing is known{known}."
        found.insert(0, Finding("initial_loss", Status.PASS, said))
    return found


def make_sheet(trial: Trial, stepper: Stepper) -> Sheet:
    """Labels of training rows, of every class as far as numbers allow, and what guesses best on all of them."""
    competition, table = trial.plan.competition, trial.fold_data.table
    task, classes = competition.task, len(competition.classes)
    labels = table.labels[trial.data.folds.train_rows(trial.fold)]
    count = min(len(labels), max(2, min(ROWS, NUMBERS // classes)))
    evenly = np.linspace(0, len(labels) - 1, count).astype(int)
    picked = labels[pick_rows(labels, count) if task == Task.MULTICLASS else evenly]
    device = trial.ranks.device
    guess = best_guess(torch.from_numpy(labels), task, classes)
    return Sheet(stepper.learner.loss, torch.from_numpy(picked).to(device), task, guess.to(device))


def _values(
    trial: Trial, stepper: Stepper, sheet: Sheet, mouth: Mouth | None, images: Tensor
) -> tuple[list[Finding], str]:
    """What can be proven of the loss and of the last layer, and a known value in words."""
    said = _said(stepper, mouth, images, sheet)
    found = check_properties(sheet, are_probs(said, sheet.task), are_log_probs(said))
    if _failed(found):
        return found, ""
    counts = class_counts(
        trial.fold_data.table, trial.data.folds.train_rows(trial.fold), sheet.task, sheet.classes
    )
    exact, known = check_exact(trial.plan.config["loss"], sheet, counts)
    found += exact
    if mouth is not None and sheet.task != Task.REGRESSION and not _failed(found):
        found += check_mouth(sheet, mouth)
    return found, known


def check_exact(node: dict, sheet: Sheet, counts: np.ndarray | None) -> tuple[list[Finding], str]:
    """Known losses for one answer to all, and for the right answers; and their values in words."""
    found, words = [], []
    # no logits are right answers to labels that are shares
    is_sure = sheet.task == Task.REGRESSION or bool(((sheet.labels == 0) | (sheet.labels == 1)).all())
    is_sure |= not sheet.labels.is_floating_point()
    for known in known_values(node, sheet.loss, sheet.labels.cpu().numpy(), sheet.task, counts):
        one = sheet._replace(loss=known.loss)
        logits = torch.from_numpy(known.logits).to(sheet.labels.device)
        pairs = [(known.words, one.value(one.same(logits)), known.value)]
        if known.floor is not None and is_sure:
            pairs.append(("right answers", one.value(one.sure()), known.floor))
        words.append(f"; {known.words}: {pairs[0][1]:.4g}")
        found += [
            _not_exact(known.name or type(known.loss).__name__, answer, value, wanted)
            for answer, value, wanted in pairs
            if not abs(value - wanted) <= EXACT * max(1.0, abs(wanted))
        ]
    return found, "".join(words)


def _not_exact(name: str, answer: str, value: float, wanted: float) -> Finding:
    return Finding(
        "initial_loss.exact",
        Status.FAIL,
        f"loss {name} of {answer} is {value:.5g}.",
        value=value,
        expected=f"{wanted:.5g} within {EXACT:g}",
        remedy="Look at the loss's class weights, smoothing and reduction, and at its arguments in loss=….",
    )


def check_mouth(sheet: Sheet, mouth: Mouth) -> list[Finding]:
    """Whether what the last layer says reaches the loss as it is."""
    device = sheet.labels.device
    low = torch.linspace(-11, -5, sheet.classes, device=device)
    cut = mouth.say(low[None])[0]
    if sheet.classes > 1 and bool((cut == cut[0]).all()):
        return [
            Finding(
                "initial_loss.output",
                Status.FAIL,
                f"the network's last layer said {sheet.classes} different logits from -11 to -5, and all came out as "
                f"{float(cut[0]):.3g}.",
                value=float(cut[0]),
                expected="logits that pass unchanged",
                remedy="Take the activation (ReLU, clamp) away from behind the network's last layer: negative logits "
                "are answers too.",
            )
        ]
    rows = _some_rows(sheet)
    few = sheet._replace(labels=sheet.labels[rows])
    answers = {scale: mouth.say(few.sure(scale)) for scale in (10.0, SURE)}
    where = "behind the network's last layer"
    if is_stalled(few, lambda scale: few.value(answers[scale])):
        remedy = "Take the {function} out of the network: the loss takes logits, and predictions are activated later."
        return [twice("initial_loss.output", few, where, remedy)]
    squeezed, free = few.value(answers[SURE]), few.value(few.sure())
    guess = sheet.value(sheet.same(sheet.guess))
    if squeezed <= free + max(EXACT, SQUEEZED * abs(guess - free)):
        return []
    return [
        Finding(
            "initial_loss.output",
            Status.FAIL,
            f"{where} right and sure answers (logits of ±{SURE:g}) cost {squeezed:.4g}, given to the loss directly "
            f"{free:.4g}.",
            value=squeezed,
            expected=f"{free:.4g}",
            remedy="Take the function away that squeezes the last layer's answers (softmax, sigmoid, tanh), or scale "
            "them back.",
        )
    ]


def check_built(stepper: Stepper, sheet: Sheet, images: Tensor, targets: Targets) -> list[Finding]:
    """The loss of the network as built, in training mode, beside that of guessing on the same pictures."""
    if isinstance(getattr(stepper.learner.model, "head", None), AngularHead):
        why = "the head's logits are scaled cosines, and how high their loss starts is the scale's choice."
        return [Finding("initial_loss.built", Status.SKIP, why)]
    targets = targets.labelled()
    with torch.no_grad():
        outputs = as_outputs(stepper.learner.model.train()(images, targets))
    logits = Outputs(outputs.logits.float()).first(len(targets.labels)).logits
    few = sheet._replace(labels=targets.labels)
    loss = few.value(logits)
    # these pictures may be easy to guess by chance, so on others too; a head that starts at 0 is fine as well
    guesses = [one.value(one.same(sheet.guess)) for one in (few, sheet)]
    if sheet.task != Task.REGRESSION:
        guesses.append(few.value(few.same(0 * sheet.guess)))
    if not math.isfinite(loss):
        return [_built(loss, guesses[0], Status.FAIL)]
    if min(guesses) <= 0:  # nothing to learn, or an own loss that means something else by its size
        return []
    low, high = loss / min(guesses), loss / max(guesses)
    if low < BAND[0] or high > BAND[1]:
        return [_built(loss, guesses[0], Status.WARN)]
    return [_built(loss, guesses[0], Status.INFO)] if low < USUAL[0] or high > USUAL[1] else []


def _built(loss: float, guess: float, status: Status) -> Finding:
    remedy = (
        "Look at the weights of the last layer (the usual initialisation, model/initialise=default), at the scale of "
        "the pictures (scaling) and, for numbers, at the unit of the targets."
    )
    return Finding(
        "initial_loss.built",
        status,
        f"before the first step the loss is {loss:.4g}, and guessing costs {guess:.4g} on the same pictures.",
        value=loss / guess if guess else None,
        expected=f"{USUAL[0]:g} to {USUAL[1]:g} times that of guessing, at most {BAND[0]:g} to {BAND[1]:g}",
        remedy="" if status == Status.INFO else remedy,
    )


def _failed(found: list[Finding]) -> bool:
    return any(one.status == Status.FAIL for one in found)


def _some_rows(sheet: Sheet) -> list[int]:
    """Three rows of different labels, or fewer where there are no more."""
    _, first = np.unique(sheet.labels.cpu().numpy(), axis=0, return_index=True)
    return sorted(first.tolist())[:3]


def _said(stepper: Stepper, mouth: Mouth | None, images: Tensor, sheet: Sheet) -> Tensor:
    """Outputs in evaluation mode [K, C]: for several biases of the last layer, or of pictures."""
    if mouth is not None:
        noise = torch.randn(4, sheet.classes, generator=torch.Generator().manual_seed(0)) * 5
        return mouth.say(noise.to(images.device))
    with torch.no_grad():
        return as_outputs(stepper.learner.model.eval()(images)).logits.float()


INITIAL_LOSS = Check(
    "initial_loss",
    "the loss before the first step, against what it must be where nothing is known",
    initial_loss,
)
