"""What one run is made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from compkit.competition import AuxiliaryColumn, Competition, SubmissionShape, submission_shape
from compkit.data import FixedScale, Mixing, NoMixing, Sampler, Scaling, VaryingScale
from compkit.engine import Logger, TrainerSettings
from compkit.explain import ExplainSettings
from compkit.inference import InferenceSettings
from compkit.losses import Loss
from compkit.metrics import Metric
from compkit.optim import Averaging, Finetune, OptimizerBuilder, Schedule
from compkit.postprocess import NoPostprocess, Postprocess
from compkit.semi import Distillation, LabelsAlone, MeanTeacher


class DoctorSettings(NamedTuple):
    """What is checked before a run begins."""

    at_start: bool = True
    skip: tuple[str, ...] = ()  # names of findings and checks to leave out


@dataclass(frozen=True)
class Plan:
    """Everything one run is made of, built from its config; the keys of conf/train.yaml by their names.

    `make_…` are called for each fold, with what only the program knows; the other members are shared.
    """

    name: str
    folder: Path
    config: dict[str, Any]
    overrides: list[str]
    resume: bool
    competition: Competition
    folds: int
    train_folds: list[int] | None  # None: all
    fold_seed: int
    group_duplicates: bool | Path  # or the file of groups to keep in one fold
    epochs: int
    batch_size: int
    image_size: tuple[int, int]  # height, width in pixels
    seed: int
    num_workers: int | str
    limit: int | None
    predict_test: bool
    pseudo_labels: Path | None
    full_data: bool
    semi: LabelsAlone | Distillation | MeanTeacher
    load_run: Callable[..., "Plan"]  # the plan of another run: its folder, and the modules to trust
    make_model: Callable[..., nn.Module]
    make_loss: Callable[..., Loss]
    optimizer: OptimizerBuilder
    make_schedule: Callable[[], Schedule]
    make_finetune: Callable[[], Finetune]
    make_averaging: Callable[[nn.Module], Averaging]
    make_augment: Callable[[], list[Any]]
    mixing: Mixing | NoMixing
    sampler: Sampler
    scale: FixedScale
    scaling: Scaling
    auxiliary: dict[str, AuxiliaryColumn]
    metrics: list[Metric]  # the competition's own comes first
    trainer: TrainerSettings
    inference: InferenceSettings
    postprocess: Postprocess | NoPostprocess
    explain: ExplainSettings
    loggers: Sequence[Logger]
    doctor: DoctorSettings

    @property
    def metric(self) -> Metric:
        """The competition's metric: chooses the best epoch, drives plateau, heads the report."""
        return self.metrics[0]

    @property
    def size_options(self) -> dict[str, bool]:
        """What a network must be told where it sees other sizes than image_size, in training or in prediction."""
        varies = isinstance(self.scale, VaryingScale) or self.inference.resizes(self.image_size)
        return {"dynamic_size": True} if varies else {}

    @property
    def submission_shape(self) -> SubmissionShape | None:
        """What a submission has to look like; None when none is wanted."""
        if not self.predict_test:
            return None
        return submission_shape(
            self.competition, self.metric.kind, self.metric.limits, getattr(self.metric, "k", 5)
        )
