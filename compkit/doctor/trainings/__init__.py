"""Checks that train the run's own network for some steps on some pictures."""

from compkit.doctor.trainings.capacity import CAPACITY
from compkit.doctor.trainings.overfit import OVERFIT
from compkit.doctor.trainings.zeroed import ZEROED

__all__ = ["CAPACITY", "OVERFIT", "ZEROED"]
