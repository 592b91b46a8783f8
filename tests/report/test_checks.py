import json

import pytest

from compkit.findings import Finding, Status
from compkit.report import write_report
from compkit.report.checks import MOST_ACTIONS, actions, light, read_checks, read_doctor

from .conftest import NASTY
from .test_page import page_of

FAIL = Finding("proofs.frozen", Status.FAIL, f"frozen {NASTY}", 0.125, "trained", f"set finetune=all {NASTY}")
WARN = Finding("initial_loss", Status.WARN, "too high", 9.0, "below 5", "set lr=1e-4")
PASS = Finding("proofs.optimizer", Status.PASS, "all parameters")
SKIP = Finding("prior_bias", Status.SKIP, "no bias")


def held(*findings):
    return {"status": "fail", "findings": [one.to_dict() for one in findings]}


def write(folder, content):
    (folder / "doctor.json").write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


@pytest.mark.parametrize(
    "findings, kind, word",
    [
        ([], "unknown", "not checked"),
        ([SKIP], "unknown", "not checked"),
        ([PASS, SKIP], "good", "nothing found wrong"),
        ([PASS, WARN], "look", "look at it"),
        ([WARN, FAIL, PASS], "bad", "something is wrong"),
    ],
)
def test_the_light_says_in_words_what_it_says_in_colour(findings, kind, word):
    card = light(findings)
    assert card.light == kind and word in card.value


def test_actions_are_the_remedies_of_the_worst_once_each():
    more = [Finding(f"w{at}", Status.WARN, "seen", remedy=f"do {at}") for at in range(5)]
    found = actions([("doctor", [WARN, PASS]), ("diagnosis", [*more, FAIL, WARN])])
    assert len(found) == MOST_ACTIONS
    assert [(one.name, one.anchor) for one in found] == [
        ("proofs.frozen", "diagnosis"),
        ("initial_loss", "doctor"),
        ("w0", "diagnosis"),
    ]
    assert found[0].text == FAIL.remedy
    assert actions([("doctor", [PASS, SKIP])]) == []


@pytest.mark.parametrize("as_list", [False, True])
def test_findings_are_read_back_as_they_were(make_run, as_list):
    record = held(FAIL, WARN, PASS, SKIP)
    folder = write(make_run(rows=30), record["findings"] if as_list else record)
    assert read_doctor(folder) == [FAIL, WARN, PASS, SKIP]


def test_the_page_shows_light_actions_and_table_escaped(make_run):
    path = write_report(write(make_run(), held(FAIL, WARN, PASS, SKIP)), None)
    page, text = page_of(path), path.read_text()
    assert "something is wrong" in page.sections[""] and "What to do first" in page.sections[""]
    assert ("a", "href", "#doctor") in page.attributes
    for words in ("FAIL", "WARN", "PASS", "SKIP", "0.1250, expected trained", "set lr=1e-4", "4 findings"):
        assert words in page.sections["doctor"]
    assert "<script" not in text and 'class="badge bad"' in text


def test_a_run_without_checks_says_how_to_make_them(make_run):
    folder = make_run(rows=30)
    assert read_doctor(folder) is None
    assert "scripts/doctor.py" in page_of(write_report(folder, None)).sections["doctor"]


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "null",
        "[1]",
        '{"status": "pass"}',
        '[{"check": "a"}]',
        '[{"check": "a", "status": "odd", "message": ""}]',
        '[{"check": "a", "status": "pass", "message": "", "mood": 1}]',
        '[{"check": "a", "status": "fail", "message": "", "remedy": ""}]',
    ],
)
def test_a_damaged_doctor_json_is_named_among_the_notes(make_run, content):
    folder = write(make_run(rows=30), content)
    with pytest.raises(ValueError, match=r"doctor\.json is damaged"):
        read_doctor(folder)
    page = page_of(write_report(folder, None))
    assert "doctor.json is damaged" in page.sections[""] and "Run scripts/doctor.py" in page.sections[""]


def test_a_config_that_curves_cannot_be_diagnosed_with_is_named_among_the_notes(make_run):
    folder = make_run(rows=30)
    (folder / "config.yaml").write_text("task: multiclass\n")
    found = read_checks(folder)
    assert found.curves is None and "could not be diagnosed" in found.notes[0]
    assert "could not be diagnosed" in page_of(write_report(folder, None)).sections[""]


def test_a_number_that_no_rule_foresaw_is_named_among_the_notes(make_run, monkeypatch):
    monkeypatch.setattr("compkit.report.checks.diagnose_run", lambda folder: 1 / 0)
    found = read_checks(make_run(rows=30))
    assert found.curves is None and "could not be diagnosed: ZeroDivisionError" in found.notes[0]
