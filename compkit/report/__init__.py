"""Pages about runs: their folders read back, drawn and written as one HTML file."""

from compkit.report.board import read_leaderboard
from compkit.report.comparison import write_comparison
from compkit.report.leaderboard import show_leaderboard
from compkit.report.page import render, write_report
from compkit.report.plots import Line, line_chart
from compkit.report.records import OutOfFold, RunRecord, read_run
from compkit.report.section import Figure, Section

__all__ = [
    "Figure",
    "Line",
    "OutOfFold",
    "RunRecord",
    "Section",
    "line_chart",
    "read_leaderboard",
    "read_run",
    "render",
    "show_leaderboard",
    "write_comparison",
    "write_report",
]
