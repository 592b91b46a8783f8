"""Mean teacher: the average of a network's own weights teaches it, also on pictures without labels."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
import torch

from compkit.data import Draw
from compkit.engine import Lessons, MicroBatch, Stepper, network_input
from compkit.randomness import derive_seed
from compkit.ranges import not_negative, whole, zero_to_one
from compkit.types import Moment, Table, Targets, Taught

STUDENT, TEACHER = 2, 3  # streams of random numbers that follow from a micro-batch's seed


class MeanTeacher:
    """Settings of the mean teacher; conf/semi/mean_teacher.yaml explains each.

    Raises:
        ValueError: a number out of range.
    """

    def __init__(
        self,
        unlabelled: str | None = "test",
        weight: float = 10.0,
        ramp_up: float = 0.3,
        unlabelled_batch_size: int = 64,
    ) -> None:
        self.unlabelled = None if unlabelled is None else str(unlabelled)
        self.weight = not_negative("semi.weight", weight, "10")
        self.ramp_up = zero_to_one("semi.ramp_up", ramp_up, "0.3")
        self.unlabelled_batch_size = whole("semi.unlabelled_batch_size", unlabelled_batch_size, 1, "64")


class MeanTeacherLessons(Lessons):
    """Each micro-batch gets pictures without labels behind its own, and all of them once more, augmented anew.

    The student sees both kinds in one pass, so that its batch norm does; the teacher, the average of its weights,
    sees the second augmentation. Which pictures are added, and how the second augmentation falls out, follows
    from the micro-batch's own seed: nothing has to be remembered between steps.

    Args:
        unlabelled: positions in the fold's table, int64 [U]; none: the labelled pictures alone.
        batch_size: how many are added to a micro-batch; all where there are fewer.

    Source: Tarvainen & Valpola 2017, arXiv:1703.01780, section 2. Unlike there, the teacher is in evaluation mode:
    without dropout, and with the averaged statistics of batch norm.
    """

    def __init__(self, unlabelled: np.ndarray, batch_size: int) -> None:
        self.unlabelled, self.batch_size = unlabelled, min(batch_size, len(unlabelled))

    def windows(
        self, stepper: Stepper, windows: Sequence[Sequence[Draw]], now: Callable[[], Moment]
    ) -> Iterator[tuple[list[MicroBatch], Moment]]:
        draws = [one for window in windows for draw in window for one in self.draws(draw)]
        batches = stepper.data.loader.batches(draws)
        for window in windows:
            moment, micros = now(), []
            for draw in window:
                micro = stepper.micro_batch(next(batches), draw, moment)
                views = next(batches).images.to(stepper.ranks.device, non_blocking=True)
                targets = micro.targets._replace(unlabelled=self.batch_size)
                micros.append(micro._replace(targets=targets, views=views))
            yield micros, moment

    def draws(self, draw: Draw) -> tuple[Draw, Draw]:
        """What the student sees in the place of some labelled rows, and the same pictures for the teacher.

        >>> lessons = MeanTeacherLessons(np.array([7, 8, 9]), batch_size=2)
        >>> student, teacher = lessons.draws(Draw(np.array([0, 1]), seed=5))
        >>> student.rows[:2].tolist(), len(student.rows), student.seed
        ([0, 1], 4, 5)
        >>> np.array_equal(teacher.rows, student.rows), teacher.seed == student.seed
        (True, False)
        """
        assert draw.seed is not None, "a draw of evaluation"
        rng = np.random.default_rng([draw.seed, STUDENT])
        added = rng.choice(self.unlabelled, self.batch_size, replace=False)
        student = draw._replace(rows=np.concatenate([draw.rows, added]).astype(np.int64))
        return student, student._replace(seed=derive_seed(draw.seed, TEACHER))

    def targets(self, stepper: Stepper, micro: MicroBatch) -> Targets:
        assert micro.views is not None, "a micro-batch without the teacher's view"
        teacher = stepper.learner.averaging.model
        assert teacher is not None, "a learner without an average, which is refused when the run is checked"
        images = network_input(micro.views, stepper.data.preprocessing, stepper.settings)
        dtype, said = stepper.dtype, []
        for piece in images.chunk(stepper.parts):
            with torch.no_grad(), torch.autocast(images.device.type, dtype, enabled=dtype is not None):
                said.append(teacher(piece).float())
        return micro.targets._replace(taught=Taught(torch.cat(said)[None]))


def with_unlabelled(
    table: Table, unlabelled: Table, soft: np.ndarray | None = None
) -> tuple[Table, np.ndarray | None]:
    """The table with unlabelled rows behind its own. Their targets are zeros that mean nothing.

    Args:
        table: N labelled rows.
        unlabelled: U rows.
        soft: labels of all rows where they are soft, float32 [N, C].

    Returns:
        the longer table, and the longer soft labels.

    >>> table = Table(np.array(["a"]), np.array([[b"a.png"]]), np.array([1]))
    >>> with_unlabelled(table, Table(np.array(["b"]), np.array([[b"b.png"]]), None))[0].targets.tolist()
    [1, 0]
    """
    ids = np.concatenate([table.ids, unlabelled.ids])
    files = np.concatenate([table.files, unlabelled.files])
    labels, added = table.labels, len(unlabelled)
    targets = np.concatenate([labels, np.zeros((added, *labels.shape[1:]), labels.dtype)])
    if soft is not None:
        soft = np.concatenate([soft, np.zeros((added, soft.shape[1]), soft.dtype)])
    return Table(ids, files, targets, pd.DataFrame(index=range(len(ids)))), soft
