"""Planted faults found, healthy data left alone, and the command that writes what was found."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from compkit.competition import read_groups
from compkit.engine import Console
from compkit.findings import Status, worst
from compkit.inspection import inspect, inspect_data
from compkit.inspection.command import read_predictions, require_own_rows
from compkit.inspection.features import file_names
from compkit.inspection.sheets import CONFLICTS_SHOWN, Shelf, duplicate_sheet
from compkit.types import Table, Task

from ..commands import call_here
from .planted import (
    FAULTS,
    LOUD,
    conflicting_labels,
    embedded_plan,
    exact_duplicates,
    flipped_predictions,
    healthy,
    loud,
    plan_of,
    plant,
    shared_with_test,
    write,
)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.plant.__name__)
def test_every_planted_fault_is_found(tmp_path, fault, seed):
    assert fault.check in loud(plant(fault, tmp_path, seed).findings)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits", "mosaic", "tilt"])
def test_embedded_competitions_are_healthy(data_dir, name):
    found = inspect(embedded_plan(name, data_dir), None, threads=2)
    assert not loud(found.findings), [one.message for one in found.findings if one.status in LOUD]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A competition with pictures in train and test, a damaged file and a damaged test file."""
    folder = tmp_path_factory.mktemp("planted")
    contest = healthy(rows=90, test=40)
    shared_with_test(contest)
    write(contest, folder)
    for path in (folder / "train" / f"{contest.names[20]}.jpg", folder / "test" / "t0020.jpg"):
        path.write_bytes(path.read_bytes()[:500])
    return folder


@pytest.fixture(scope="module")
def predictions():
    """Of a good model, for the labels of `folder`; none of its rows is in it by id."""
    return flipped_predictions(0.1, rows=90)[0]


def test_all_is_told_and_written(folder):
    page = inspect_data(plan_of(folder), None, None, overwrite=False)
    assert page == folder / "outputs" / "folder" / "inspection" / "inspection.html"
    record = json.loads((page.parent / "inspection.json").read_text())
    by_check = {finding["check"]: finding for finding in record["findings"]}
    assert (
        record["status"] == "fail"
        and record["train_pictures"] == 90
        and sum(record["classes"].values()) == 90
    )
    damaged = by_check["readable pictures, train"]
    assert damaged["status"] == "fail" and len(damaged["evidence"]["ids"]) == 1
    assert by_check["readable pictures, test"]["status"] == "warn"
    assert by_check["duplicates across train and test"]["value"] == 8
    ids = pd.read_csv(folder / "train.csv", dtype=str)["id"].to_numpy(dtype=str)
    groups = pd.read_csv(page.parent / "duplicate_groups.csv", dtype=str)
    assert (groups["part"] == "test").sum() == 8
    assert len(read_groups(page.parent / "duplicate_groups.csv", ids)) == 90


def test_the_page_needs_nothing_but_itself(folder):
    text = inspect_data(plan_of(folder), None, str(folder / "page"), overwrite=False).read_text()
    assert not re.search(r"""(src|href)=["'](?!data:image/jpeg;base64,|#)""", text)
    assert text.count("<img") <= 200 and len(text) < 5_000_000
    assert text.count("<section") == text.count("</section>") >= 6


def test_earlier_inspections_stay_unless_told(folder):
    first = inspect_data(plan_of(folder), None, str(folder / "twice"), overwrite=False)
    before = first.stat().st_mtime_ns
    second = inspect_data(plan_of(folder), None, str(folder / "twice"), overwrite=False)
    assert second.parent.name == "twice_2" and first.stat().st_mtime_ns == before
    third = inspect_data(plan_of(folder), None, str(folder / "twice"), overwrite=True)
    assert third == first and first.stat().st_mtime_ns > before


def test_a_run_s_predictions_tell_wrong_labels(folder, predictions):
    plan = plan_of(folder)
    ids = plan.competition.read_train().ids
    oof = type(predictions)(**(vars(predictions) | {"ids": ids}))
    found = inspect(plan, oof, threads=1)
    [finding] = [one for one in found.findings if one.check == "label issues"]
    assert finding.status == Status.WARN and found.issues is not None and found.issues.issues
    from compkit.inspection.page import inspection_page, inspection_record

    record = inspection_record(found, plan.competition)
    assert record["label_issues"][0]["given"] != record["label_issues"][0]["predicted"]
    assert "Suspicious labels" in inspection_page(found, plan.competition)


def test_predictions_of_other_rows_are_refused(predictions):
    table = Table(np.array(["x"]), np.array([[b"x"]]), None)
    with pytest.raises(ValueError, match="no training rows here, such as '0000'"):
        require_own_rows(predictions, table, "outputs/a/b")


