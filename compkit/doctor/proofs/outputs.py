"""Proofs of what the network says: logits of its pictures, of each by itself."""

import torch
from torch import Tensor

from compkit.doctor.proofs.bench import Bench
from compkit.doctor.proofs.evaluated import PAIR
from compkit.doctor.proofs.proof import doubted, failed, left_out
from compkit.findings import Finding
from compkit.losses import as_outputs
from compkit.randomness import seed_everything
from compkit.types import Task

SUM = 1e-3  # rows of probabilities sum to 1 within this
ROUNDING = {"cpu": 1e-5, "cuda": 2e-3}  # of float32 relative to the largest output; GPUs multiply in TF32
SPREAD = 1e-3  # of the differences between rows


def outputs(bench: Bench) -> list[Finding]:
    """Outputs are finite logits, one a class, that depend on the picture."""
    logits, name = bench.evaluated.logits, "outputs"
    if not isinstance(logits, Tensor) or logits.shape != (len(bench.evaluated.images), bench.num_outputs):
        shape = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
        return [
            failed(
                name,
                f"model(images) of {len(bench.evaluated.images)} pictures gives {shape}.",
                f"Return logits [batch, {bench.num_outputs}], one for each class or target (model._target_, "
                "model/head).",
                expected=f"[batch, {bench.num_outputs}]",
            )
        ]
    training = bench.lesson.outputs
    for where, values in (("evaluation", logits), ("training", training)):
        wrong = int((~torch.isfinite(values)).any(dim=1).sum())
        if wrong:
            return [
                failed(
                    name,
                    f"In {where} the outputs of {wrong} of {len(values)} pictures are not finite, before any "
                    "training.",
                    "Look for roots, logarithms and divisions of small or negative numbers in the model "
                    "(model._target_), and at the scale of its input.",
                    wrong,
                    "0",
                )
            ]
    return _blind(bench) or _same_classes(bench)


def _blind(bench: Bench) -> list[Finding]:
    """Other pictures, the same answer to the bit, also after some steps."""
    if len(torch.unique(bench.evaluated.logits, dim=0)) > 1:
        return []
    answers = after_steps(bench)
    if not torch.equal(answers[0], answers[1]):
        return []
    return [
        failed(
            "outputs",
            "All pictures get the same outputs: the network does not look at them.",
            "Look for what overwrites, detaches or multiplies away the pictures or features in the model "
            "(model._target_), and for units that are all dead (model.initialise).",
            0.0,
            "other outputs for other pictures",
        )
    ]


def _same_classes(bench: Bench) -> list[Finding]:
    if bench.num_outputs < 2:
        return []
    logits = bench.evaluated.logits
    for values in (logits, *after_steps(bench)):
        if not torch.equal(values, values[:, :1].expand_as(values)):
            return []
    return [
        failed(
            "outputs",
            "All classes get the same number for each picture, also after some steps.",
            "Look for a broadcast in the head (model.head._target_): each class needs its own weights.",
            0.0,
            "other outputs for other classes",
        )
    ]


def after_steps(bench: Bench) -> tuple[Tensor, Tensor]:
    """Logits in training mode, after the lesson, of two sets of pictures with the same noise."""
    _ = bench.lesson
    bench.stepper.module.train()
    images = bench.evaluated.images
    said = []
    for pictures in (images, images.flip(0)):
        seed_everything(0)
        with torch.no_grad():
            said.append(as_outputs(bench.stepper.module(pictures)).logits)
    return said[0], said[1]


def probabilities(bench: Bench) -> list[Finding]:
    """Outputs are logits, not yet probabilities, and can go wherever the targets are."""
    seen = bench.evaluated
    shown = [one for one in (seen.logits, *seen.amplified) if isinstance(one, Tensor) and one.ndim == 2]
    if len(shown) < 3 or not all(torch.isfinite(one).all() for one in shown):
        return [left_out("probabilities", "The outputs are not finite logits.")]
    moves = not torch.equal(shown[1], shown[2])
    if bench.task == Task.REGRESSION:
        return _bounded(bench, shown) if moves else []
    remedy = (
        "Return logits: loss and prediction apply softmax or sigmoid themselves (model._target_, model/head)."
    )
    in_training = bench.lesson.outputs
    for where, values in (("", [shown[0]]), (" in training", [in_training])):
        if (
            bench.task == Task.MULTICLASS
            and bench.num_outputs > 1
            and all(sums_to_one(one) for one in values)
        ):
            return [
                failed(
                    "probabilities",
                    f"The outputs{where} are probabilities already: each row sums to 1.",
                    remedy,
                    float(values[0].sum(dim=1).mean()),
                    "logits",
                )
            ]
    if moves and all(bool(((one >= 0) & (one <= 1)).all()) for one in shown):
        return [
            failed(
                "probabilities",
                "The outputs stay between 0 and 1 whatever the last layer says: a sigmoid or softmax is behind it.",
                remedy,
                float(shown[1].max()),
                "logits of any size",
            )
        ]
    if moves and all(bool((one >= 0).all()) for one in shown):
        return [
            doubted(
                "probabilities",
                "The outputs never go below 0: a ReLU or the like is behind the last layer, so no class can be "
                "ruled out.",
                "Remove what follows the last layer (model._target_, model/head).",
                float(min(one.min() for one in shown)),
                "logits of both signs",
            )
        ]
    return []


