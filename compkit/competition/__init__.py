"""What is Kaggle's: reading a competition, its folds, writing a submission."""

from compkit.competition.auxiliary import AuxiliaryColumn, AuxiliaryLabels, read_auxiliary
from compkit.competition.competition import Competition
from compkit.competition.fold_schemes import SCHEMES, make_folds, resolve_scheme
from compkit.competition.folders import read_folder
from compkit.competition.folds import Folds
from compkit.competition.submission import validate_submission, write_submission
from compkit.competition.submission_format import check_submission_shape, resolve_format

__all__ = [
    "SCHEMES",
    "AuxiliaryColumn",
    "AuxiliaryLabels",
    "Competition",
    "Folds",
    "check_submission_shape",
    "make_folds",
    "read_auxiliary",
    "read_folder",
    "resolve_format",
    "resolve_scheme",
    "validate_submission",
    "write_submission",
]
