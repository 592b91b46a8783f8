"""scripts/init.py as it is typed: the page it leaves, the questions it prints, the mistakes it names."""

import pytest
from omegaconf import OmegaConf

from ..commands import call_here
from .material import Download


@pytest.fixture
def folder(tmp_path):
    """A download of a table and two folders, in a folder of its own."""
    download = Download(tmp_path / "leafs", seed=0)
    train, test = (
        download.pictures(f"{part}/{{}}.png", download.codes(n)) for part, n in (("a", 12), ("b", 6))
    )
    download.table("labels.csv", {"uid": list(train), "kind": ["oak", "elm", "ash"] * 4})
    download.sample("format.csv", "uid", test, {"kind": None}, "oak")
    return download.root


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    """Run it in an empty folder: command("path=…") -> (exit status, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: call_here(capsys, "scripts/init.py", *arguments)


def test_page_and_question(command, folder, tmp_path):
    status, out, err = command(f"path={folder}", "output=conf/competition")
    assert status == 0, err
    assert out.splitlines()[-1] == "conf/competition/leafs.yaml"
    assert "question 1 of 1: How are submissions scored?" in out and "train.py competition=leafs" in out
    page = OmegaConf.load(tmp_path / "conf/competition/leafs.yaml")
    assert page.competition.train_images == "a/{id}.png" and page.competition.path == str(folder)


def test_nothing_in_doubt(command, folder):
    status, out, err = command(f"path={folder}", "output=pages", "metric=accuracy", "name=trees")
    assert status == 0 and "Nothing is in doubt." in out, err
    assert "--config-dir=" in out and "competition=trees" in out


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["name=a/b"], "name=a/b: expected letters"),
        (["name=digits"], "is called so"),
        (["task=regression"], "Set metric"),
        (["metric=accurate"], "accuracy"),
        (["pth=x"], "did you mean 'path'"),
    ],
)
def test_mistakes_are_one_message(command, folder, tmp_path, arguments, words):
    given = ["metric=accuracy"] if arguments == ["task=regression"] else []
    status, _, err = command(f"path={folder}", "output=conf/competition", *arguments, *given)
    assert status == 2 and words in err and "Traceback" not in err, err
    assert not (tmp_path / "conf").exists()


def test_no_folder_and_nothing_in_it(command, tmp_path):
    status, _, err = command("path=nowhere", "output=conf/competition")
    assert status == 2 and "no such folder" in err
    Download(tmp_path / "bare", seed=0).pictures("x/{}.png", ["one", "two"])
    status, _, err = command(f"path={tmp_path / 'bare'}", "output=conf/competition")
    assert status == 2 and "no table that names them" in err
    status, _, err = command(f"path={tmp_path / 'bare'}", "output=conf/competition", "task=multilabel")
    assert status == 2 and "no table of labels" in err


def test_a_page_is_not_overwritten_unasked(command, folder):
    assert command(f"path={folder}", "output=conf/competition")[0] == 0
    status, _, err = command(f"path={folder}", "output=conf/competition")
    assert status == 2 and "exists already" in err
    assert command(f"path={folder}", "output=conf/competition", "overwrite=true")[0] == 0
