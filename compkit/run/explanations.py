"""What a fold's network looked at in its worst mistakes, and its validation pictures as points in two dimensions."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pandas as pd
import torch
from torch import Tensor

from compkit.data import Draw, Loader
from compkit.engine import Console, Ranks, choose_precision
from compkit.engine.batch_search import is_out_of_memory
from compkit.explain import (
    ExplainSettings,
    Question,
    class_maps,
    nearest_neighbours,
    outputs_in_question,
    penultimate_features,
    place_of,
    questions,
    reduce_features,
    strip,
    worst_rows,
)
from compkit.files import atomic_path, write_text
from compkit.inference import activate
from compkit.randomness import derive_seed, restore_rng, rng_state
from compkit.report.contact_sheet import denormalise
from compkit.run.answers import answer, predicted_names, true_names
from compkit.run.folder import json_text
from compkit.run.outcome import write_parquet
from compkit.run.plan import Plan
from compkit.run.trained_fold import TrainedFold
from compkit.types import Table, Task

BATCH = 4  # pictures whose maps are made at a time; all that a network computes of them is in memory
JPEG_QUALITY = 70


class Seen(NamedTuple):
    """Pictures, and what the network's predictions of them are.

    Attributes:
        table: where the pictures are.
        rows: positions in the table, int64 [N].
        values: probabilities or regression values, float32 [N, C].
        loader: over the table.
    """

    table: Table
    rows: np.ndarray
    values: np.ndarray
    loader: Loader

    def take(self, positions: np.ndarray) -> "Seen":
        """Some of them, in the given order."""
        return self._replace(rows=self.rows[positions], values=self.values[positions])

    @property
    def targets(self) -> np.ndarray | None:
        """Their targets; None where the table has none."""
        return None if self.table.targets is None else self.table.targets[self.rows]


def explain_fold(
    plan: Plan,
    settings: ExplainSettings,
    trained: TrainedFold,
    seen: Seen,
    ranks: Ranks,
    console: Console,
) -> None:
    """Explain validation rows of a fold into its folder: explained/ with its maps.json, and embedding.parquet.

    In this process alone, and without a trace in weights, modes or generators. Where memory does not suffice for one
    picture it is left, and said: a run does not end by what explains it.

    Args:
        plan: of the run.
        settings: how much; what is 0 is left as it is on disk.
        trained: the fold; the first of its models is asked, without views.
        seen: the validation rows.
        ranks: where the model is.
        console: says what cannot be explained.
    """
    task, folder = plan.competition.task, plan.folder / f"fold_{trained.fold}"
    with _untouched(trained.model):
        if settings.worst and len(seen.rows):
            assert seen.targets is not None, "validation rows have targets"
            spread = _spread(task, seen.table)
            worst = worst_rows(task, seen.targets, seen.values, settings.worst, spread)
            explain_pictures(
                folder / "explained", task, trained, seen.take(worst), ranks, console, plan.batch_size
            )
        if settings.points and len(seen.rows):
            seed = derive_seed(plan.fold_seed, trained.fold)
            chosen = np.random.default_rng(seed).permutation(len(seen.rows))[: settings.points]
            points = seen.take(np.sort(chosen))
            _as_memory_allows(
                lambda size: _draw_points(plan, trained, points, ranks, seed, size, console),
                int(trained.settings.batch_size),
                f"fold {trained.fold}: no drawing of its embeddings",
                console,
            )


def explain_pictures(
    folder: Path,
    task: Task,
    trained: TrainedFold,
    seen: Seen,
    ranks: Ranks,
    console: Console,
    batch_size: int = BATCH,
) -> None:
    """Maps of what the fold's network looked at in each picture: NNN.jpg, and maps.json that says of what.

    Files of an earlier call are replaced. Where memory does not suffice for one picture they stay, which is said.

    Args:
        folder: where they are written.
        task: of the competition.
        trained: the fold.
        seen: the pictures.
        ranks: where the model is.
        console: says what cannot be explained.
        batch_size: pictures that fit into memory in training; a larger number than `BATCH` changes nothing.
    """
    _as_memory_allows(
        lambda size: _write_maps(folder, task, trained, seen, ranks, size, console),
        min(BATCH, batch_size),
        f"fold {trained.fold}: no maps of what its network looked at",
        console,
    )


def _write_maps(
    folder: Path,
    task: Task,
    trained: TrainedFold,
    seen: Seen,
    ranks: Ranks,
    batch_size: int,
    console: Console,
) -> None:
    """Maps of all pictures, made for so many at a time; nothing is written before the last of them."""
    cases: list[dict[str, Any]] = []
    files: dict[str, bytes] = {}
    how, columns = "", outputs_in_question(task, seen.targets, seen.values, _spread(task, seen.table))
    images_of = _images(seen, trained, ranks, batch_size)
    for positions, images in zip(_batches(len(seen.rows), batch_size), images_of, strict=True):
        part, outputs = seen.take(positions), columns[positions]
        asked = [_questions(task, part, position, int(column)) for position, column in enumerate(outputs)]
        found = class_maps(
            trained.model,
            images,
            torch.tensor([[one.column for one in of_one] for of_one in asked]).T,
            torch.tensor([[one.sign for one in of_one] for of_one in asked]).T,
        )
        if found is None:
            console.say(f"fold {trained.fold}: no maps of its mistakes: its outputs have no gradient")
            return
        how = found.how
        pictures = denormalise(images, trained.preprocessing)
        for position, column in enumerate(outputs):
            heats = found.maps[:, position].numpy()
            file = f"{len(cases):03d}.jpg"
            files[file] = _jpeg(strip(pictures[position], list(heats)))
            texts = [one.text.format(trained.classes[one.column]) for one in asked[position]]
            truth = None if part.targets is None else part.targets[position]
            said = answer(task, truth, part.values[position], int(column), trained.classes)
            facts = {"id": str(part.table.ids[part.rows[position]]), "fold": trained.fold} | said
            cases.append(facts | {"file": file, "questions": texts} | _places(heats))
    for file, data in files.items():
        with atomic_path(folder / file) as temporary:
            temporary.write_bytes(data)
    write_text(folder / "maps.json", json_text({"task": str(task), "how": how, "cases": cases}))
    for old in set(folder.glob("*.jpg")) - {folder / file for file in files}:
        old.unlink()


def answer_rows(
    task: Task, trained: TrainedFold, table: Table, rows: np.ndarray, loader: Loader, ranks: Ranks
) -> Seen:
    """Pictures that were not predicted yet, with what the fold's network says of them, seen as they are."""
    with _untouched(trained.model):
        nothing = np.empty((len(rows), len(trained.classes)), np.float32)
        seen, said = Seen(table, rows, nothing, loader), []
        for images in _images(seen, trained, ranks, BATCH):
            with torch.inference_mode():
                said.append(activate(trained.model(images).float().cpu(), task))
    return seen._replace(values=np.concatenate(said))


