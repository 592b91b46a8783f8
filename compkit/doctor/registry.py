"""Every check of the doctor, in the order in which they run: the cheap ones first."""

from compkit.doctor.check import Check
from compkit.doctor.first_loss import INITIAL_LOSS, PRIOR_BIAS
from compkit.doctor.gradients import GRADIENTS
from compkit.doctor.proofs import PROOFS_CHECK
from compkit.doctor.trainings import CAPACITY, OVERFIT, ZEROED

CHECKS: tuple[Check, ...] = (PROOFS_CHECK, PRIOR_BIAS, INITIAL_LOSS, GRADIENTS, OVERFIT, CAPACITY, ZEROED)
