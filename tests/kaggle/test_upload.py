import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from compkit.engine import Console
from compkit.kaggle import (
    Candidate,
    KaggleError,
    Submitted,
    Wishes,
    append,
    check_limit,
    connect,
    read_ledger,
    submit,
    tag_of,
)

from .fake_service import KEY, SIGNATURE, USER
from .test_ledger import row

QUICK = {"poll_seconds": 0.02, "timeout_minutes": 0.1}


@pytest.fixture
def candidate(tmp_path):
    folder = tmp_path / "leaf" / "resnet18"
    folder.mkdir(parents=True)
    file = folder / "submission.csv"
    file.write_text("id,label\n1,a\n")
    return Candidate(file, "resnet18", "f1", 0.9, None, "first try")


@pytest.fixture
def ledger(candidate):
    return candidate.file.parent.parent / "ledger.csv"


@pytest.fixture
def go(kaggle, candidate, ledger):
    """Submit, quickly: go(again=True) -> the ledger's row."""

    def call(**wishes):
        with Console() as console:
            return submit(candidate, ledger, lambda: connect("leaf"), Wishes(**QUICK | wishes), console)

    return call


def sha(candidate):
    return hashlib.sha256(candidate.file.read_bytes()).hexdigest()


def test_a_file_is_uploaded_scored_and_in_the_ledger(kaggle, go, candidate, ledger, capsys):
    kaggle.scored_after = 2
    before = datetime.now(UTC) - timedelta(seconds=1)
    done = go()
    assert kaggle.uploads == [candidate.file.read_bytes()]
    assert kaggle.submissions[0]["description"] == f"first try {tag_of(sha(candidate))}"
    assert read_ledger(ledger) == [done]
    assert (done.run, done.metric, done.cv, done.nested) == ("resnet18", "f1", 0.9, None)
    assert (done.status, done.lb_public, done.lb_private, done.ref) == ("complete", 0.91234, None, "71")
    assert (done.sha256, done.message) == (sha(candidate), "first try")
    assert before <= done.submitted <= datetime.now(UTC) and 0 <= done.seconds < 20
    out = capsys.readouterr().out
    assert (
        "5 left today" in out and "pending, " in out and "complete: public 0.91234, private not shown" in out
    )


def test_the_row_is_pending_before_the_score_is_there(kaggle, go, ledger):
    """The ledger as it is at the first look, were the process killed there."""
    seen = []
    answer = kaggle.answer
    kaggle.answer = lambda call, body: (seen.append(read_ledger(ledger)), answer(call, body))[1]
    go()
    at_first_look = seen[kaggle.calls.index("CreateSubmission") - len(kaggle.calls) + len(seen) + 1]
    assert [(one.status, one.ref) for one in at_first_look] == [("pending", "71")]


def test_the_same_file_is_not_uploaded_twice(kaggle, go, ledger):
    go()
    calls = len(kaggle.calls)
    with pytest.raises(
        ValueError, match=r"same file was submitted at .*public score 0.91234. Set again=true"
    ):
        go()
    assert len(kaggle.calls) == calls  # not even asked
    kaggle.create["ref"] = 72
    go(again=True)
    assert len(kaggle.uploads) == 2 and [one.ref for one in read_ledger(ledger)] == ["71", "72"]


def test_another_file_of_the_run_is_uploaded(kaggle, go, candidate, ledger):
    go()
    candidate.file.write_text("id,label\n1,b\n")
    kaggle.create["ref"] = 72
    go()
    assert [one.status for one in read_ledger(ledger)] == ["complete", "complete"]


@pytest.mark.parametrize("wishes", [{}, {"poll": True}])
def test_a_killed_poll_is_resumed_without_another_upload(kaggle, go, candidate, ledger, wishes):
    kaggle.add(71, "first try", "PENDING")
    append(ledger, row("resnet18", ref="71", sha256=sha(candidate)))
    done = go(**wishes)
    assert kaggle.uploads == [] and (done.status, done.lb_public) == ("complete", 0.91234)
    assert read_ledger(ledger) == [done]


def test_a_submission_that_the_ledger_lost_is_taken_over(kaggle, go, candidate, ledger, capsys):
    """The process was killed between the upload and the ledger."""
    kaggle.add(70, f"first try {tag_of(sha(candidate))}", "PENDING")
    done = go()
    assert kaggle.uploads == [] and done.ref == "70" and read_ledger(ledger) == [done]
    assert "the service has this file already" in capsys.readouterr().out


def test_polling_for_nothing_is_refused(go):
    with pytest.raises(
        ValueError, match=r"poll=true: ledger.csv has no submission of run resnet18 that waits"
    ):
        go(poll=True)


def test_a_file_that_cannot_be_scored_is_an_error_in_the_ledger(kaggle, go, ledger):
    kaggle.outcome = {"status": "ERROR", "errorDescription": f"{USER}: column label missing"}
    with pytest.raises(KaggleError, match="could not score the file: <hidden>: column label missing"):
        go()
    (found,) = read_ledger(ledger)
    assert found.status == "error" and found.message == "first try | <hidden>: column label missing"
    with pytest.raises(ValueError, match="came back with an error"):
        go()


