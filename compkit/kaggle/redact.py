"""Secrets out of texts that others have written: keys, tokens, the user's name, the home folder."""

import base64
import os
import re
from collections.abc import Iterable

from compkit.privacy import HIDDEN, without_home

VARIABLES = ("KAGGLE_KEY", "KAGGLE_API_TOKEN", "KAGGLE_API_V1_TOKEN", "KAGGLE_TOKEN", "KAGGLE_USERNAME")


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """The text without secrets, without the query of any address, and with ~ for the home folder.

    A secret shorter than four characters is hidden only where it stands alone, as it may be part of any word.

    Args:
        text: what a client or a service has said.
        secrets: keys, tokens and names; the environment's own are hidden as well.

    >>> redact("alice: bad key s3cr3t at https://x.org/up?sig=1", ["alice", "s3cr3t"])
    '<hidden>: bad key <hidden> at https://x.org/up?…'
    """
    text = re.sub(
        r"(https?://[^\s?'\"<>]+)\?[^\s'\"<>)]*", r"\1?…", text
    )  # signed addresses are keys as well
    known = {one.strip() for one in (*secrets, *(os.environ.get(name, "") for name in VARIABLES))} - {""}
    for secret in sorted(known, key=len, reverse=True):
        pattern = re.escape(secret)
        text = re.sub(pattern if len(secret) > 3 else rf"(?<!\w){pattern}(?!\w)", HIDDEN, text)
    return without_home(text)


def basic_auth(user: str, key: str) -> str:
    """How a user and a key travel in a request's header.

    >>> basic_auth("a", "b")
    'YTpi'
    """
    return base64.b64encode(f"{user}:{key}".encode()).decode()
