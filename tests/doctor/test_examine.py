"""Checks one after the other: order, budget, blocking, errors, names; and what the page and the JSON say of them."""

import json
import re

import pytest
import torch

from compkit.doctor import Check, choose_checks, doctor_page, examine, write_findings
from compkit.doctor.page import overall, say, show
from compkit.doctor.stumble import stumbled
from compkit.engine import Console
from compkit.findings import Finding, Status
from compkit.run.plan import DoctorSettings

WARN = Finding("b", Status.WARN, "B is <odd>.", 0.5, "0", "Set b=0.")
FAIL = Finding("a", Status.FAIL, "A is wrong.", 2.0, "1", "Set a=1.")


class Fold:
    """As much of a trial as `examine` looks at."""

    def __init__(self, *skip):
        self.plan = type("Plan", (), {"doctor": DoctorSettings(True, skip)})


def check(name, findings, blocks=False):
    return Check(name, f"{name} is right.", lambda trial: findings, blocks)


def raising(trial):
    torch.rand(3)
    raise RuntimeError("two tensors\n do not fit")


def test_runs_in_order_and_tells_each():
    told = []
    done = examine(Fold(), [check("a", [FAIL]), check("b", [WARN])], 60, told.append)
    assert [one.check.name for one in done] == ["a", "b"] == [one.check.name for one in told]
    assert done[0].findings == [FAIL] and done[1].findings == [WARN]


def test_one_that_blocks_ends_the_rest_with_the_reason():
    done = examine(Fold(), [check("a", [FAIL], blocks=True), check("b", [WARN])], 60)
    [rest] = done[1].findings
    assert rest.status == Status.SKIP and "a failed" in rest.message
    done = examine(Fold(), [check("b", [WARN], blocks=True), check("a", [FAIL])], 60)
    assert done[1].findings == [FAIL]  # a warning blocks nothing


def test_what_the_minutes_leave_no_room_for_is_left_out():
    times = iter(range(0, 1000, 25))  # seconds, at each look at the clock
    checks = [check(name, [Finding(name, Status.PASS, "fine")]) for name in "abcd"]
    done = examine(Fold(), checks, 60, clock=lambda: next(times))
    statuses = [one.findings[0].status for one in done]
    assert statuses == [Status.PASS, Status.SKIP, Status.SKIP, Status.SKIP]
    assert "doctor.minutes=1 are over" in done[-1].findings[0].message


def test_an_error_is_a_failure_with_its_place_and_draws_nothing(monkeypatch):
    monkeypatch.delenv("HYDRA_FULL_ERROR", raising=False)
    before = torch.get_rng_state()
    [[found]] = [one.findings for one in examine(Fold(), [Check("odd", "…", raising)], 60)]
    assert torch.equal(torch.get_rng_state(), before)
    assert found.check == "odd" and found.status == Status.FAIL
    assert re.match(
        r"RuntimeError in test_examine.py, line \d+, in raising: two tensors do not fit", found.message
    )
    assert "HYDRA_FULL_ERROR=1" in found.remedy and "doctor.skip=[odd]" in found.remedy
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    with pytest.raises(RuntimeError, match="do not fit"):
        examine(Fold(), [Check("odd", "…", raising)], 60)


def test_an_error_of_a_library_names_the_last_line_of_somebody_s_own():
    try:
        torch.zeros(2, 3) @ torch.zeros(2, 3)
    except RuntimeError as error:
        assert "test_examine.py" in stumbled("a", error).message


def test_a_finding_that_is_meant_is_left_out():
    [one] = examine(Fold("b"), [check("a", [WARN, FAIL])], 60)
    assert [finding.status for finding in one.findings] == [Status.SKIP, Status.FAIL]
    assert "doctor.skip=[b]" in one.findings[0].message


def test_checks_are_chosen_by_name():
    checks = [check(name, []) for name in "abc"]
    assert [one.name for one in choose_checks(checks, ["a.x"], [], ["b", "a.x"])] == ["a", "c"]
    assert [one.name for one in choose_checks(checks, [], ["c", "a"], [])] == ["a", "c"]
    with pytest.raises(ValueError, match=r"doctor.only=\['x'\].*'x'.*There are\n  a: a is right\."):
        choose_checks(checks, ["a.x"], ["x"], [])
    with pytest.raises(ValueError, match=r"doctor.skip=\['a\.y'\].*(.|\n)*single findings a\.x"):
        choose_checks(checks, ["a.x"], [], ["a.y"])
    with pytest.raises(ValueError, match="leave no check"):
        choose_checks(checks, [], ["a"], ["a"])


@pytest.fixture
def examined():
    passed = Finding("c.d", Status.PASS, "D is right.")
    skipped = Finding("e", Status.SKIP, "There is no E.")
    checks = [check("c", [passed, FAIL]), check("b", [WARN]), check("e", [skipped])]
    return examine(Fold(), checks, 60)


def test_the_page_tells_everything_and_needs_nothing(examined):
    html = doctor_page("digits / run", examined)
    for text in (
        "A is wrong.",
        "Set a=1.",
        "B is &lt;odd&gt;.",
        "D is right.",
        "There is no E.",
        "c is right.",
    ):
        assert text in html, text
    assert html.index("A is wrong.") < html.index("B is &lt;odd&gt;.")  # worst first
    assert not re.search(r"""(src|href)=["'](?!#|data:)""", html)


def test_the_json_holds_all_findings(examined, tmp_path):
    write_findings(tmp_path / "doctor.json", examined)
    record = json.loads((tmp_path / "doctor.json").read_text())
    assert record["status"] == "fail" and list(record["seconds"]) == ["c", "b", "e"]
    assert [one["check"] for one in record["findings"]] == ["c.d", "a", "b", "e"]
    assert record["findings"][2] == WARN.to_dict()
    write_findings(tmp_path / "none.json", [])
    assert not (tmp_path / "none.json").exists()


def test_the_terminal_shows_what_asks_for_something(examined, capsys):
    with Console() as console:
        for one in examined:
            say(one, console)
        show(examined, console)
    said = capsys.readouterr().out
    assert "warning: FAIL a: A is wrong. Expected: 1. Set a=1." in said
    assert "1 FAIL, 1 WARN, 1 PASS, 1 SKIP" in said and "e: There is no E." in said
    table = said.partition("doctor\n")[2]
    assert table.index("FAIL") < table.index("WARN")


def test_the_state_of_a_check_is_its_worst():
    both = [Finding("a", Status.SKIP, "no"), Finding("a", Status.PASS, "yes")]
    assert overall(both) == Status.PASS and overall(both[:1]) == Status.SKIP
    assert overall([*both, WARN, FAIL]) == Status.FAIL
