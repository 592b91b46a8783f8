"""What is Kaggle's: reading a competition, its folds, writing a submission."""

from compkit.competition.auxiliary import AuxiliaryColumn, AuxiliaryLabels, read_auxiliary
from compkit.competition.competition import Competition
from compkit.competition.fold_schemes import SCHEMES, make_folds, resolve_scheme
from compkit.competition.folders import read_folder
from compkit.competition.folds import Folds
from compkit.competition.row_groups import RowUnion, group_names, merge_groups, read_groups, write_groups
from compkit.competition.submission import SubmissionShape, submission_shape
from compkit.competition.submission_format import resolve_format

__all__ = [
    "SCHEMES",
    "AuxiliaryColumn",
    "AuxiliaryLabels",
    "Competition",
    "Folds",
    "RowUnion",
    "SubmissionShape",
    "group_names",
    "make_folds",
    "merge_groups",
    "read_auxiliary",
    "read_folder",
    "read_groups",
    "resolve_format",
    "resolve_scheme",
    "submission_shape",
    "write_groups",
]
