"""What a submission needs of Kaggle, in our words."""

import io
import math
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from compkit.kaggle.client import KaggleError, ask, notebook_hint, secrets_of
from compkit.kaggle.redact import redact

T = TypeVar("T")

PAGE = 100  # submissions asked for at once, newest first; no competition allows so many a day
CALL_SECONDS = 60.0  # for an answer, except to an upload


class Submitted(NamedTuple):
    """One submission as the service lists it."""

    ref: int
    time: datetime  # aware, UTC
    status: str  # pending, complete or error
    public: float | None
    private: float | None
    description: str
    error: str


class Rules(NamedTuple):
    """What the competition allows; None where the service does not tell."""

    per_day: int | None
    notebooks_only: bool | None


class Service:
    """The calls that a submission needs.

    Args:
        client: an authenticated `kaggle.KaggleApi`.
        competition: its name in addresses, such as `leaf-classification`.
        call_seconds: how long an answer may take.
    """

    def __init__(self, client: Any, competition: str, call_seconds: float = CALL_SECONDS) -> None:
        self.client, self.competition, self.call_seconds = client, competition, call_seconds

    def rules(self) -> Rules:
        """What the competition allows. A service that does not tell is no error: the upload itself will show."""

        def call() -> Any:
            from kagglesdk.competitions.types.competition_api_service import ApiGetCompetitionRequest

            request = ApiGetCompetitionRequest()
            request.competition_name = self.competition
            with self.client.build_kaggle_client() as kaggle:
                return kaggle.competitions.competition_api_client.get_competition(request)

        try:
            found = self._ask(call, self.call_seconds)
        except KaggleError:
            return Rules(None, None)
        return Rules(found.max_daily_submissions or None, bool(found.is_kernels_submissions_only))

    def submissions(self) -> list[Submitted]:
        """The team's newest submissions.

        Raises:
            KaggleError: the service refuses, does not answer, or cannot be reached.
        """

        def call() -> list[Submitted]:
            listed = self.client.competition_submissions(self.competition, page_size=PAGE)
            return [_submitted(one, self.hide) for one in listed or []]

        return self._ask(call, self.call_seconds)

    def upload(self, file: Path, message: str, seconds: float) -> int:
        """Send a file; returns the submission's number, 0 when the service says it took it and gives none.

        Raises:
            KaggleError: it was not taken; `uncertain` where it may have been.
        """
        said = io.StringIO()
        answer = self._ask(
            lambda: self.client.competition_submit(str(file), message, self.competition, quiet=True),
            seconds,
            said,
        )
        text = str(answer.message or "")
        if text == self.client.COMPETITION_SUBMIT_UPLOAD_FAILED_MESSAGE:  # returned, not raised
            detail = self.hide(" ".join(said.getvalue().split()))
            raise KaggleError(
                f"Kaggle: {text}: the file did not get through{f' ({detail})' if detail else ''}. Nothing was "
                "submitted. Call the command again, and see https://status.kaggle.com if that does not help."
            )
        if not answer.ref and not text.lower().startswith("success"):
            raise KaggleError(
                f"Kaggle: {self.hide(text) or 'an empty answer'}.{notebook_hint(text)}", uncertain=True
            )
        return int(answer.ref or 0)

    def hide(self, text: str) -> str:
        """The text without this user's secrets."""
        return redact(text, secrets_of(self.client))

    def _ask(self, call: Callable[[], T], seconds: float, said: io.StringIO | None = None) -> T:
        return ask(call, seconds, self.competition, lambda: secrets_of(self.client), said)


def connect(competition: str, call_seconds: float = CALL_SECONDS) -> Service:
    """The service, with the credentials that the kaggle package finds by itself.

    Raises:
        ModuleNotFoundError: the kaggle package is not installed.
        KaggleError: there are no credentials, or the service refuses them.
    """

    def start() -> Any:
        # the import signs in by itself, and swallows every failure
        from kaggle.api.kaggle_api_extended import KaggleApi

        client = KaggleApi()
        client.authenticate()
        return client

    try:
        client = ask(start, call_seconds, competition, lambda: ())
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            f"submitting needs the module {error.name}, which is not installed. Run: pip install 'compkit[kaggle]'."
        ) from None
    return Service(client, competition, call_seconds)


def _submitted(one: Any, hide: Callable[[str], str]) -> Submitted:
    """The client's own object in our words."""
    time = one.date if one.date.tzinfo else one.date.replace(tzinfo=UTC)
    return Submitted(
        ref=int(one.ref or 0),
        time=time,
        status=one.status.name.lower(),
        public=_score(one.public_score),
        private=_score(one.private_score),
        description=str(one.description or ""),
        error=hide(" ".join(str(one.error_description or "").split())),
    )


def _score(text: str | None) -> float | None:
    """A score, which the service gives as text; blank, or a word, while there is none."""
    try:
        score = float(text or "nan")
    except ValueError:
        return None
    return score if math.isfinite(score) else None
