"""Silent bugs found before they cost a night: checks of a run that has not begun."""

from compkit.doctor.check import Check
from compkit.doctor.examine import Examined, choose_checks, examine
from compkit.doctor.page import doctor_page, write_findings
from compkit.doctor.start import prove_at_start

__all__ = [
    "Check",
    "Examined",
    "choose_checks",
    "doctor_page",
    "examine",
    "prove_at_start",
    "write_findings",
]