@pytest.mark.parametrize("call", ["ListSubmissions", "StartSubmissionUpload", "upload", "CreateSubmission"])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
def test_nothing_is_in_the_ledger_when_nothing_was_submitted(kaggle, go, ledger, call, status):
    kaggle.fail[call] = (status, "planned")
    with pytest.raises(KaggleError):
        go()
    assert not ledger.exists()


def test_a_submission_that_was_taken_in_spite_of_an_error_is_found(kaggle, go, candidate, ledger):
    def take_and_fail(handler):
        kaggle.add(75, f"first try {tag_of(sha(candidate))}", "PENDING")
        handler.reply(502, {"code": 502, "message": "bad gateway"})

    kaggle.fail["CreateSubmission"] = take_and_fail
    assert go().ref == "75" and [one.status for one in read_ledger(ledger)] == ["complete"]


def test_a_service_that_gives_no_number_is_asked_for_it(kaggle, go):
    kaggle.create = {"message": "Successfully submitted to Leaf"}
    assert go().ref == "71"


def test_trouble_while_waiting_is_waited_out(kaggle, go, ledger, capsys):
    looks = []

    def busy_once(handler):
        looks.append(1)
        if len(looks) == 2:
            return handler.reply(503, {"code": 503, "message": "back soon"})
        handler.reply(*kaggle.answer("ListSubmissions", {}))

    kaggle.fail["ListSubmissions"] = busy_once
    assert go().status == "complete"
    assert "warning: Kaggle: 503: back soon" in capsys.readouterr().out


def test_a_score_that_does_not_come_leaves_the_row_pending(kaggle, go, ledger):
    kaggle.scored_after = 10**6
    with pytest.raises(KaggleError, match=r"not scored within timeout_minutes=0.002.*poll=true"):
        go(timeout_minutes=0.002)
    assert [one.status for one in read_ledger(ledger)] == ["pending"]
    kaggle.scored_after = 0
    assert go().status == "complete" and len(kaggle.uploads) == 1


def test_credentials_that_end_while_waiting_stop_it(kaggle, go, ledger):
    answer = kaggle.answer

    def until_submitted(call, body):
        if call == "CreateSubmission":
            kaggle.fail["ListSubmissions"] = (401, "expired")
        return answer(call, body)

    kaggle.answer = until_submitted
    with pytest.raises(KaggleError, match="401: expired"):
        go()
    assert [one.status for one in read_ledger(ledger)] == ["pending"]


def test_a_submission_that_is_not_listed_any_more_is_said(kaggle, go, candidate, ledger):
    append(ledger, row("resnet18", ref="70", sha256=sha(candidate), time="2020-01-01T00:00:00Z"))
    with pytest.raises(KaggleError, match=r"ref 70\) is not among the newest 0.*again=true"):
        go()


def test_a_code_competition_is_refused_before_the_upload(kaggle, go):
    kaggle.competition["isKernelsSubmissionsOnly"] = True
    with pytest.raises(KaggleError, match="leaf takes notebooks only"):
        go()
    assert "StartSubmissionUpload" not in kaggle.calls


@pytest.mark.parametrize("wishes, limit", [({}, 5), ({"per_day": 3}, 3)])
def test_the_limit_of_the_day_is_kept(kaggle, go, ledger, wishes, limit):
    for ref in range(limit):
        kaggle.add(ref)
    with pytest.raises(ValueError, match=f"{limit} submissions were made today .* next one is possible from"):
        go(**wishes)
    assert kaggle.uploads == [] and not ledger.exists()


def test_an_unknown_limit_is_said(kaggle, go, capsys):
    kaggle.fail["GetCompetition"] = (404, "planned")
    go()
    assert "the limit of the day is not known; per_day=… sets it" in capsys.readouterr().out


def listed(time, status="complete"):
    return Submitted(1, time, status, None, None, "", "")


def test_days_are_counted_in_utc_and_errors_do_not_count():
    now = datetime(2026, 3, 1, 1, 30, tzinfo=UTC)
    elsewhere = now.astimezone().replace(microsecond=0)
    today, yesterday = listed(now - timedelta(hours=1)), listed(now - timedelta(hours=2))
    assert check_limit([today, yesterday, listed(now, "error"), listed(now, "pending")], 3, elsewhere) == 1
    assert check_limit([today], None, now) is None
    with pytest.raises(ValueError, match=r"possible from 2026-03-02 00:00 UTC, in 22 h 30 min"):
        check_limit([today], 1, now)


def test_no_secret_is_left_anywhere(kaggle, go, tmp_path, capsys):
    planted = f"{USER} {KEY} {tmp_path / 'home_of_planted_owner'} http://a.b/c?sig={SIGNATURE}"
    kaggle.outcome = {"status": "ERROR", "errorDescription": planted}
    with pytest.raises(KaggleError) as caught:
        go()
    kaggle.fail["CreateSubmission"] = (400, planted)
    with pytest.raises(KaggleError) as again:
        go(again=True)
    said = "".join([*capsys.readouterr(), str(caught.value), str(again.value)])
    said += "".join(file.read_text() for file in (tmp_path / "leaf").rglob("*") if file.is_file())
    for secret in (USER, KEY, SIGNATURE, "home_of_planted_owner"):
        assert secret not in said
