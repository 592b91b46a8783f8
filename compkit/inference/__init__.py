"""Predictions from trained weights."""

from compkit.inference.predict import activate, predict_logits
from compkit.inference.settings import InferenceSettings

__all__ = ["InferenceSettings", "activate", "predict_logits"]
