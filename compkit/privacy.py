"""What is nobody's business kept out of what is written: keys and tokens of the environment, the home folder."""

import os
import re
from pathlib import Path
from typing import Any

HIDDEN = "<hidden>"
SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|WEBHOOK", re.IGNORECASE)
SHORTEST = 8  # characters of a value that is hidden; shorter ones are words
ASSIGNED = re.compile(
    r"""((?:api[_-]?key|token|secret|passw(?:or)?d)["']?\s*[:=]\s*["']?)[^\s"',]{8,}""", re.IGNORECASE
)


def private(text: str) -> str:
    """The text without the values of environment variables that hold keys, and with ~ for the home folder.

    Whoever reads a path back expands the ~.

    >>> private(f"{Path.home()}/data/a.csv")
    '~/data/a.csv'
    """
    values = {value for name, value in os.environ.items() if SECRET_NAME.search(name)}
    for value in sorted((one for one in values if len(one) >= SHORTEST), key=len, reverse=True):
        text = text.replace(value, HIDDEN)
    return without_home(text)


def without_home(text: str) -> str:
    """The text with ~ for the home folder, which names its owner.

    >>> without_home(f"{Path.home()}/data/a.csv")
    '~/data/a.csv'
    """
    home = str(Path.home())
    return text if home == "/" else re.sub(rf"{re.escape(home)}(?![\w.-])", "~", text)


def private_tree(node: Any) -> Any:
    """A tree of plain values, each text of it as `private` leaves it.

    >>> private_tree({"path": [f"{Path.home()}/a", 3]})
    {'path': ['~/a', 3]}
    """
    if isinstance(node, dict):
        return {key: private_tree(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [private_tree(value) for value in node]
    return private(node) if isinstance(node, str) else node


def private_code(text: str) -> str:
    """As `private`, for code and configs that nobody has looked through: what is assigned to a password is hidden too.

    >>> private_code("+api_key = 'abcd1234efgh'")
    "+api_key = '<hidden>'"
    """
    return ASSIGNED.sub(rf"\g<1>{HIDDEN}", private(text))