def _draw_points(
    plan: Plan,
    trained: TrainedFold,
    points: Seen,
    ranks: Ranks,
    seed: int,
    batch_size: int,
    console: Console,
) -> None:
    frame = embed_pictures(plan, trained, points, ranks, seed, batch_size)
    if frame is None:
        console.say(
            f"fold {trained.fold}: no drawing of its embeddings: the network has neither a `head` nor a last "
            "linear layer whose input could be read, or fewer than two pictures have finite features"
        )
    else:
        write_parquet(plan.folder / f"fold_{trained.fold}" / "embedding.parquet", frame)


def embed_pictures(
    plan: Plan, trained: TrainedFold, seen: Seen, ranks: Ranks, seed: int, batch_size: int
) -> pd.DataFrame | None:
    """Where each picture lies among the others, by the features that the head sees.

    Returns:
        id, x, y, class, predicted (for regression numbers, of the first target; labels joined by commas), neighbour
        (id of the nearest other picture) and distance (mean cosine distance to the 5 nearest); None without features.
    """
    dtype, found = choose_precision(plan.trainer.precision, ranks.device), []
    for images in _images(seen, trained, ranks, batch_size):
        with torch.autocast(ranks.device.type, dtype, enabled=dtype is not None):
            features = penultimate_features(trained.model, images).features
        if features is None:
            return None
        found.append(features)
    vectors = torch.cat(found).cpu().numpy()
    finite = np.flatnonzero(np.isfinite(vectors).all(axis=1))
    if len(finite) < 2:
        return None
    points, near = reduce_features(vectors[finite], seed), nearest_neighbours(vectors[finite])
    seen, task = seen.take(finite), plan.competition.task
    ids = seen.table.ids[seen.rows].astype(object)
    assert seen.targets is not None
    return pd.DataFrame(
        {
            "id": ids,
            "x": points[:, 0].round(3),
            "y": points[:, 1].round(3),
            "class": true_names(task, seen.targets, trained.classes),
            "predicted": predicted_names(task, seen.values, trained.classes),
            "neighbour": ids[near.nearest],
            "distance": near.distance,
        }
    )


@contextmanager
def _untouched(model: torch.nn.Module) -> Iterator[None]:
    """The model in evaluation mode; afterwards its modes and every generator are as they were."""
    before, modes = rng_state(), {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
        restore_rng(before)


def _as_memory_allows(make: Callable[[int], None], size: int, failure: str, console: Console) -> None:
    """Call `make` with so many pictures at a time, with half as many whenever memory runs out; after one, say so.

    Args:
        make: called with the number of pictures at a time.
        size: of the first call.
        failure: what there will not be, in words.
        console: says it.
    """
    while size:
        try:
            return make(size)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            size //= 2
        # only here, the error being gone, nothing holds what had been computed
        torch.cuda.empty_cache()
    console.warn(f"{failure}: memory does not suffice for one picture at a time")


def _batches(count: int, size: int) -> list[np.ndarray]:
    return [np.arange(start, min(start + size, count)) for start in range(0, count, size)]


def _images(seen: Seen, trained: TrainedFold, ranks: Ranks, batch_size: int) -> Iterator[Tensor]:
    """The pictures as the network gets them, normalised, a batch at a time."""
    draws = [Draw(seen.rows[positions], None) for positions in _batches(len(seen.rows), batch_size)]
    for batch in seen.loader.batches(draws):
        yield trained.preprocessing.normalise(batch.images.to(ranks.device))


def _spread(task: Task, table: Table) -> np.ndarray | float:
    """Standard deviation of each target of regression, [C]."""
    return table.targets.std(axis=0) if task == Task.REGRESSION and table.targets is not None else 1.0


def _places(heats: np.ndarray) -> dict[str, list[float | None]]:
    """Where the mass of each map lies, None of an empty one."""
    places = [place_of(heat) for heat in heats]
    return {
        name: [None if one is None else round(getattr(one, name), 4) for one in places]
        for name in ("border", "corner")
    }


def _questions(task: Task, seen: Seen, position: int, column: int) -> list[Question]:
    known = None if seen.targets is None else seen.targets[position]
    return questions(task, known, seen.values[position], column)


def _jpeg(picture: np.ndarray) -> bytes:
    """uint8 [H, W, 3] in RGB order as the bytes of a small file."""
    quality = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    done, data = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), quality)
    assert done, f"JPEG of an array {picture.shape} {picture.dtype}"
    return data.tobytes()
