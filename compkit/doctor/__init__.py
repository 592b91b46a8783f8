"""Silent bugs found before they cost a night: checks, their findings, what histories say."""

from compkit.doctor.diagnosis import diagnose, diagnose_fold, diagnose_folds, diagnose_labels, diagnose_run
from compkit.doctor.diagnosis_table import grouped, show_findings
from compkit.doctor.facts import FoldFacts, gather_facts
from compkit.doctor.findings import Finding, Status, worst
from compkit.doctor.loss_terms import prior_loss
from compkit.doctor.priors import Labels, labels_of
from compkit.doctor.scores import chance_score, score_error

__all__ = [
    "Finding",
    "FoldFacts",
    "Labels",
    "Status",
    "chance_score",
    "diagnose",
    "diagnose_fold",
    "diagnose_folds",
    "diagnose_labels",
    "diagnose_run",
    "gather_facts",
    "grouped",
    "labels_of",
    "prior_loss",
    "score_error",
    "show_findings",
    "worst",
]
