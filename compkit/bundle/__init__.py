"""A run as a folder to upload: weights, wheels and a notebook that predicts offline, in time, and early."""

from compkit.bundle.check import check_bundle
from compkit.bundle.find_data import find_data
from compkit.bundle.make import Target, make_bundle
from compkit.bundle.manifest import read_manifest
from compkit.bundle.notebook import Upload, slug
from compkit.bundle.opened import open_bundle
from compkit.bundle.prediction import predict

__all__ = [
    "Target",
    "Upload",
    "check_bundle",
    "find_data",
    "make_bundle",
    "open_bundle",
    "predict",
    "read_manifest",
    "slug",
]
