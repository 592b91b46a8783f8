"""What moves the weights: parameter groups, optimizers, schedules of the rate, averages of the weights."""

from compkit.optim.averaging import EMA, SWA, Averaging, NoAveraging, batch_norm_reestimation
from compkit.optim.builder import OptimizerBuilder
from compkit.optim.cycles import CosineCycles, OneCycle
from compkit.optim.finetune import Finetune
from compkit.optim.groups import param_groups
from compkit.optim.l1 import add_l1_gradient
from compkit.optim.lbfgs import LBFGS
from compkit.optim.optimizers import SGD, Adadelta, Adagrad, Adam, AdamW, RMSprop
from compkit.optim.plateau import Plateau
from compkit.optim.schedule import Schedule, schedule_points, set_lr, set_momentum
from compkit.optim.schedules import Constant, Cosine, Exponential, InverseTime, MultiStep, Polynomial, Step
from compkit.optim.timm_optimizer import TimmOptimizer

__all__ = [
    "EMA",
    "LBFGS",
    "SGD",
    "SWA",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Averaging",
    "Constant",
    "Cosine",
    "CosineCycles",
    "Exponential",
    "Finetune",
    "InverseTime",
    "MultiStep",
    "NoAveraging",
    "OneCycle",
    "OptimizerBuilder",
    "Plateau",
    "Polynomial",
    "RMSprop",
    "Schedule",
    "Step",
    "TimmOptimizer",
    "add_l1_gradient",
    "batch_norm_reestimation",
    "param_groups",
    "schedule_points",
    "set_lr",
    "set_momentum",
]
