"""Losses: what training lowers, one value per sample and a weighted mean of them."""

from compkit.losses.class_weights import class_weights
from compkit.losses.classification import BCE, CrossEntropy, binary_cross_entropy, cross_entropy
from compkit.losses.loss import Loss
from compkit.losses.reduce import weighted_mean
from compkit.losses.regression import MAE, MSE, Huber, huber, mean_absolute_error, mean_squared_error

__all__ = [
    "BCE",
    "MAE",
    "MSE",
    "CrossEntropy",
    "Huber",
    "Loss",
    "binary_cross_entropy",
    "class_weights",
    "cross_entropy",
    "huber",
    "mean_absolute_error",
    "mean_squared_error",
    "weighted_mean",
]
