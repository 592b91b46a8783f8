"""A competition's data looked at: damage, duplicates, shortcuts to the label, wrong labels, test unlike train."""

from compkit.inspection.command import inspect_data
from compkit.inspection.inspect import Inspection, inspect
from compkit.inspection.label_issues import LabelIssues, find_label_issues

__all__ = [
    "Inspection",
    "LabelIssues",
    "find_label_issues",
    "inspect",
    "inspect_data",
]
