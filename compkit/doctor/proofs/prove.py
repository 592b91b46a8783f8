"""All proofs: what is cheap to prove of a run, at the start of each."""

import os
from collections.abc import Collection

import torch

from compkit.doctor.check import Check
from compkit.doctor.proofs.augmentation import augmentation
from compkit.doctor.proofs.bench import Bench
from compkit.doctor.proofs.course import averaging, mixing, sampling, schedule
from compkit.doctor.proofs.folds import apart, classes
from compkit.doctor.proofs.gradient import descent, reach, units, vanishing
from compkit.doctor.proofs.labels import labels
from compkit.doctor.proofs.loss import loss
from compkit.doctor.proofs.metrics import metrics
from compkit.doctor.proofs.modes import frozen, modes
from compkit.doctor.proofs.optimizer import coverage, rates, steps, zero_grad
from compkit.doctor.proofs.outputs import evaluation, outputs, probabilities
from compkit.doctor.proofs.pictures import pictures, rows, scaling
from compkit.doctor.proofs.proof import Proof, left_out
from compkit.doctor.proofs.symmetry import symmetry
from compkit.doctor.stumble import NO_MEMORY, stumbled
from compkit.findings import Finding, Status
from compkit.run.trial import Trial

PROOFS = (
    Proof(
        "labels", "Labels are finite, in range, of more than one kind, and each class has one name.", labels
    ),
    Proof("rows", "The loader brings each row's own picture and label.", rows),
    Proof("classes", "Each fold has every class to learn from.", classes),
    Proof("apart", "No picture is learnt from and judged in the same fold.", apart),
    Proof(
        "sampling",
        "Epochs show all rows or others each time, in another order, several classes a batch.",
        sampling,
    ),
    Proof("schedule", "The rate stays above 0 for most of the run, and near lr.", schedule),
    Proof("loss", "The loss listens to outputs and targets and is lower for right answers.", loss),
    Proof("metrics", "Right predictions score better than wrong ones.", metrics),
    Proof("mixing", "Mixed pictures hold the shares that their labels say.", mixing),
    Proof("pictures", "Pictures differ, and enter the network on a usual scale.", pictures),
    Proof("scaling", "Pretrained weights get the mean and deviation they were trained with.", scaling),
    Proof("outputs", "Outputs are finite numbers, one a class, that depend on the picture.", outputs),
    Proof("probabilities", "Outputs are logits that can go where the targets are.", probabilities),
    Proof("evaluation", "Evaluation says the same of a picture each time, in whatever batch.", evaluation),
    Proof(
        "augmentation",
        "Apart from what is random, pictures are the same in training and evaluation.",
        augmentation,
    ),
    Proof(
        "modes",
        "Layers run in training mode while the network learns, in evaluation mode while it is judged.",
        modes,
    ),
    Proof("frozen", "What is frozen is what finetune froze, and stays as it is.", frozen),
    Proof("optimizer", "The optimizer holds every trained weight once, and nothing else.", coverage),
    Proof("rates", "Each group has a rate above 0 and a decay that leaves its weights alive.", rates),
    Proof("gradient", "The gradient reaches every trained weight.", reach),
    Proof("vanishing", "The gradient of the first layers is large enough to be seen.", vanishing),
    Proof("units", "Few units are silent for all pictures, or saturated.", units),
    Proof("symmetry", "The units of a layer differ from each other.", symmetry),
    Proof("zero_grad", "Gradients are cleared after each step.", zero_grad),
    Proof("steps", "Each step moves every weight that has a gradient, and against it.", steps),
    Proof("descent", "A small step against the gradient lowers the loss.", descent),
    Proof("averaging", "The average forgets the first weights before the run ends.", averaging),
)


def prove(trial: Trial, skip: Collection[str] = ()) -> list[Finding]:
    """Every proof's findings; one PASS for each that finds nothing wrong.

    Args:
        trial: of the run.
        skip: names of proofs to leave out, such as proofs.frozen.
    """
    bench = Bench(trial)
    found: list[Finding] = []
    for proof in PROOFS:
        name = f"proofs.{proof.name}"
        if name in skip:
            found.append(Finding(name, Status.SKIP, f"Left out by doctor.skip=[{name}]."))
        else:
            found += _guarded(proof, bench) or [Finding(name, Status.PASS, proof.meaning)]
    return _told_once(found)


def _told_once(findings: list[Finding]) -> list[Finding]:
    """An error that stops several proofs is told by the first; the others were left out."""
    first: dict[tuple[str, object], str] = {}
    told = []
    for one in findings:
        key = (one.message, one.evidence.get("line"))
        if "error" in one.evidence and key in first:
            one = Finding(one.check, Status.SKIP, f"The error that {first[key]} tells stops this proof too.")
        elif "error" in one.evidence:
            first[key] = one.check
        told.append(one)
    return told


def _guarded(proof: Proof, bench: Bench) -> list[Finding]:
    """What a proof finds; what stops it is a finding too."""
    try:
        return proof.run(bench)
    except torch.OutOfMemoryError:
        return [left_out(proof.name, NO_MEMORY)]
    except Exception as error:
        if os.environ.get("HYDRA_FULL_ERROR") == "1":
            raise
        return [stumbled(f"proofs.{proof.name}", error)]


def proofs(trial: Trial) -> list[Finding]:
    """The doctor's first check."""
    return prove(trial, trial.plan.doctor.skip)


PROOFS_CHECK = Check(
    "proofs",
    f"The parts of the run do what they are for, by {len(PROOFS)} cheap proofs.",
    proofs,
    blocks=True,
)
