"""Predictions from trained weights."""

from compkit.inference.average import MEANS, activate, average_views
from compkit.inference.flips import FlippedLabels
from compkit.inference.predict import predict_logits, predict_views, try_views
from compkit.inference.search import ViewSearch, select_views
from compkit.inference.settings import AVERAGES, InferenceSettings
from compkit.inference.subjects import average_rows, average_subjects, first_rows, of_subjects, per_subject
from compkit.inference.views import View

__all__ = [
    "AVERAGES",
    "MEANS",
    "FlippedLabels",
    "InferenceSettings",
    "View",
    "ViewSearch",
    "activate",
    "average_rows",
    "average_subjects",
    "average_views",
    "first_rows",
    "of_subjects",
    "per_subject",
    "predict_logits",
    "predict_views",
    "select_views",
    "try_views",
]
