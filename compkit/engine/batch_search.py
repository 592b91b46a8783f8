"""The largest batch that fits into memory."""

import time
from collections.abc import Callable
from typing import NamedTuple

import torch

from compkit.engine.step import MicroBatch, Stepper
from compkit.types import Moment


class Attempt(NamedTuple):
    """A batch size that was tried."""

    batch_size: int
    images_per_second: float | None  # None: it did not fit
    memory: int | None  # peak bytes on the GPU; None on a CPU


def largest_batch(attempt: Callable[[int], Attempt], start: int, limit: int) -> list[Attempt]:
    """Double the batch until it does not fit, then halve the gap until it is an eighth of the batch.

    Args:
        attempt: tries a size.
        start: first size.
        limit: largest size worth having, such as the number of training rows.

    Returns:
        All attempts in their order; none fits when even one image is too much.

    >>> tried = largest_batch(lambda size: Attempt(size, None if size > 90 else 1.0, None), start=8, limit=1000)
    >>> [one.batch_size for one in tried]
    [8, 16, 32, 64, 128, 96, 80, 88]
    """
    tried: list[Attempt] = []

    def fits(size: int) -> bool:
        tried.append(attempt(size))
        return tried[-1].images_per_second is not None

    size = min(start, limit)
    while not fits(size):
        if size == 1:
            return tried
        size //= 2
    if len(tried) > 1:  # already found from above
        low, high = size, 2 * size
    else:
        low, high = size, size
        while low < limit:
            high = min(2 * low, limit)
            if not fits(high):
                break
            low = high
    while high - low > max(1, low // 8):
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return tried


def attempt_step(stepper: Stepper, micro: MicroBatch, steps: int = 2) -> Attempt:
    """Time steps on one micro-batch, the first one not counted."""
    device, size = stepper.ranks.device, len(micro.rows) - micro.targets.unlabelled
    moment = Moment(0, 0.0, 1)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    try:
        stepper.gradient([micro])
        _wait(device)
        start = time.perf_counter()
        for _ in range(steps):
            stepper.learner.set_moment(moment)
            stepper.take([micro])
        _wait(device)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        return Attempt(size, None, None)
    seconds = time.perf_counter() - start
    memory = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    return Attempt(size, steps * size / seconds, memory)


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether memory ran out, on a GPU or on the CPU.

    >>> is_out_of_memory(RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: …"))
    True
    """
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
