"""Distillation: what trained networks say of the very pictures that the student learns from."""

from collections.abc import Sequence

import torch
from torch import Tensor

from compkit.engine import Lessons, MicroBatch, Stepper, network_input
from compkit.ranges import not_negative, positive, zero_to_one
from compkit.semi.teacher import Teacher
from compkit.types import Targets, Taught


class Distillation:
    """Settings of distillation; conf/semi/distillation.yaml explains each.

    Raises:
        ValueError: no teachers, a number out of range, or features of teachers that only answer beforehand.
    """

    def __init__(
        self,
        teachers: Sequence[str] | str,
        temperature: float = 4.0,
        alpha: float = 0.9,
        cache: bool = False,
        feature_weight: float = 0.0,
        feature_lr: float = 1e-3,
        trust: Sequence[str] = (),
    ) -> None:
        self.teachers = [teachers] if isinstance(teachers, str) else [*map(str, teachers)]
        if not self.teachers:
            raise ValueError(
                "semi.teachers=[]: expected at least one run's folder. Set semi.teachers=[outputs/digits/resnet50]."
            )
        self.temperature = positive("semi.temperature", temperature, "4")
        self.alpha = zero_to_one("semi.alpha", alpha, "0.9")
        self.cache = bool(cache)
        self.feature_weight = not_negative("semi.feature_weight", feature_weight, "1")
        self.feature_lr = positive("semi.feature_lr", feature_lr, "1e-3")
        self.trust = list(trust)
        if self.cache and self.feature_weight:
            raise ValueError(
                f"semi.cache=true keeps the teachers' logits, not the features that semi.feature_weight="
                f"{self.feature_weight:g} compares. Set semi.cache=false or semi.feature_weight=0."
            )


class TeacherLessons(Lessons):
    """The teachers see what the student sees: the same augmented and mixed pictures, at their own size and scaling.

    Args:
        teachers: K of them, none of which has seen the rows that validate the student.
        with_features: whether they show their features too.
    """

    def __init__(self, teachers: Sequence[Teacher], with_features: bool = False) -> None:
        self.teachers, self.with_features = list(teachers), with_features

    def targets(self, stepper: Stepper, micro: MicroBatch) -> Targets:
        answers = [self._ask(teacher, stepper, micro) for teacher in self.teachers]
        features = tuple(features for _, features in answers if features is not None)
        return micro.targets._replace(taught=Taught(torch.stack([logits for logits, _ in answers]), features))

    def _ask(self, teacher: Teacher, stepper: Stepper, micro: MicroBatch) -> tuple[Tensor, Tensor | None]:
        """One teacher's logits [B, C] and features [B, D], in as many pieces as the student needs."""
        # mixed before it is resized, as a cutmix box is in pixels of the student's picture
        images = network_input(micro.images, teacher.preprocessing, stepper.settings, micro.mix)
        said = []
        for rows in torch.arange(len(images), device=images.device).chunk(stepper.parts):
            with torch.autocast(images.device.type, stepper.dtype, enabled=stepper.dtype is not None):
                said.append(teacher.answer(images[rows], micro.targets.take(rows), self.with_features))
        features = [one for _, one in said if one is not None]
        return torch.cat([logits for logits, _ in said]), torch.cat(features) if features else None


class CachedLessons(Lessons):
    """The teachers have answered beforehand, to each picture as it is: the same answer to every view of it.

    Args:
        logits: of K teachers for each row of the fold's table, float32 [K, N, C]; NaN for rows that are not trained on.
    """

    def __init__(self, logits: Tensor) -> None:
        self.logits = logits

    def targets(self, stepper: Stepper, micro: MicroBatch) -> Targets:
        logits = self.logits[:, micro.rows.cpu()].to(micro.images.device, non_blocking=True)
        return micro.targets._replace(taught=Taught(logits))
