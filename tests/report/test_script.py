import pytest
from hydra import compose, initialize_config_dir

from compkit.cli import config_dir

from ..commands import call_here


def test_config_needs_only_the_run():
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        cfg = compose("report", overrides=["run=outputs/digits/demo"])
    assert dict(cfg) == {"run": "outputs/digits/demo", "runs": None, "html": None}


def test_runs_make_a_comparison_and_its_path_is_the_last_line(make_run, capsys, tmp_path):
    runs = [str(make_run(name, rows=60)) for name in ("a", "b")]
    page = tmp_path / "mine.html"
    status, out, err = call_here(capsys, "scripts/report.py", f"runs=[{','.join(runs)}]", f"html={page}")
    assert status == 0 and out.splitlines()[-1] == str(page) and page.is_file(), err


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([], "expected one of run=… and runs=[…]"),
        (["run={a}", "runs=[{a},{a}]"], "expected one of run=… and runs=[…]"),
        (["run={a}", "html=x.html"], "html=x.html: is for runs=[…]"),
        (["run={none}"], "no such file"),
        (["runs=[{a}]"], "expected at least two different runs"),
        (["runs=[{a},{a}]"], "expected at least two different runs"),
        (["runs=[{a},{none}]"], "no such folder"),
    ],
)
def test_a_mistake_is_one_message_and_status_2(make_run, tmp_path, capsys, arguments, words):
    places = {"a": make_run("a", rows=60), "none": tmp_path / "nowhere"}
    before = sorted(tmp_path.rglob("*"))
    given = [one.format(**places) for one in arguments]
    status, _, err = call_here(capsys, "scripts/report.py", *given)
    assert status == 2 and words in err and len(err.splitlines()) == 1, err
    assert sorted(tmp_path.rglob("*")) == before
