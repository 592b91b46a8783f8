import sys

import pytest

from compkit.kaggle import KaggleError, connect

from .fake_service import KEY, SIGNATURE, USER


@pytest.fixture
def service(kaggle):
    return connect("leaf")


@pytest.fixture
def csv(tmp_path):
    path = tmp_path / "submission.csv"
    path.write_text("id,label\n1,a\n")
    return path


def test_upload_sends_the_file_and_returns_its_number(kaggle, service, csv):
    assert service.upload(csv, "first", 10) == 71
    assert kaggle.uploads == [csv.read_bytes()]
    assert kaggle.calls[-3:] == ["StartSubmissionUpload", "upload", "CreateSubmission"]
    assert kaggle.submissions[0]["description"] == "first"


def test_submissions_are_read_with_their_scores(kaggle, service):
    kaggle.add(1, "old", publicScore="0.75", privateScore="0.5")
    kaggle.add(2, "bad", "ERROR", publicScore="", errorDescription=f"{USER}: wrong\ncolumns")
    new, old = service.submissions()
    assert (old.ref, old.status, old.public, old.private) == (1, "complete", 0.75, 0.5)
    assert (new.status, new.public, new.error) == ("error", None, "<hidden>: wrong columns")
    assert old.time.utcoffset().total_seconds() == 0


@pytest.mark.parametrize("score", ["None", "nan", ""])
def test_a_score_that_is_no_number_is_none(kaggle, service, score):
    kaggle.add(1, publicScore=score)
    assert service.submissions()[0].public is None


def test_rules_are_the_service_s_and_none_where_it_does_not_tell(kaggle, service):
    assert service.rules() == (5, False)
    kaggle.competition = {"isKernelsSubmissionsOnly": True}
    assert service.rules() == (None, True)
    kaggle.fail["GetCompetition"] = (500, "trouble")
    assert service.rules() == (None, None)


@pytest.mark.parametrize(
    "status, words, transient, uncertain",
    [
        (400, "400: planned. Look at the file", False, False),
        (401, "kaggle auth login", False, False),
        (403, "https://www.kaggle.com/competitions/leaf/rules", False, False),
        (404, "There is no competition 'leaf'", False, False),
        (429, "wait some minutes", True, False),
        (500, "The service has trouble of its own", True, True),
    ],
)
@pytest.mark.parametrize("call", ["StartSubmissionUpload", "CreateSubmission"])
def test_an_http_error_says_what_to_do(kaggle, service, csv, call, status, words, transient, uncertain):
    kaggle.fail[call] = (status, "planned")
    with pytest.raises(KaggleError, match="planned") as caught:
        service.upload(csv, "first", 10)
    assert words in str(caught.value)
    assert (caught.value.transient, caught.value.uncertain) == (transient, uncertain)


def test_a_code_competition_is_explained(kaggle, service, csv):
    kaggle.fail["CreateSubmission"] = (400, "Submission not allowed: this is a Code Competition")
    with pytest.raises(KaggleError, match=r"scores a notebook, not a file.*scripts/bundle.py"):
        service.upload(csv, "first", 10)


@pytest.mark.parametrize("status", [400, 403, 503])
def test_a_failed_upload_is_recognised_though_the_client_only_returns_a_message(kaggle, service, csv, status):
    kaggle.fail["upload"] = (status, "no room")
    with pytest.raises(
        KaggleError, match=r"Could not submit to competition.*Nothing was submitted"
    ) as caught:
        service.upload(csv, "first", 10)
    assert "CreateSubmission" not in kaggle.calls and not caught.value.uncertain


def test_a_message_that_is_no_success_is_a_failure(kaggle, service, csv):
    kaggle.create = {"message": f"Submission of {USER} was not created"}
    with pytest.raises(KaggleError, match="Submission of <hidden> was not created") as caught:
        service.upload(csv, "first", 10)
    assert caught.value.uncertain


def test_a_success_without_a_number_is_zero(kaggle, service, csv):
    kaggle.create = {"message": "Successfully submitted to Leaf"}
    assert service.upload(csv, "first", 10) == 0


def test_a_silent_service_is_given_up(kaggle, csv):
    kaggle.fail["ListSubmissions"] = lambda handler: handler.rfile.read(1)
    service = connect("leaf")
    service.call_seconds = 0.3
    with pytest.raises(KaggleError, match="no answer within 0 s") as caught:
        service.submissions()
    assert caught.value.transient


def test_a_service_that_hangs_up_is_a_matter_of_the_network(kaggle, service):
    kaggle.fail["ListSubmissions"] = lambda handler: handler.connection.close()
    with pytest.raises(KaggleError, match="Look whether the network") as caught:
        service.submissions()
    assert caught.value.transient


def test_an_answer_of_another_kind_names_the_client(kaggle, service):
    answer = {"submissions": [{"ref": 1, "status": "PENDING"}]}  # without a date
    kaggle.fail["ListSubmissions"] = lambda handler: handler.reply(200, answer)
    with pytest.raises(KaggleError, match=r"client failed with \w+"):
        service.submissions()


def test_secrets_in_an_answer_do_not_reach_the_message(kaggle, service, csv, tmp_path):
    home = tmp_path / "home_of_planted_owner"
    kaggle.fail["StartSubmissionUpload"] = (
        400,
        f"{USER} with {KEY} from {home}/x at https://a.b/c?sig={SIGNATURE}",
    )
    with pytest.raises(KaggleError) as caught:
        service.upload(csv, "first", 10)
    assert caught.value.__cause__ is None and caught.value.__suppress_context__
    for secret in (USER, KEY, SIGNATURE, str(home)):
        assert secret not in str(caught.value)
    assert "<hidden> with <hidden> from ~/x at https://a.b/c?…" in str(caught.value)


def test_missing_credentials_are_a_message_not_an_exit(kaggle, monkeypatch, capsys):
    monkeypatch.delenv("KAGGLE_USERNAME")
    monkeypatch.delenv("KAGGLE_KEY")
    with pytest.raises(KaggleError, match=r"no credentials were found.*kaggle auth login"):
        connect("leaf")
    assert capsys.readouterr() == ("", "")


def test_a_refused_token_is_a_message(kaggle, monkeypatch):
    monkeypatch.delenv("KAGGLE_USERNAME")
    monkeypatch.delenv("KAGGLE_KEY")
    monkeypatch.setenv("KAGGLE_API_TOKEN", "planted-token")
    kaggle.fail["IntrospectToken"] = (403, "planted-token is not valid")
    with pytest.raises(KaggleError, match="no credentials were found, or they are no longer valid"):
        connect("leaf")


def test_a_token_signs_in(kaggle, monkeypatch):
    monkeypatch.setenv("KAGGLE_API_TOKEN", "planted-token")
    kaggle.fail["IntrospectToken"] = lambda handler: handler.reply(200, {"active": True, "username": USER})
    service = connect("leaf")
    assert service.hide(f"planted-token of {USER}") == "<hidden> of <hidden>"


def test_without_the_package_the_command_to_install_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "kaggle", None)
    monkeypatch.setitem(sys.modules, "kaggle.api", None)
    monkeypatch.setitem(sys.modules, "kaggle.api.kaggle_api_extended", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'compkit\[kaggle\]'"):
        connect("leaf")
