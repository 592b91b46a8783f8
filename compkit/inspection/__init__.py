"""A competition's data looked at: damage, duplicates, shortcuts to the label, wrong labels, test unlike train."""

from compkit.inspection.benchmark import benchmark_inspection
from compkit.inspection.command import inspect_data
from compkit.inspection.duplicates import Duplicates, duplicate_groups, find_duplicates
from compkit.inspection.groups import merge_groups, read_groups
from compkit.inspection.inspect import Inspection, inspect
from compkit.inspection.label_issues import LabelIssues, find_label_issues
from compkit.inspection.measure import Measured, measure_pictures

__all__ = [
    "Duplicates",
    "Inspection",
    "LabelIssues",
    "Measured",
    "benchmark_inspection",
    "duplicate_groups",
    "find_duplicates",
    "find_label_issues",
    "inspect",
    "inspect_data",
    "measure_pictures",
    "merge_groups",
    "read_groups",
]
