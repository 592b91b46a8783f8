"""The gradient check: autograd against differences of values, in 64 bit."""

from compkit.doctor.gradients.gradients import GRADIENTS

__all__ = ["GRADIENTS"]
