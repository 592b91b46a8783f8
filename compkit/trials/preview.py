"""A picture of exactly what the network will see: the run's own first batches, beside their originals."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from compkit.data import Draw, ImageDataset
from compkit.engine import Console, network_input
from compkit.files import atomic_path, free_path
from compkit.report.contact_sheet import contact_sheet, denormalise, label_texts
from compkit.run.plan import Plan
from compkit.run.trial import Trial, open_trial


def preview(plan: Plan, output: Path, pictures: int) -> Path:
    """Draw the first training pictures of the run's first epoch as they enter the network.

    Above each the same picture as in validation, at the same size; below, its label, of mixed pictures both
    with their shares.

    Args:
        plan: the run.
        output: where to; a file that exists is kept and the next free number taken.
        pictures: how many.

    Raises:
        ValueError: output is no .png or .jpg.

    Returns:
        the file.
    """
    if output.suffix.lower() not in (".png", ".jpg"):
        raise ValueError(f"output={output}: expected a .png or .jpg file. Set output=preview.png.")
    with Console() as console:
        with open_trial(replace(plan, predict_test=False), console) as trial:
            plain, seen, texts = first_pictures(trial, pictures)
        titles = ["above: as in validation", "below: as the network is trained on it"]
        sheet = contact_sheet([plain, seen], texts[:pictures], titles)
        path = free_path(output)
        with atomic_path(path) as temporary:
            cv2.imwrite(str(temporary), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
        console.say(f"what enters the network: {path}")
    return path


def first_pictures(trial: Trial, count: int) -> tuple[list[np.ndarray], list[np.ndarray], list[str]]:
    """The run's first training pictures, batch by batch until there are `count`.

    Returns:
        as in validation, and as they enter the network, each uint8 [H, W, 3]; their labels.
    """
    plan, fold = trial.plan, trial.fold_data
    stepper = trial.stepper()
    originals = ImageDataset(fold.table, fold.preprocessing)
    plain: list[np.ndarray] = []
    seen: list[np.ndarray] = []
    texts: list[str] = []
    for window, _ in trial.windows(stepper):
        for micro in window:
            height, width = micro.images.shape[1:3]
            batch = originals[Draw(micro.rows.cpu().numpy(), None, (height, width))]
            plain.extend(denormalise(fold.preprocessing.normalise(batch.images), fold.preprocessing))
            images = network_input(micro.images, fold.preprocessing, plan.trainer, micro.mix)
            seen.extend(denormalise(images, fold.preprocessing))
            known = micro.targets.labelled()
            texts += label_texts(known, plan.competition.classes, plan.competition.task)
            texts += ["no label"] * micro.targets.unlabelled
        if len(texts) >= count:
            break
    return plain, seen, texts
