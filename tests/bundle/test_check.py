"""scripts/bundle.py from runs to a folder whose notebook says what they said, in an environment without network."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest

from compkit.bundle import check_bundle, open_bundle, slug
from compkit.bundle.check import compare, run_notebook, same_submission
from compkit.bundle.make import make_bundle
from compkit.bundle.notebook import USER, Upload, code_of, notebook
from compkit.bundle.sources import find_run, read_json, read_runs
from compkit.engine import Console

from ..commands import call_here
from .conftest import blend, postprocessed, stack


@pytest.fixture
def command(capsys, tmp_path):
    """scripts/bundle.py as a user runs it: (exit status, stdout, stderr)."""

    def call(*arguments):
        return call_here(capsys, "scripts/bundle.py", *arguments)

    return call


@pytest.mark.slow
@pytest.mark.parametrize("of", ["a", "blend", "a,b"])
def test_the_notebook_of_a_bundle_says_what_the_runs_said(runs, command, tmp_path, of):
    """Five folds, a blend of two with learned weights, and the plain mean of two."""
    blend(runs, "blend")
    given = ",".join(f"{runs}/{name}" for name in of.split(","))
    status, out, err = command(
        f"runs=[{given}]", f"output={tmp_path}/out", "check=true", "slug=digit-contest"
    )
    assert status == 0 and "the notebook against the runs" in out, (out[-3000:], err)
    assert "submission.csv: 10 of 10 folds" in out or "submission.csv: 5 of 5 folds" in out
    assert out.splitlines()[-1] == f"{tmp_path}/out"
    kernel = json.loads((tmp_path / "out" / "kernel-metadata.json").read_text())
    assert kernel["competition_sources"] == ["digit-contest"] and kernel["enable_internet"] is False
    assert kernel["enable_gpu"] is True and kernel["id"].startswith(f"{USER}/")


@pytest.mark.slow
def test_a_run_whose_predictions_are_others_fails_the_check(runs, bundle, copy_of, data):
    run = copy_of(runs / "a", "a")
    made = bundle(run)
    frame = pd.read_parquet(run / "test.parquet")
    frame.loc[3, "pred_4"] += 1e-4
    frame.to_parquet(run / "test.parquet", index=False)
    with Console(quiet=True) as console, pytest.raises(ValueError, match=r"differ by up to 0.0001"):
        check_bundle(made, [run], data, console)


@pytest.mark.parametrize(
    "code, words",
    [
        ("import compkit", "No module named 'compkit'"),
        ("import socket; socket.create_connection(('127.0.0.1', 80))", "there is no network here"),
        ("import urllib.request as r; r.urlopen('http://example.org')", "there is no network here"),
        ("import socket; socket.socket().connect(('127.0.0.1', 80))", "there is no network here"),
        ("import os; print(os.environ['SECRET_KEY'])", "KeyError"),
        ("import numpy, pathlib; assert str(pathlib.Path.home()) != '/root'; 1 / 0", "ZeroDivisionError"),
    ],
)
def test_a_notebook_that_fails_is_told_with_its_last_words(tmp_path, data, monkeypatch, code, words):
    monkeypatch.setenv("SECRET_KEY", "x")
    made, place = tmp_path / "made", tmp_path / "place"
    made.mkdir(), place.mkdir()
    cell = {"cell_type": "code", "source": [code]}
    (made / "predict.ipynb").write_text(
        json.dumps({"cells": [{"cell_type": "markdown", "source": "x"}, cell]})
    )
    with Console(quiet=True) as console, pytest.raises(ValueError, match=words):
        run_notebook(made, data, place, console)


def test_a_notebook_is_one_that_jupyter_opens(tmp_path):
    page = notebook(Upload("leaf", None, None))
    assert page["nbformat"] == 4 and len({cell["id"] for cell in page["cells"]}) == len(page["cells"])
    (tmp_path / "a.ipynb").write_text(json.dumps(page))
    code = code_of(tmp_path / "a.ipynb")
    compile(code, "a.ipynb", "exec")
    assert "MAX_MINUTES = None" in code and "--no-index" in code and "'leaf'" in code
    (tmp_path / "a.ipynb").write_text("{}")
    with pytest.raises(ValueError, match=r"no notebook"):
        code_of(tmp_path / "a.ipynb")


def test_comparing_sees_other_ids_nan_and_what_is_missing(runs, data, bundle, tmp_path):
    opened = open_bundle(bundle(runs / "a"), data)
    own, other = runs / "a" / "test.parquet", tmp_path / "a.parquet"
    frame = pd.read_parquet(own)
    frame.sample(frac=1, random_state=0).to_parquet(other)
    assert compare(own, other, opened) == (len(frame), 0.0)
    frame.assign(pred_0=np.nan).to_parquet(other)
    assert compare(own, other, opened)[1] == np.inf
    frame.assign(id=frame["id"] + "x").to_parquet(other)
    with pytest.raises(ValueError, match=r"they are not the same"):
        compare(own, other, opened)
    with pytest.raises(FileNotFoundError, match=r"nothing to compare with"):
        compare(tmp_path / "none.parquet", other, opened)
    with pytest.raises(ValueError, match=r"had no time"):
        compare(own, tmp_path / "none.parquet", opened)


@pytest.mark.parametrize(
    "text, same",
    [
        ("id,a\n1,0.5\n2,x\n", True),
        ("id,a\n1,0.50000001\n2,x\n", True),
        ("id,a\n1,0.501\n2,x\n", False),
        ("id,a\n1,0.5\n2,y\n", False),
        ("id,a\n1,0.5\n", False),
        ("id,b\n1,0.5\n2,x\n", False),
        ("id,a\n2,x\n1,0.5\n", False),
    ],
)
def test_submissions_are_equal_up_to_rounding(tmp_path, text, same):
    (tmp_path / "one.csv").write_text("id,a\n1,0.5\n2,x\n")
    (tmp_path / "other.csv").write_text(text)
    assert same_submission(tmp_path / "one.csv", tmp_path / "other.csv") is same


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["runs=[]"], "error: runs=[]: expected at least one run"),
        (["runs=[outputs/nowhere]"], "error: runs: no folder outputs/nowhere"),
        (["runs=[{runs}/a,{runs}/a]"], "is given more than once"),
        (["runs=[{runs}/a]", "output={runs}"], "exists already and is not overwritten"),
        (["runs=[{runs}/a]", "packages=none.txt"], "error: packages=none.txt: no such file"),
        (["runs=[{runs}/folds]"], "config.yaml: no such file"),
    ],
)
def test_a_mistake_is_one_message_and_leaves_nothing(command, runs, tmp_path, arguments, words):
    given = [one.format(runs=runs) for one in [f"output={tmp_path}/made", *arguments]]
    if len([one for one in given if one.startswith("output")]) > 1:
        given = given[1:]
    status, _, err = command(*given)
    assert status == 2 and words in err and "Traceback" not in err, err
    assert not (tmp_path / "made").exists() and not list(tmp_path.glob(".tmp-*"))


def test_what_the_target_lacks_is_told_and_brought(command, runs, tmp_path):
    page = tmp_path / "packages.txt"
    requires = ["torch==2.9.0", "timm==1.0.20", "numpy==2.1.0"]
    page.write_text("\n".join(requires))
    status, out, err = command(
        f"runs=[{runs}/a]", f"output={tmp_path}/made", f"packages={page}", "wheels=false"
    )
    assert status == 0 and "the target lacks" in out and "hydra-core" in out and "timm>=" not in out, err
    assert [path.name for path in (tmp_path / "made" / "wheels").iterdir()] == [
        "compkit-0.1.0-py3-none-any.whl"
    ]


def refuse(folders, tmp_path, words):
    with Console(quiet=True) as console, pytest.raises((ValueError, FileNotFoundError), match=words):
        make_bundle(folders, tmp_path / "made", Upload("made", None, None), target(), console)
    assert not (tmp_path / "made").exists()


def target():
    from compkit.bundle import Target

    return Target()


def test_runs_that_cannot_be_bundled_are_refused_by_name(runs, copy_of, tmp_path):
    refuse([postprocessed(runs, "a"), runs / "b"], tmp_path, r"postprocess=class_weights, learned on its own")
    with_columns = copy_of(stack(runs, "stacked"), "with_columns")
    text = (with_columns / "config.yaml").read_text()
    (with_columns / "config.yaml").write_text(text.replace("columns: []", "columns: [width]"))
    refuse([with_columns], tmp_path, r"with_columns: a stack with columns=\['width'\]")
    (with_columns / "config.yaml").write_text(text.replace(str(runs / "a"), "/nowhere/gone"))
    refuse([with_columns], tmp_path, r"is made of /nowhere/gone")
    (with_columns / "config.yaml").write_text(text.replace(str(runs / "a"), str(with_columns)))
    refuse([with_columns], tmp_path, r"is made of itself")
    (with_columns / "config.yaml").write_text(text.replace("LogisticStacker", "Inputs.take"))
    refuse([with_columns], tmp_path, r"only classes of compkit.ensemble.stackers")


def test_a_stack_that_cannot_be_fitted_again_as_it_was_is_refused(runs, copy_of, tmp_path):
    changed = copy_of(stack(runs, "stacked"), "changed")
    frame = pd.read_parquet(changed / "test.parquet")
    frame["pred_0"] += 0.01
    frame.to_parquet(changed / "test.parquet", index=False)
    refuse([changed], tmp_path, r"fitted again, differ from its test.parquet by 0.01")


def test_unfinished_and_foreign_runs_are_refused(runs, copy_of, tmp_path):
    tuned = copy_of(postprocessed(runs, "a"), "tuned")
    (tuned / "postprocess.json").unlink()
    shutil.copytree(runs / "a", tmp_path / "a")  # beside it: where its config says it is not looked for alone
    refuse([tuned], tmp_path, r"postprocess=class_weights but no postprocess.json")
    text = (tmp_path / "a" / "config.yaml").read_text()
    (tmp_path / "a" / "config.yaml").write_text(
        text.replace("sample_submission: sample_submission.csv", "sample_submission: null")
    )
    refuse([tmp_path / "a"], tmp_path, r"no sample submission or no test pictures")
    mixed = copy_of(runs / "b", "mixed")
    from safetensors.torch import load_file, save_file

    from compkit.engine import read_metadata

    for weights in mixed.rglob("*.safetensors"):
        metadata = read_metadata(weights) | {"classes": list("abcdefghij")}
        save_file(load_file(weights), weights, metadata={"compkit": json.dumps(metadata)})
    refuse([runs / "a", mixed], tmp_path, r"expected runs of one competition")


def test_reading_runs(runs, tmp_path):
    assert read_runs([f"{runs}/[ab]"]) == [runs / "a", runs / "b"]
    assert find_run("/gone/b", runs / "a") == runs.resolve() / "b"
    with pytest.raises(FileNotFoundError, match=r"has not finished"):
        read_json(tmp_path / "x.json")
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(ValueError, match=r"damaged"):
        read_json(tmp_path / "x.json")
    assert slug("Ä leaf__1") == "leaf-1"
