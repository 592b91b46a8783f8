"""Several runs put together: blending, stacking, soups, and honest scores of what was fitted on them."""

from compkit.ensemble.alignment import Aligned, align, check_metric
from compkit.ensemble.blending import METHODS, Blended, Blending, blend_runs
from compkit.ensemble.bootstrap import Gain, bootstrap_gain
from compkit.ensemble.crossfit import cross_fit, crossfit_parts
from compkit.ensemble.hill_climb import Climb, hill_climb
from compkit.ensemble.members import Member, read_members
from compkit.ensemble.optimize import optimize_weights
from compkit.ensemble.soup import average_states, check_same_network, greedy_soup
from compkit.ensemble.stack import Stacked, choose_test_features, stack
from compkit.ensemble.stack_columns import ColumnEncoder, Columns, describe_columns, read_columns

__all__ = [
    "METHODS",
    "Aligned",
    "Blended",
    "Blending",
    "Climb",
    "ColumnEncoder",
    "Columns",
    "Gain",
    "Member",
    "Stacked",
    "align",
    "average_states",
    "blend_runs",
    "bootstrap_gain",
    "check_metric",
    "check_same_network",
    "choose_test_features",
    "cross_fit",
    "crossfit_parts",
    "describe_columns",
    "greedy_soup",
    "hill_climb",
    "optimize_weights",
    "read_columns",
    "read_members",
    "stack",
]
