"""Pages about runs: their folders read back, drawn and written as one HTML file."""

from compkit.report.page import write_report
from compkit.report.records import OutOfFold, RunRecord, read_run

__all__ = ["OutOfFold", "RunRecord", "read_run", "write_report"]
