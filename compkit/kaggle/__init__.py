"""Submissions to Kaggle through its official client, and the ledger of them.

The client is imported only when something is submitted.
"""

from compkit.kaggle.client import KaggleError
from compkit.kaggle.ledger import LedgerRow, append, read_ledger, update, utc_text
from compkit.kaggle.poll import Wishes, tag_of, wait_for_score
from compkit.kaggle.redact import redact
from compkit.kaggle.service import Rules, Service, Submitted, connect
from compkit.kaggle.upload import Candidate, check_limit, submit

__all__ = [
    "Candidate",
    "KaggleError",
    "LedgerRow",
    "Rules",
    "Service",
    "Submitted",
    "Wishes",
    "append",
    "check_limit",
    "connect",
    "read_ledger",
    "redact",
    "submit",
    "tag_of",
    "update",
    "utc_text",
    "wait_for_score",
]
