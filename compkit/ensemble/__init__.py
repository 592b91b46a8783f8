"""Several runs put together: blending, stacking, soups, and honest scores of what was fitted on them."""

from compkit.ensemble.alignment import Aligned, align, check_metric
from compkit.ensemble.blending import METHODS, Blended, Blending, blend_runs
from compkit.ensemble.bootstrap import Gain, bootstrap_gain
from compkit.ensemble.crossfit import cross_fit, crossfit_parts
from compkit.ensemble.hill_climb import Climb, hill_climb
from compkit.ensemble.members import Member, read_members
from compkit.ensemble.optimize import optimize_weights

__all__ = [
    "METHODS",
    "Aligned",
    "Blended",
    "Blending",
    "Climb",
    "Gain",
    "Member",
    "align",
    "blend_runs",
    "bootstrap_gain",
    "check_metric",
    "cross_fit",
    "crossfit_parts",
    "hill_climb",
    "optimize_weights",
    "read_members",
]
