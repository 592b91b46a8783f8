"""Keys, tokens, the user's name and home folder are in no byte of what a run, and runs made of it, leave behind."""

import pytest

from compkit.build import image_reader
from compkit.privacy import private, private_code

from .commands import call_here
from .conftest import QUICK

KEY, TOKEN, USER = "s3cr3t-k3y-0123456789", "kgat_abcdef0123456789", "alice_liddell"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A person with a home folder, a name and keys in the environment."""
    folder = tmp_path / "home" / USER
    folder.mkdir(parents=True)
    for name, value in {
        "HOME": str(folder), "USER": USER, "LOGNAME": USER, "WANDB_API_KEY": KEY, "KAGGLE_API_TOKEN": TOKEN,
        "MY_SECRET": "hunter2-hunter2",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    return folder


def told(folder):
    """Each file below a folder that holds one of them."""
    return sorted(
        f"{path.relative_to(folder)}: {secret}"
        for path in folder.rglob("*")
        if path.is_file()
        for secret in (KEY, TOKEN, USER, "hunter2")
        if secret.encode() in path.read_bytes()
    )


def test_runs_tell_nothing_of_who_made_them(home, capsys, monkeypatch):
    monkeypatch.chdir(home)
    run = home / "outputs" / "digits" / "run"
    for arguments in (
        ["train.py", *QUICK, f"data_dir={home}/data", f"output_dir={home}/outputs", "name=run", "epochs=1",
         "logger=[csv,tensorboard,wandb]", "logger.wandb.mode=offline"],
        ["scripts/predict.py", f"run={run}", "name=again", "num_workers=0"],
        ["scripts/ensemble.py", f"runs=[{run},{run.parent}/again]", "name=blend", "bootstrap=0"],
        ["scripts/ensemble.py", f"runs=[{run.parent}/blend,{run}]", "name=nested", "bootstrap=0"],
        ["scripts/leaderboard.py", f"folder={run.parent}"],
    ):  # fmt: skip
        status, _, err = call_here(capsys, *arguments)
        assert status == 0, err
    leaks = told(run.parent)
    assert not leaks, leaks
    # what was written with ~ is found again: paths of the run, of its data, of what it is made of
    status, _, err = call_here(
        capsys, "train.py", *QUICK, f"data_dir={home}/data", f"output_dir={home}/outputs", "name=run", "epochs=1",
        "logger=[csv,tensorboard,wandb]", "logger.wandb.mode=offline", "resume=true",
    )  # fmt: skip
    assert status == 0, err
    ids = (run / "folds.csv").read_text().splitlines()[1].split(",")
    assert image_reader("~/outputs/digits/nested")(ids[0]).shape == (32, 32, 3)


def test_what_is_hidden(home):
    text = f"{home}/a {home}_other {TOKEN} {KEY}x"
    assert private(text) == f"~/a {home}_other <hidden> <hidden>x"
    assert (
        private_code("+password: 'correct-horse'\n+tokens: patch") == "+password: '<hidden>'\n+tokens: patch"
    )
