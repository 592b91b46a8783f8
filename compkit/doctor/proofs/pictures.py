"""Proofs of what enters the network: pictures of their own rows that differ, on the scale it was made for."""

import torch

from compkit.data import Draw, PretrainedScaling
from compkit.doctor.proofs.bench import Bench
from compkit.doctor.proofs.proof import doubted, failed, left_out
from compkit.findings import Finding
from compkit.models import Classifier
from compkit.models.weights import pretrained_config

DARK, LOUD = 0.03, 8.0  # deviation of what enters the first layer; it is about 1 where pictures are scaled
FAR = 8.0  # mean of what enters the first layer, likewise
DIM = 0.1  # of the range of files of more than 8 bits, which some pixel reaches


def rows(bench: Bench) -> list[Finding]:
    """The loader brings each row's own picture and label."""
    batch, found = bench.clean, []
    labels = torch.from_numpy(bench.labels[batch.rows.numpy()])
    if not torch.equal(batch.targets, labels):
        found.append(
            failed(
                "rows",
                "The targets of a batch are not those of its rows in the table.",
                "Look at what changes the table's targets or order.",
            )
        )
    for place in range(0, len(batch.rows), 3):
        alone = next(bench.fold_data.loader.batches([Draw(batch.rows.numpy()[place : place + 1], None)]))
        if not torch.equal(alone.images[0], batch.images[place]):
            return [
                *found,
                failed(
                    "rows",
                    f"The picture of {bench.fold_data.table.ids[int(batch.rows[place])]} is another one in a batch "
                    "than alone.",
                    "Reading must not depend on what was read before: look for caches and files that change.",
                ),
            ]
    return found


def pictures(bench: Bench) -> list[Finding]:
    """Pictures differ, are finite, and enter the network with a deviation near 1."""
    batch = bench.clean
    values = batch.images.float()
    if batch.images.dtype != torch.uint8 and not (bool(torch.isfinite(values).all())):
        return [
            failed(
                "pictures",
                "Pictures hold values that are not finite.",
                "Repair or leave out these files: scripts/inspect_data.py names them.",
            )
        ]
    if batch.images.dtype != torch.uint8 and float(values.abs().max()) > 1.5:
        return [
            failed(
                "pictures",
                f"Pixels go up to {float(values.abs().max()):.4g}, where they should lie between 0 and 1.",
                "Set competition.max_value to the largest value a pixel can have, e.g. 255 or 65535.",
                float(values.abs().max()),
                "at most 1",
            )
        ]
    flat = values.flatten(1)
    if bool((flat == flat[:, :1]).all()):
        return [
            failed(
                "pictures",
                f"All of {len(flat)} pictures are of one colour: nothing can be seen in them.",
                "Look at the files, and at competition.max_value for pictures of more than 8 bits.",
                0.0,
                "a deviation above 0",
            )
        ]
    if len(flat) > 2 and bool((flat == flat[0]).all()):
        return [
            failed(
                "pictures",
                f"{len(flat)} rows all show the same picture.",
                "Look at competition.train_images: does each row name its own file?",
                0.0,
                "pictures that differ",
            )
        ]
    return _entering(bench) or _dim(bench, float(values.max()))


def _dim(bench: Bench, brightest: float) -> list[Finding]:
    """Deep pictures that use a small part of their files' range: 12 bits in 16 reach 0.06."""
    is_deep = bench.clean.images.dtype != torch.uint8
    if not is_deep or brightest >= DIM or not isinstance(bench.plan.scaling, PretrainedScaling):
        return []
    return [
        doubted(
            "pictures",
            f"The brightest pixel of {len(bench.clean.images)} pictures has {brightest:.2g} of the range of the files.",
            "Set competition.max_value to the largest value a pixel can have, e.g. 4095 for 12 bits in files of 16, or "
            "scaling=measured.",
            brightest,
            f"at least {DIM}",
        )
    ]


def _entering(bench: Bench) -> list[Finding]:
    """What the first layer gets; a network's own scaling counts too."""
    first = bench.evaluated.watch.first
    if first is None or not first.is_floating_point():
        return [
            left_out(
                "pictures", "The network's first layer could not be found, only its pictures were looked at."
            )
        ]
    if bool((first == first[:1]).all()) and len(first) > 2:
        return [
            failed(
                "pictures",
                "The first layer of the network gets the same values for all pictures.",
                "Look for what overwrites the pictures in the model (model._target_).",
                0.0,
                "values that differ",
            )
        ]
    mean, std = float(first.double().mean()), float(first.double().std())
    if DARK <= std <= LOUD and abs(mean) <= FAR:
        return []
    what = (
        "as if pixels from 0 to 255 were not scaled" if std > LOUD or abs(mean) > FAR else "next to nothing"
    )
    return [
        doubted(
            "pictures",
            f"What enters the first layer has mean {mean:.3g} and deviation {std:.3g}, {what}.",
            "Set scaling=measured, look at mean and std of the model (model._target_), and at competition.max_value "
            "for "
            "pictures of more than 8 bits.",
            std,
            f"a deviation from {DARK} to {LOUD}, usually near 1",
        )
    ]


def scaling(bench: Bench) -> list[Finding]:
    """Pretrained weights get the mean and deviation they were trained with."""
    model, plan = bench.model, bench.plan
    if not isinstance(model, Classifier) or not isinstance(plan.scaling, PretrainedScaling):
        return [left_out("scaling", "The scaling is measured or the model's own.")]
    config = pretrained_config(model.backbone.name)
    preprocessing = bench.fold_data.preprocessing
    options = plan.config["model"]
    if not options.get("pretrained") and options.get("weights") is None:
        return [left_out("scaling", "The weights are not pretrained.")]
    if preprocessing.channels != 3:
        return [left_out("scaling", "The pictures have not three channels.")]
    pairs = zip((*config.mean, *config.std), (*preprocessing.mean, *preprocessing.std), strict=True)
    apart = max(abs(wanted - given) for wanted, given in pairs)
    if apart < 1e-3:
        return []
    return [
        doubted(
            "scaling",
            f"The weights were trained with mean {config.mean} and std {config.std}, pictures are scaled with "
            f"{preprocessing.mean} and {preprocessing.std}.",
            "Leave mean and std to the model's weights, or set scaling=measured if it is meant.",
            apart,
            "0",
        )
    ]
