"""Learning from what has no label, and from what other networks say."""

from compkit.semi.distillation import CachedLessons, Distillation, TeacherLessons
from compkit.semi.labels_alone import LabelsAlone
from compkit.semi.mean_teacher import MeanTeacher, MeanTeacherLessons, with_unlabelled
from compkit.semi.parts import split_into_parts, teachers_of_rounds
from compkit.semi.pseudo_labels import PseudoLabels, with_pseudo_labels
from compkit.semi.rounds import RoundLabels, RoundSettings, best_round, gains, has_stalled, label_round
from compkit.semi.selection import Selection, quantiles_text
from compkit.semi.teacher import Teacher, column_order

__all__ = [
    "CachedLessons",
    "Distillation",
    "LabelsAlone",
    "MeanTeacher",
    "MeanTeacherLessons",
    "PseudoLabels",
    "RoundLabels",
    "RoundSettings",
    "Selection",
    "Teacher",
    "TeacherLessons",
    "best_round",
    "column_order",
    "gains",
    "has_stalled",
    "label_round",
    "quantiles_text",
    "split_into_parts",
    "teachers_of_rounds",
    "with_pseudo_labels",
    "with_unlabelled",
]
