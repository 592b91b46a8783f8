"""Silent bugs found before they cost a night: checks, their findings, what histories say."""

from compkit.doctor.findings import Finding, Status, worst

__all__ = ["Finding", "Status", "worst"]
