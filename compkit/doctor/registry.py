"""Every check of the doctor, in the order in which they run: the cheap ones first."""

from compkit.doctor.capacity import CAPACITY
from compkit.doctor.check import Check
from compkit.doctor.gradient_check import GRADIENTS
from compkit.doctor.initial_loss import INITIAL_LOSS
from compkit.doctor.overfit import OVERFIT
from compkit.doctor.prior_bias import PRIOR_BIAS
from compkit.doctor.proofs import PROOFS_CHECK
from compkit.doctor.zeroed import ZEROED

CHECKS: tuple[Check, ...] = (PROOFS_CHECK, PRIOR_BIAS, INITIAL_LOSS, GRADIENTS, OVERFIT, CAPACITY, ZEROED)
