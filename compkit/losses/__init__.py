"""Losses: what training lowers, one value per sample and a weighted mean of them."""

from compkit.losses.auxiliary import AuxiliaryTerm, WithAuxiliary
from compkit.losses.center import Center, squared_distance_to_center
from compkit.losses.circle import Circle, circle_loss
from compkit.losses.class_weights import class_weights
from compkit.losses.classification import BCE, ClassLoss, CrossEntropy, binary_cross_entropy, cross_entropy
from compkit.losses.consistency import WithConsistency, consistency_loss, ramp_up
from compkit.losses.dice import BinaryDice, Dice, dice_loss
from compkit.losses.distillation import (
    WithTeacher,
    distillation_loss,
    feature_distance,
    sigmoid_divergence,
    softmax_divergence,
    spread_error,
)
from compkit.losses.fbeta import SoftFBeta, SoftmaxFBeta, soft_fbeta
from compkit.losses.focal import BinaryFocalLoss, FocalLoss, binary_focal_loss, focal_loss
from compkit.losses.hinge import Hinge, multiclass_hinge
from compkit.losses.label_sets import LabelSetLoss
from compkit.losses.loss import Loss, SetLoss, as_outputs
from compkit.losses.lovasz import LovaszMultilabel, LovaszSoftmax, lovasz_hinge, lovasz_softmax
from compkit.losses.pairs import AnchorLoss
from compkit.losses.reduce import Mean, TopK, weighted_mean
from compkit.losses.regression import MAE, MSE, Huber, huber, mean_absolute_error, mean_squared_error
from compkit.losses.triplet import Triplet, batch_hard_triplet
from compkit.losses.weighted_sum import WeightedSum, drowned_terms

__all__ = [
    "BCE",
    "MAE",
    "MSE",
    "AnchorLoss",
    "AuxiliaryTerm",
    "BinaryDice",
    "BinaryFocalLoss",
    "Center",
    "Circle",
    "ClassLoss",
    "CrossEntropy",
    "Dice",
    "FocalLoss",
    "Hinge",
    "Huber",
    "LabelSetLoss",
    "Loss",
    "LovaszMultilabel",
    "LovaszSoftmax",
    "Mean",
    "SetLoss",
    "SoftFBeta",
    "SoftmaxFBeta",
    "TopK",
    "Triplet",
    "WeightedSum",
    "WithAuxiliary",
    "WithConsistency",
    "WithTeacher",
    "as_outputs",
    "batch_hard_triplet",
    "binary_cross_entropy",
    "binary_focal_loss",
    "circle_loss",
    "class_weights",
    "consistency_loss",
    "cross_entropy",
    "dice_loss",
    "distillation_loss",
    "drowned_terms",
    "feature_distance",
    "focal_loss",
    "huber",
    "lovasz_hinge",
    "lovasz_softmax",
    "mean_absolute_error",
    "mean_squared_error",
    "multiclass_hinge",
    "ramp_up",
    "sigmoid_divergence",
    "soft_fbeta",
    "softmax_divergence",
    "spread_error",
    "squared_distance_to_center",
    "weighted_mean",
]
