"""What moves the weights: parameter groups, optimizers, schedules of the rate, averages of the weights."""

from compkit.optim.averaging import EMA, NoAveraging
from compkit.optim.groups import param_groups
from compkit.optim.optimizers import SGD, Adam, AdamW, OptimizerBuilder, TimmOptimizer
from compkit.optim.schedules import Constant, Cosine, Plateau, Schedule, Step, set_lr

__all__ = [
    "EMA",
    "SGD",
    "Adam",
    "AdamW",
    "Constant",
    "Cosine",
    "NoAveraging",
    "OptimizerBuilder",
    "Plateau",
    "Schedule",
    "Step",
    "TimmOptimizer",
    "param_groups",
    "set_lr",
]
