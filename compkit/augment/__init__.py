"""What is done to training pictures at random: operations, policies of them, and the search for a policy."""

from compkit.augment.crop import ResizedCrop, Symmetry
from compkit.augment.operations import OPERATIONS
from compkit.augment.policies import AutoAugment, Operation, RandAugment, TrivialAugment

__all__ = [
    "OPERATIONS",
    "AutoAugment",
    "Operation",
    "RandAugment",
    "ResizedCrop",
    "Symmetry",
    "TrivialAugment",
]
