"""What a network and its loss must say before the first step."""

from compkit.doctor.first_loss.initial_loss import INITIAL_LOSS
from compkit.doctor.first_loss.prior_bias import PRIOR_BIAS

__all__ = ["INITIAL_LOSS", "PRIOR_BIAS"]
