"""A run's submission with its manifest, and what is found when either was changed."""

import csv
import hashlib
import importlib.metadata
import json
import shutil

import pytest

from compkit.build import build_plan, load_plan
from compkit.engine import Console
from compkit.pipeline import run
from compkit.run.submission_file import check_shape, check_submission

from ..conftest import QUICK, compose_train


@pytest.fixture(scope="module")
def finished(data_dir, tmp_path_factory):
    """The folder of a run with a post-processing."""
    output = tmp_path_factory.mktemp("outputs")
    paths = (f"data_dir={data_dir}", f"output_dir={output}")
    plan = build_plan(compose_train(*QUICK, *paths, "epochs=1", "name=run", "postprocess=class_weights"))
    run(plan)
    return plan.folder


@pytest.fixture
def folder(finished, tmp_path):
    """A copy of it that may be spoiled."""
    return shutil.copytree(finished, tmp_path / "run")


def change(path, edit):
    rows = path.read_text().splitlines()
    edit(rows)
    path.write_text("\n".join(rows) + "\n")


def test_what_the_manifest_says(finished):
    manifest = json.loads((finished / "submission.json").read_text())
    metrics = json.loads((finished / "metrics.json").read_text())
    assert (
        manifest["runs"] == ["run"]
        and manifest["folds"] == [0, 1]
        and manifest["weights"] == ["best", "best"]
    )
    assert manifest["format"] == "labels" and manifest["columns"] == ["id", "label"]
    assert manifest["postprocess"] == "class_weights" and len(manifest["learned"]) == 10
    assert manifest["inference"] == metrics["inference"] and manifest["members"] == []
    assert manifest["rows"] == len((finished / "submission.csv").read_text().splitlines()) - 1
    assert manifest["sha256"] == hashlib.sha256((finished / "submission.csv").read_bytes()).hexdigest()
    assert manifest["compkit"] == importlib.metadata.version("compkit")
    assert manifest["weights_sha256"] == {
        f"fold_{fold}/best.safetensors": hashlib.sha256(
            (finished / f"fold_{fold}" / "best.safetensors").read_bytes()
        ).hexdigest()
        for fold in range(2)
    }
    assert manifest["cv"] == {
        "metric": "accuracy",
        "greater_is_better": True,
        "pooled": metrics["pooled"]["accuracy"],
        "mean": metrics["mean"]["accuracy"],
        "std": metrics["std"]["accuracy"],
        "nested": metrics["postprocess"]["nested"],
    }


def test_a_sound_submission(finished):
    found = check_submission(load_plan(finished))
    with (finished / "submission.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert found.columns == tuple(rows[0]) and found.first == rows[1:6] and found.rows == len(rows) - 1
    assert found.competition == "digits" and found.path == finished / "submission.csv"
    assert found.format == "labels" and found.cv["metric"] == "accuracy" and found.manifest["folds"] == [0, 1]


@pytest.mark.parametrize(
    "edit, message",
    [
        (lambda rows: rows.pop(), "1 ids of .* are missing: '.+'; 0 are not in it"),
        (lambda rows: rows.append("new,1"), "0 ids of .* are missing: none; 1 are not in it: 'new'"),
        (lambda rows: rows.append(rows[1]), "1 ids occur more than once"),
        (lambda rows: rows.insert(1, rows.pop()), "line 2 has id '.+'; expected '.+', the order of"),
        (
            lambda rows: rows.__setitem__(1, rows[1][:-1] + "nan"),
            "1 cells of column 'label' are wrong, first 'nan'",
        ),
        (lambda rows: rows.__setitem__(1, rows[1][:-1]), "1 cells of column 'label' are wrong, first ''"),
        (
            lambda rows: rows.__setitem__(1, rows[1] + ".0"),
            "1 cells of column 'label' are wrong, first '.\\.0'",
        ),
        (lambda rows: rows.__setitem__(0, "id,digit"), "columns 'id', 'digit'; expected those of"),
        (
            lambda rows: rows.__setitem__(1, rows[1][:-1] + ("1" if rows[1][-1] != "1" else "2")),
            "is not the file that",
        ),
    ],
)
def test_a_changed_submission_is_refused_by_name(folder, edit, message):
    change(folder / "submission.csv", edit)
    with pytest.raises(ValueError, match=rf"submission\.csv: .*{message}"):
        check_submission(load_plan(folder))


@pytest.mark.parametrize("name", ["submission.csv", "submission.json"])
def test_a_file_that_is_not_there(folder, name):
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"has no {name}"):
        check_submission(load_plan(folder))


@pytest.mark.parametrize("text", ["{", "[]", '{"rows": 3}'])
def test_a_manifest_that_is_none(folder, text):
    (folder / "submission.json").write_text(text)
    with pytest.raises(
        ValueError, match=r"submission\.json: expected an object with classes, format, sha256, cv"
    ):
        check_submission(load_plan(folder))


def test_a_competition_without_a_sample(folder):
    plan = load_plan(
        folder, changes={"competition.sample_submission": None, "competition.test_table": "x.csv"}
    )
    with pytest.raises(ValueError, match="has no sample submission to compare with"):
        check_submission(plan)
    check_shape(plan, Console(quiet=True))  # and none is looked at before training


def test_a_class_that_is_not_asked_for_is_told(finished, tmp_path, capsys):
    plan = load_plan(finished)
    plan.competition.read_train()
    sample = tmp_path / "sample.csv"
    sample.write_text("id," + ",".join("012345678") + "\n1" + ",0" * 9 + "\n")
    plan.competition.sample_submission = str(sample)
    with Console() as console:
        check_shape(plan, console)
    assert "does not ask for '9': predicted, and not submitted" in capsys.readouterr().out
