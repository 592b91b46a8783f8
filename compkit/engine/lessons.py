"""How an epoch's pictures become what steps learn from."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from compkit.data import Draw
from compkit.types import Moment, Targets

if TYPE_CHECKING:
    from compkit.engine.step import MicroBatch, Stepper


class Lessons:
    """Learning from labels alone: each window's micro-batches, one after the other.

    A further kind of training is a subclass: it may load more than the labelled pictures, and let teachers
    speak. It keeps nothing between the steps, so a run that is resumed in the middle of an epoch goes on with the
    same lessons.
    """

    def windows(
        self, stepper: "Stepper", windows: Sequence[Sequence[Draw]], now: Callable[[], Moment]
    ) -> Iterator[tuple[list["MicroBatch"], Moment]]:
        """Load the windows in their order.

        Args:
            stepper: puts a loaded batch on the device and mixes it.
            windows: this rank's draws of labelled rows, for each step.
            now: the moment, asked for when a window's turn has come.

        Yields:
            what a step learns from, and when.
        """
        batches = stepper.data.loader.batches([draw for window in windows for draw in window])
        for window in windows:
            moment = now()
            yield [stepper.micro_batch(next(batches), draw, moment) for draw in window], moment

    def targets(self, stepper: "Stepper", micro: "MicroBatch") -> Targets:
        """What a micro-batch is taught; asked for before each pass of the network, so that memory may run out in it."""
        return micro.targets
