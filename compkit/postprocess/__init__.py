"""Predictions to better decisions: thresholds, cut points, weights and calibration learned on out-of-fold rows."""

from compkit.postprocess.bounds import Clip, Round
from compkit.postprocess.class_weights import ClassWeights, climb, tune_weights, weigh
from compkit.postprocess.cut_points import CutPoints, best_cuts, expected_grade, grades_of
from compkit.postprocess.fbeta_search import (
    macro_thresholds,
    micro_thresholds,
    one_threshold,
    samples_thresholds,
)
from compkit.postprocess.halfway import ABOVE_HALF, move_to_half
from compkit.postprocess.label_counts import Prevalence, TopK, thresholds_of_shares, top_k_labels
from compkit.postprocess.postprocess import Learned, NoPostprocess, Postprocess, better, suitable
from compkit.postprocess.temperature import Temperature, best_temperature, temper, temper_labels
from compkit.postprocess.thresholds import Threshold, Thresholds

__all__ = [
    "ABOVE_HALF",
    "ClassWeights",
    "Clip",
    "CutPoints",
    "Learned",
    "NoPostprocess",
    "Postprocess",
    "Prevalence",
    "Round",
    "Temperature",
    "Threshold",
    "Thresholds",
    "TopK",
    "best_cuts",
    "best_temperature",
    "better",
    "climb",
    "expected_grade",
    "grades_of",
    "macro_thresholds",
    "micro_thresholds",
    "move_to_half",
    "one_threshold",
    "samples_thresholds",
    "suitable",
    "temper",
    "temper_labels",
    "thresholds_of_shares",
    "top_k_labels",
    "tune_weights",
    "weigh",
]
