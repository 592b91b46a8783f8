"""The largest batch that fits, as a command."""

import math

from compkit.data import Size
from compkit.engine import Attempt, Console, attempt_step, largest_batch
from compkit.run.plan import Plan
from compkit.run.trial import open_trial


def find_batch_size(plan: Plan, start: int, largest: int | None) -> int | None:
    """Try batch sizes on copies of the first fold's learner and print what fitted, and how fast it was.

    Args:
        plan: of the run.
        start: first size.
        largest: size to stop at; None is the number of training rows.

    Returns:
        the largest size that fits; None when a single picture is too much.

    Raises:
        ValueError: `largest` is below `start`.
    """
    if largest is not None and not 1 <= start <= largest:
        raise ValueError(
            f"start={start} largest={largest}: expected 1 <= start <= largest. Set start=1, or a larger largest."
        )
    with Console() as console:
        with open_trial(plan, console) as trial:

            def attempt(size: int) -> Attempt:
                # the last epochs, in which nothing waits frozen any more, take most memory
                stepper = trial.stepper(plan.epochs)
                one = attempt_step(stepper, trial.first_batch(stepper, size, largest_image(plan, size)))
                console.say(_told(one))
                return one

            limit = largest or len(trial.fold_data.train_rows)
            tried = largest_batch(attempt, start, limit)
        fitting = [one for one in tried if one.images_per_second is not None]
        if not fitting:
            console.warn("not even one picture fits. Set a smaller image_size, or another model.")
            return None
        best = max(fitting, key=lambda one: one.batch_size)
        fastest = max(fitting, key=lambda one: one.images_per_second or 0.0)
        if best.batch_size < limit:
            told = f"batch_size={best.batch_size} is the largest that fits"
        else:
            told = f"batch_size={limit} fits; larger ones were not tried, as " + (
                "there are no more training rows" if largest is None else f"largest={largest}"
            )
        console.say(
            f"{told}; batch_size={fastest.batch_size} was the fastest. "
            "A rate goes with its batch: run scripts/lr_find.py after changing it."
        )
    return best.batch_size


def largest_image(plan: Plan, batch_size: int) -> Size:
    """Height and width of the largest images that the run trains on in batches of this size."""
    scale = plan.scale
    sizes = [size for size in scale.all_sizes(plan.epochs) if size is not None]
    sizes = [size for size in sizes if scale.batch_size_at(size, batch_size) == batch_size]
    return max([plan.image_size, *sizes], key=math.prod)


def _told(one: Attempt) -> str:
    if one.images_per_second is None:
        return f"batch_size={one.batch_size}: does not fit"
    memory = "" if one.memory is None else f", {one.memory / 2**30:.2f} GiB of GPU memory"
    return f"batch_size={one.batch_size}: {one.images_per_second:.0f} images/s{memory}"
