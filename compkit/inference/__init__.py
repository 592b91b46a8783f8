"""Predictions from trained weights."""

from compkit.inference.predict import activate, predict_logits
from compkit.inference.settings import AVERAGES, InferenceSettings

__all__ = ["AVERAGES", "InferenceSettings", "activate", "predict_logits"]
