"""Pictures in numbers: what their files say, what they look like, and which of them show the same."""

from compkit.pictures.duplicates import Duplicates, Edge, duplicate_groups, find_duplicates
from compkit.pictures.measure import Measured, measure_pictures
from compkit.pictures.similar import chance_agreement, labels_agree

__all__ = [
    "Duplicates",
    "Edge",
    "Measured",
    "chance_agreement",
    "duplicate_groups",
    "find_duplicates",
    "labels_agree",
    "measure_pictures",
]