def test_predictions_of_other_rows_are_refused_before_any_picture_is_decoded(
    folder, predictions, monkeypatch
):
    def decodes(*args, **kwargs):
        raise AssertionError("pictures are decoded")

    monkeypatch.setattr("compkit.inspection.command.read_predictions", lambda run: predictions)
    monkeypatch.setattr("compkit.inspection.command.inspect", decodes)
    with pytest.raises(ValueError, match="no training rows here"):
        inspect_data(plan_of(folder), "outputs/a/b", None, overwrite=False)


def test_pairs_with_different_labels_are_never_shown_as_plain_duplicates(tmp_path):
    contest = healthy(rows=60, test=4)
    conflicting_labels(contest)
    write(contest, tmp_path)
    plan = plan_of(tmp_path)
    found = inspect(plan, None, threads=1)
    [section] = duplicate_sheet(found, Shelf(found, plan.competition))
    captions = [name for picture in section.pictures for name, _ in picture.facts]
    assert captions.count("different labels") == 2 * CONFLICTS_SHOWN < 2 * 12
    assert "duplicates" not in captions


def test_a_run_without_predictions_is_refused(tmp_path):
    (tmp_path / "config.yaml").write_text("task: multiclass\n")
    with pytest.raises(ValueError, match=r"has no oof.parquet"):
        read_predictions(tmp_path)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        read_predictions(tmp_path / "nowhere")


def test_folds_that_cannot_be_made_are_a_finding(folder):
    found = inspect(plan_of(folder, "folds=80"), None, threads=1)
    [finding] = [one for one in found.findings if one.check == "folds"]
    assert finding.status == Status.FAIL and "folds" in finding.message and isinstance(found.folds, str)


def test_names_are_no_shortcut_where_labels_come_from_paths(folder, tmp_path):
    for name in ("a/1.jpg", "b/2.jpg"):
        (tmp_path / "train" / name).parent.mkdir(parents=True, exist_ok=True)
        source = next((folder / "test").iterdir())
        (tmp_path / "train" / name).write_bytes(source.read_bytes())
    keys = ("competition.train_table=null", "competition.train_images=train", "competition.test_images=null")
    checks = {one.check for one in inspect(plan_of(tmp_path, *keys, "folds=2"), None, threads=1).findings}
    assert "shortcut: file size" in checks and not checks & {"shortcut: file name", "shortcut: row order"}
    assert file_names(Table(np.array(["1"]), np.array([[b"1.png"]]), None), (), Task.REGRESSION).shape == (
        1,
        9,
    )


def test_command(data_dir, tmp_path, capsys):
    paths = (f"data_dir={data_dir}", f"output_dir={tmp_path}", "limit=120", "competition=digits")
    status, out, err = call_here(capsys, "scripts/inspect_data.py", *paths)
    assert status == 0, err
    assert out.splitlines()[-1] == str(tmp_path / "digits" / "inspection" / "inspection.html")
    status, _, err = call_here(capsys, "scripts/inspect_data.py", *paths, "run=nowhere")
    assert status == 2 and "run=nowhere" in err and not (tmp_path / "digits" / "inspection_2").exists()


def test_a_trained_run_s_labels_are_judged(plan, train):
    """The ids of a run's out-of-fold rows are those of the table it was trained on."""
    run = train("epochs=1", "predict_test=false", name="judged")
    page = inspect_data(plan("predict_test=false"), str(run), None, overwrite=False)
    record = json.loads((page.parent / "inspection.json").read_text())
    assert record["noise_share"] is not None and record["test_pictures"] == 0
    with pytest.raises(ValueError, match=r"run=.* no training rows here"):
        inspect_data(plan("competition=tilt", "predict_test=false"), str(run), None, overwrite=False)


def test_worst_findings_come_first(folder, capsys):
    from compkit.inspection.command import tell

    found = inspect(plan_of(folder), None, threads=1)
    with Console() as console:
        tell(found.findings, console)
    lines = capsys.readouterr().out.splitlines()
    assert worst(found.findings) == Status.FAIL and "FAIL readable pictures, train" in lines[0]


def test_with_the_key_no_duplicates_lie_in_two_folds(tmp_path):
    contest = healthy(rows=90, test=6)
    exact_duplicates(contest)
    write(contest, tmp_path)
    assert "duplicates across folds" in loud(inspect(plan_of(tmp_path), None, threads=1).findings)
    found = inspect(plan_of(tmp_path, "group_duplicates=true"), None, threads=1)
    assert "duplicates across folds" not in loud(found.findings)
    found = inspect(plan_of(tmp_path, "group_duplicates=nowhere.csv"), None, threads=1)
    assert isinstance(found.folds, str) and "no such file" in found.folds
