"""What the history of a training says: rules over its curves, each with the numbers that fired and the action."""

from compkit.diagnosis.diagnose import (
    RULE_NAMES,
    diagnose,
    diagnose_fold,
    diagnose_folds,
    diagnose_labels,
    diagnose_run,
    diagnose_together,
)
from compkit.diagnosis.facts import FoldFacts, gather_facts
from compkit.diagnosis.loss_terms import prior_loss
from compkit.diagnosis.priors import Labels, labels_of
from compkit.diagnosis.probe_rules import diagnose_probes
from compkit.diagnosis.scores import chance_score, score_error
from compkit.diagnosis.table import grouped, show_findings

__all__ = [
    "RULE_NAMES",
    "FoldFacts",
    "Labels",
    "chance_score",
    "diagnose",
    "diagnose_fold",
    "diagnose_folds",
    "diagnose_labels",
    "diagnose_probes",
    "diagnose_run",
    "diagnose_together",
    "gather_facts",
    "grouped",
    "labels_of",
    "prior_loss",
    "score_error",
    "show_findings",
]
