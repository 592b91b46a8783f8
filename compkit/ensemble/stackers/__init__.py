"""Stackers: models that learn from the predictions of other models."""

from compkit.ensemble.stackers.cnn import CNNStacker
from compkit.ensemble.stackers.gbdt import GBDTStacker
from compkit.ensemble.stackers.inputs import Inputs
from compkit.ensemble.stackers.logistic import LogisticStacker
from compkit.ensemble.stackers.mlp import MLPStacker
from compkit.ensemble.stackers.ridge import RidgeStacker
from compkit.ensemble.stackers.stacker import Fitted, Stacker

__all__ = [
    "CNNStacker",
    "Fitted",
    "GBDTStacker",
    "Inputs",
    "LogisticStacker",
    "MLPStacker",
    "RidgeStacker",
    "Stacker",
]
