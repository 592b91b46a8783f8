"""What is nobody's business kept out of what is written: keys and tokens of the environment, the home folder."""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

HIDDEN = "<hidden>"
SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|WEBHOOK", re.IGNORECASE)
SHORTEST = 8  # characters of a value that is hidden; shorter ones are words
ASSIGNED = re.compile(
    r"""((?:api[_-]?key|token|secret|passw(?:or)?d)["']?\s*[:=]\s*["']?)[^\s"',]{8,}""", re.IGNORECASE
)


def secret_values(environment: Mapping[str, str]) -> dict[str, str]:
    """The values of environment variables that hold keys, and the variables' names.

    A path is none: `SSH_KEY_FILE=/data/key` must not hide /data in every config.

    >>> secret_values({"API_KEY": "abcd1234", "KEY_FILE": "/data/keys", "LANG": "en_GB.UTF-8"})
    {'abcd1234': 'API_KEY'}
    """
    return {
        value: name
        for name, value in environment.items()
        if SECRET_NAME.search(name) and len(value) >= SHORTEST and not value.startswith(("/", "~", "."))
    }


def hider() -> Callable[[str], str]:
    """`private` for many texts: the environment is looked through once."""
    values = sorted(secret_values(os.environ), key=len, reverse=True)

    def hide(text: str) -> str:
        for value in values:
            text = text.replace(value, HIDDEN)
        return without_home(text)

    return hide


def private(text: str) -> str:
    """The text without the values of environment variables that hold keys, and with ~ for the home folder.

    Whoever reads a path back expands the ~.

    >>> private(f"{Path.home()}/data/a.csv")
    '~/data/a.csv'
    """
    return hider()(text)


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
    hide = hider()

    def walk(one: Any) -> Any:
        if isinstance(one, dict):
            return {key: walk(value) for key, value in one.items()}
        if isinstance(one, list | tuple):
            return [walk(value) for value in one]
        return hide(one) if isinstance(one, str) else one

    return walk(node)


def private_code(text: str) -> str:
    """As `private`, for code and configs that nobody has looked through: what is assigned to a password is hidden too.

    >>> private_code("+api_key = 'abcd1234efgh'")
    "+api_key = '<hidden>'"
    """
    return ASSIGNED.sub(rf"\g<1>{HIDDEN}", private(text))
