"""Logits of every row, once each."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from compkit.data import Draw, Loader, Preprocessing
from compkit.types import Task


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


def activate(logits: Tensor, task: Task) -> np.ndarray:
    """Logits to what is written down: probabilities, or the regression values themselves, float32 [N, C].

    >>> activate(torch.zeros(1, 2), Task.MULTICLASS)
    array([[0.5, 0.5]], dtype=float32)
    """
    if task == Task.MULTICLASS:
        logits = logits.softmax(dim=1)
    elif task == Task.MULTILABEL:
        logits = logits.sigmoid()
    return logits.numpy()
