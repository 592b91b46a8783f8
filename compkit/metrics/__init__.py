"""Metrics: how good predictions are, measured once on a whole set."""

from compkit.metrics.classification import MCC, Accuracy, BalancedAccuracy, accuracy, balanced_accuracy, mcc
from compkit.metrics.fbeta import FBeta, fbeta
from compkit.metrics.kappa import QuadraticKappa, quadratic_kappa
from compkit.metrics.metric import Metric
from compkit.metrics.probabilities import (
    AUC,
    AveragePrecision,
    LogLoss,
    MeanColumnwiseAUC,
    auc,
    average_precision,
    log_loss,
)
from compkit.metrics.ranking import MAPAtK, TopKAccuracy, map_at_k, top_k_accuracy
from compkit.metrics.regression import MAE, R2, RMSE, RMSLE, mae, r2, rmse, rmsle

__all__ = [
    "AUC",
    "MAE",
    "MCC",
    "R2",
    "RMSE",
    "RMSLE",
    "Accuracy",
    "AveragePrecision",
    "BalancedAccuracy",
    "FBeta",
    "LogLoss",
    "MAPAtK",
    "MeanColumnwiseAUC",
    "Metric",
    "QuadraticKappa",
    "TopKAccuracy",
    "accuracy",
    "auc",
    "average_precision",
    "balanced_accuracy",
    "fbeta",
    "log_loss",
    "mae",
    "map_at_k",
    "mcc",
    "quadratic_kappa",
    "r2",
    "rmse",
    "rmsle",
    "top_k_accuracy",
]
