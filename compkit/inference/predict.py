"""Logits of every row, once each, or once for each view."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from compkit.data import Draw, Loader, Preprocessing, Size
from compkit.inference.settings import InferenceSettings


@torch.inference_mode()
def predict_logits(
    model: nn.Module,
    loader: Loader,
    draws: Sequence[Draw],
    preprocessing: Preprocessing,
    device: torch.device,
    autocast_dtype: torch.dtype | None = None,
) -> tuple[Tensor, Tensor]:
    """Run the model in evaluation mode over the draws; its mode is put back afterwards.

    Returns:
        rows int64 [N] and logits float32 [N, C] on the CPU, in the order of the draws.
    """
    was_training = model.training
    model.eval()
    rows, logits = [torch.empty(0, dtype=torch.int64)], []
    for batch in loader.batches(draws):
        images = preprocessing.normalise(batch.images.to(device, non_blocking=True))
        with torch.autocast(device.type, autocast_dtype, enabled=autocast_dtype is not None):
            logits.append(model(images).float())
        rows.append(batch.rows)
    model.train(was_training)
    # one copy at the end: a copy a batch would make the GPU wait for each
    return torch.cat(rows), torch.cat(logits).cpu() if logits else torch.empty(0, 0)


def predict_views(
    models: Sequence[nn.Module],
    loader: Loader,
    chunks: Sequence[np.ndarray],
    settings: InferenceSettings,
    classes: Sequence[str],
    preprocessing: Preprocessing,
    device: torch.device,
    autocast_dtype: torch.dtype | None = None,
) -> Iterator[Tensor]:
    """What each model says of each view of the rows, chunk by chunk, in one pass over the loader.

    A picture is decoded once for each size it is looked at. The models are in evaluation mode until the last chunk
    is taken. Nothing is kept of a chunk when the next is asked for, so memory does not grow with the rows.

    Args:
        models: K of them.
        loader: over the table that the rows refer to.
        chunks: rows int64 [n], in the order in which they are wanted; n may be 0.
        settings: V views, and the images of a forward pass.
        classes: names of the C outputs.
        preprocessing: with the image_size that views are relative to.
        device: of the models.
        autocast_dtype: of the forward pass; None is float32.

    Yields:
        logits float32 [K x V, n, C] on the CPU, model by model, each with its views in the order of their names.
    """
    image_size = preprocessing.height, preprocessing.width
    views = [view for _, view in settings.ordered_views]
    loaded = [view.load_size(image_size) for view in views]
    draws = [_draws(rows, dict.fromkeys(loaded), int(settings.batch_size), image_size) for rows in chunks]
    batches = loader.batches([draw for of_chunk in draws for draw in of_chunk])
    was_training = [model.training for model in models]
    for model in models:
        model.eval()
    try:
        for of_chunk in draws:
            with torch.inference_mode():
                logits: list[list[Tensor]] = [[] for _ in range(len(models) * len(views))]
                for draw in of_chunk:
                    batch = next(batches)
                    images = preprocessing.normalise(batch.images.to(device, non_blocking=True))
                    for position, (view, size) in enumerate(zip(views, loaded, strict=True)):
                        if size != (draw.size or image_size):
                            continue
                        seen = view.apply(images, image_size)
                        for number, model in enumerate(models):
                            with torch.autocast(
                                device.type, autocast_dtype, enabled=autocast_dtype is not None
                            ):
                                said = model(seen).float()
                            said = settings.flips.undo(said, view, classes)
                            logits[number * len(views) + position].append(said)
                # one copy at the end of a chunk: a copy a batch would make the GPU wait for each
                found = (
                    torch.stack([torch.cat(one) for one in logits]).cpu()
                    if of_chunk
                    else torch.empty(len(logits), 0, len(classes))
                )
            yield found
    finally:
        for model, mode in zip(models, was_training, strict=True):
            model.train(mode)


@torch.inference_mode()
def try_views(
    model: nn.Module, settings: InferenceSettings, preprocessing: Preprocessing, key: str = "inference.views"
) -> None:
    """Put empty pictures through the network at the size of each view, before anything is predicted.

    Raises:
        ValueError: the network cannot take one of the sizes; the view is named, and `key` that holds it.
    """
    image_size = preprocessing.height, preprocessing.width
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    for name, view in settings.ordered_views:
        height, width = view.size(image_size)
        try:
            model(torch.zeros(2, preprocessing.channels, height, width, device=device))
        except RuntimeError as error:
            raise ValueError(
                f"{key}.{name}: the network cannot take pictures of {height} x {width} pixels ({error}). Leave the "
                f"view out, ~{key}.{name}, or set a scale nearer to 1, or a larger image_size."
            ) from error
    model.train(was_training)


def _draws(
    rows: np.ndarray, sizes: Sequence[Size] | dict[Size, None], batch_size: int, image_size: Size
) -> list[Draw]:
    """The rows in batches, all of them at one size after the other."""
    starts = range(0, len(rows), batch_size)
    return [
        Draw(rows[start : start + batch_size], None, None if size == image_size else size)
        for size in sizes
        for start in starts
    ]
