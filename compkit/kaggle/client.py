"""The official client's calls: on this side of them nothing is printed, nothing exits, nothing waits for ever."""

import contextlib
import io
import re
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from compkit.kaggle.redact import basic_auth, redact

T = TypeVar("T")

NOTEBOOKS = re.compile(r"notebook|kernel|code competition", re.IGNORECASE)
ONLY_NOTEBOOKS = (
    "A code competition scores a notebook, not a file, and submitting by notebook is not done here: make one with "
    "scripts/bundle.py and submit it on the competition's page."
)
NO_CREDENTIALS = (
    "Kaggle: no credentials were found, or they are no longer valid. Run `kaggle auth login`, or make a token on "
    "https://www.kaggle.com/settings/api and set KAGGLE_API_TOKEN to it, or save it as ~/.kaggle/access_token."
)


class KaggleError(OSError):
    """The service or its client did not do what was asked; the message says what to do, and holds no secret.

    Attributes:
        transient: the same call may succeed a little later.
        uncertain: what was asked may have been done all the same.
    """

    def __init__(self, message: str, transient: bool = False, uncertain: bool = False) -> None:
        super().__init__(message)
        self.transient, self.uncertain = transient, uncertain


def ask(
    call: Callable[[], T],
    seconds: float,
    competition: str,
    secrets: Callable[[], Sequence[str]],
    said: io.StringIO | None = None,
) -> T:
    """What a call of the client returns, with a limit of time; its prints are kept off the screen.

    The client sets no limit itself, so that a service which accepts a connection and says nothing would hold it
    for ever: the call runs in a thread that is given up.

    Args:
        call: of the client.
        seconds: until it is given up.
        competition: for the message.
        secrets: what must not be in a message.
        said: gets what the client prints.

    Raises:
        KaggleError: it failed; never with the client's own exception behind it, which may hold secrets.
        ModuleNotFoundError: as it came.
    """
    results: list[T] = []
    failures: list[BaseException] = []

    def work() -> None:
        try:
            results.append(call())
        except BaseException as error:  # the client also calls exit()
            failures.append(error)

    said = io.StringIO() if said is None else said
    thread = threading.Thread(target=work, daemon=True)
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        thread.start()
        thread.join(seconds)
    if thread.is_alive():
        raise KaggleError(
            f"Kaggle: no answer within {seconds:.0f} s. Call the command again later; timeout_minutes=… gives an "
            "upload more time.",
            transient=True,
            uncertain=True,
        )
    if failures and isinstance(failures[0], ModuleNotFoundError):
        raise failures[0]
    if failures:
        raise _explained(failures[0], competition, secrets()) from None
    return results[0]


def secrets_of(client: Any) -> list[str]:
    """The user's name, key and token as the client has found them, and how they travel in headers."""
    from kagglesdk.kaggle_env import get_access_token_from_env

    values = client.config_values
    found = [str(values[name]) for name in ("username", "key", "token") if values.get(name)]
    if values.get("username") and values.get("key"):
        found.append(basic_auth(str(values["username"]), str(values["key"])))
    token, _ = get_access_token_from_env()
    return [*found, *([token] if token else [])]


def _explained(error: BaseException, competition: str, secrets: Sequence[str]) -> KaggleError:
    """The client's exception as one of ours, with what to do."""
    if isinstance(error, SystemExit):
        return KaggleError(NO_CREDENTIALS)
    status = getattr(getattr(error, "response", None), "status_code", None)
    text = redact(" ".join(str(error).split()), secrets) or type(error).__name__
    if not isinstance(error, OSError):  # what requests raises is one
        return KaggleError(
            f"Kaggle: its client failed with {type(error).__name__}: {text}. compkit knows the kaggle package 2.2: "
            "pip install 'compkit[kaggle]' brings one that fits.",
            uncertain=True,
        )
    if status is None:
        return KaggleError(
            f"Kaggle: {type(error).__name__}: {text}. Look whether the network and https://www.kaggle.com can be "
            "reached, then call the command again.",
            transient=True,
            uncertain=True,
        )
    page = f"https://www.kaggle.com/competitions/{competition}"
    advice = {
        400: f"Look at the file and at the rules on {page}.",
        401: "The credentials are not valid (any more): run `kaggle auth login`, or make a new token on "
        "https://www.kaggle.com/settings/api.",
        403: f"Join the competition and accept its rules on {page}/rules; after its end nothing can be submitted, "
        "unless it takes late submissions.",
        404: f"There is no competition {competition!r}, or it takes no submissions: set competition=… to the last part "
        "of its address.",
        429: "Too many requests: wait some minutes, then call the command again.",
    }.get(status, "The service has trouble of its own: call the command again later.")
    busy = status == 429 or status >= 500
    return KaggleError(
        f"Kaggle: {status}: {text}. {advice}{notebook_hint(text)}", transient=busy, uncertain=status >= 500
    )


def notebook_hint(text: str) -> str:
    """What to know where a message speaks of notebooks, else nothing."""
    return f" {ONLY_NOTEBOOKS}" if NOTEBOOKS.search(text) else ""