def sums_to_one(values: Tensor) -> bool:
    """Whether all rows are probabilities of exclusive classes.

    >>> sums_to_one(torch.tensor([[0.2, 0.8], [0.5, 0.5]])), sums_to_one(torch.tensor([[-1.0, 2.0]]))
    (True, False)
    """
    return bool(((values >= 0) & (values <= 1)).all() and ((values.sum(dim=1) - 1).abs() < SUM).all())


def _bounded(bench: Bench, shown: list[Tensor]) -> list[Finding]:
    """Regression behind a sigmoid or tanh whose range leaves targets out."""
    targets = bench.labels[bench.fold_data.train_rows]
    low, high = float(torch.stack(shown[1:]).min()), float(torch.stack(shown[1:]).max())
    spread = float(targets.max() - targets.min())
    outside = float(((targets < low - 0.05 * spread) | (targets > high + 0.05 * spread)).mean())
    if not outside or not _saturates(shown[1]):
        return []
    return [
        doubted(
            "probabilities",
            f"The outputs cannot leave [{low:.3g}, {high:.3g}], and {outside:.0%} of the training targets lie "
            "outside, "
            f"which go from {targets.min():.3g} to {targets.max():.3g}.",
            "Remove the sigmoid or tanh behind the last layer, or scale its outputs to the targets (model._target_).",
            outside,
            "0",
        )
    ]


def _saturates(amplified: Tensor) -> bool:
    """Whether most outputs of an amplified last layer lie at one of two ends."""
    low, high = amplified.min(), amplified.max()
    width = (high - low).clamp(min=1e-12)
    at_end = ((amplified - low) < 0.02 * width) | ((high - amplified) < 0.02 * width)
    return bool(at_end.float().mean() > 0.7)


def evaluation(bench: Bench) -> list[Finding]:
    """Evaluation says the same of a picture each time, in whatever batch, and changes nothing."""
    seen, found = bench.evaluated, []
    logits = seen.logits
    if not isinstance(logits, Tensor) or logits.ndim != 2 or not bool(torch.isfinite(logits).all()):
        return [left_out("evaluation", "The outputs are not finite logits.")]
    scale = float(logits.abs().max())
    spread = float((logits - logits.mean(dim=0)).abs().max())
    allowed = SPREAD * spread + ROUNDING.get(bench.ranks.device.type, ROUNDING["cuda"]) * scale
    again = float((logits - seen.again).abs().max())
    if not again <= allowed:
        found.append(
            failed(
                "evaluation",
                f"The same batch gets other outputs the second time in evaluation mode, by up to {again:.2g}.",
                "Give F.dropout training=self.training, and make no layer and draw no random number in forward "
                "(model._target_).",
                again,
                f"at most {allowed:.1g}",
            )
        )
    if again <= allowed:
        apart = float((seen.pair - logits[PAIR % len(logits)]).abs().max())
        if not apart <= allowed:
            found.append(
                failed(
                    "evaluation",
                    f"What the network says of a picture depends on the others of its batch, by up to {apart:.2g} of "
                    f"outputs that differ by {spread:.2g}.",
                    "Normalise over the batch nowhere in evaluation (batch norm needs running statistics), and keep "
                    "the order of the rows (model._target_).",
                    apart,
                    f"at most {allowed:.1g}",
                )
            )
    if not found and (not isinstance(seen.single, Tensor) or seen.single.shape != logits[:1].shape):
        is_tensor = isinstance(seen.single, Tensor)
        given = f"outputs of shape {tuple(seen.single.shape)}" if is_tensor else f"an error: {seen.single}"
        found.append(
            failed(
                "evaluation",
                f"A batch of one picture gives {given}.",
                f"Return [1, {logits.shape[1]}] for it: squeeze() also takes the batch away (model._target_).",
                expected=f"(1, {logits.shape[1]})",
            )
        )
    if seen.changed:
        found.append(
            failed(
                "evaluation",
                f"Looking at a batch in evaluation changes {len(seen.changed)} buffers, {seen.changed[0]} among them.",
                "Update statistics only where self.training is true (model._target_).",
                len(seen.changed),
                "0",
            )
        )
    return found
