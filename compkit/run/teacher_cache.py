"""What teachers say of every training picture, asked once and kept beside the fold."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from compkit.data import evaluation_draws
from compkit.engine import Console, FoldData, Ranks, choose_precision, gather_rows
from compkit.files import atomic_path
from compkit.inference import predict_logits
from compkit.run.assemble import make_loader
from compkit.run.plan import Plan
from compkit.run.teachers import fold_teachers
from compkit.semi import CachedLessons, Teacher

CHUNK = 4096  # rows asked for before the answers are written


def cached_lessons(
    plan: Plan, teachers: Sequence[Plan], fold: int, data: FoldData, ranks: Ranks, console: Console
) -> CachedLessons:
    """Ask the fold's teachers about each training row, where that has not been done yet.

    Answers lie in fold_K/teacher_J.npy, float32 [N, C] with NaN for rows not asked about; a run that is killed goes on
    where the last written chunk ended.
    """
    networks = fold_teachers(teachers, plan.competition.classes, fold)
    answers = [
        ask(plan, teacher, plan.folder / f"fold_{fold}" / f"teacher_{number}.npy", data, ranks, console)
        for number, teacher in enumerate(networks)
    ]
    return CachedLessons(torch.from_numpy(np.stack(answers)))


def ask(
    plan: Plan, teacher: Teacher, path: Path, data: FoldData, ranks: Ranks, console: Console
) -> np.ndarray:
    """One teacher's logits for the rows of the fold's table, float32 [N, C]; NaN where nothing trains on them."""
    shape = (len(data.table), len(plan.competition.classes))
    kept = np.load(path) if ranks.is_main and path.is_file() else np.full(shape, np.nan, np.float32)
    answers: np.ndarray = ranks.share(kept)
    assert answers.shape == shape, f"{path} is of other rows than the folds that config.yaml describes"
    missing = data.train_rows[np.isnan(answers[data.train_rows]).any(axis=1)]
    if not len(missing):
        return answers
    console.say(f"{path.stem}: asking about {len(missing)} training pictures, once")
    model = teacher.model.to(ranks.device)
    loader = make_loader(plan, data.table, teacher.preprocessing, ranks, augment=False)
    dtype = choose_precision(plan.trainer.precision, ranks.device)
    with console.epoch(len(missing), path.stem) as bar:
        for start in range(0, len(missing), CHUNK):
            chunk = missing[start : start + CHUNK]
            draws = evaluation_draws(chunk, data.batch_size, ranks.rank, ranks.world)
            local = predict_logits(model, loader, draws, teacher.preprocessing, ranks.device, dtype)
            rows, logits = gather_rows(*local, ranks)
            answers[rows] = logits[:, teacher.order].numpy()
            if ranks.is_main:
                with atomic_path(path) as temporary:
                    np.save(temporary, answers)
            bar.advance(len(chunk))
    return answers
