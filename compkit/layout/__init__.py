"""Finding out the layout of a downloaded competition: from files to the keys of its config."""

from compkit.layout.detect import detect
from compkit.layout.findings import BLOCKED, Findings, Question
from compkit.layout.init import init
from compkit.layout.scan import Listing, scan

__all__ = ["BLOCKED", "Findings", "Listing", "Question", "detect", "init", "scan"]
