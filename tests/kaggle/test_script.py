"""scripts/submit.py on a run that was trained, against a service of our own."""

import pytest

from compkit.build import build_plan
from compkit.demo import ensure_competition
from compkit.kaggle import read_ledger
from compkit.pipeline import run

from ..commands import call_here
from ..conftest import QUICK, compose_train
from .fake_service import KEY, USER


@pytest.fixture(scope="module")
def trained(tmp_path_factory, data_dir):
    """A finished run of a competition whose name Kaggle would write with a hyphen."""
    outputs = tmp_path_factory.mktemp("outputs")
    paths = (f"data_dir={data_dir}", f"output_dir={outputs}", "name=small", "competition.name=my_digits")
    ensure_competition("digits", data_dir)
    plan = build_plan(compose_train(*QUICK, *paths, "epochs=1", "model.pretrained=false"))
    run(plan)
    return plan.folder


@pytest.fixture
def submit(trained, capsys):
    """Run the script: submit("dry_run=true") -> (exit status, stdout, stderr)."""

    def call(*arguments):
        waits = ("poll_seconds=0.05", "timeout_minutes=0.1")
        return call_here(capsys, "scripts/submit.py", f"run={trained}", *waits, *arguments)

    yield call
    (trained.parent / "ledger.csv").unlink(missing_ok=True)


def test_a_dry_run_shows_the_submission_and_asks_nothing(submit, trained, kaggle):
    status, out, err = submit("dry_run=true")
    assert status == 0, err
    for words in ("360", "labels", "accuracy, higher is better", "cv pooled", "nothing was uploaded"):
        assert words in out
    first = (trained / "submission.csv").read_text().splitlines()[1].split(",")
    assert all(cell in out for cell in first)
    assert kaggle.calls == [] and not (trained.parent / "ledger.csv").exists()


def test_a_run_is_submitted_and_its_scores_are_in_the_ledger(submit, trained, kaggle):
    status, out, err = submit("message=first try")
    assert status == 0 and "complete: public 0.91234" in out, err
    (row,) = read_ledger(trained.parent / "ledger.csv")
    assert (row.run, row.metric, row.status, row.lb_public) == ("small", "accuracy", "complete", 0.91234)
    assert row.cv is not None and row.nested is None and row.message == "first try"
    assert kaggle.uploads == [(trained / "submission.csv").read_bytes()]
    assert USER not in out + err and KEY not in out + err
    status, _, err = submit()
    assert status == 2 and "again=true" in err


def test_the_name_in_addresses_is_the_competition_s_with_hyphens(submit, kaggle):
    kaggle.fail["ListSubmissions"] = (404, "planned")
    assert "There is no competition 'my-digits'" in submit()[2]
    assert "There is no competition 'the-real-one'" in submit("slug=the-real-one")[2]


def test_a_submission_that_is_not_valid_is_never_uploaded(submit, trained, kaggle):
    path = trained / "submission.csv"
    good = path.read_text()
    try:
        path.write_text("".join(good.splitlines(keepends=True)[:-1]))
        status, _, err = submit()
    finally:
        path.write_text(good)
    assert status == 2 and "submission.csv" in err and kaggle.calls == []


@pytest.mark.parametrize(
    "argument, words",
    [
        ("per_day=0", "per_day=0: expected a whole number"),
        ("timeout_minutes=-1", "timeout_minutes: got -1"),
        ("poll_seconds=soon", "poll_seconds: got 'soon'"),
        ("poll=true", "has no submission of run small that waits"),
        ("massage=x", "did you mean 'message'?"),
    ],
)
def test_a_mistake_is_one_message_and_status_2(submit, kaggle, argument, words):
    status, _, err = submit(argument)
    assert status == 2 and words in err and "Traceback" not in err, err
    assert kaggle.uploads == []
