import hashlib
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from compkit.demo import EMBEDDED, ensure_competition, make_competition

# Frozen on purpose: scores are only comparable while everybody's competition is the same, whatever
# the versions of NumPy, zlib, OpenCV, pandas and scikit-learn.
DIGESTS = {
    "digits": "c3164d375a25db9f3df073c89d55928d51781daef647c2d0d4d9278748db36e3",
    "mosaic": "44fe48f66216031c8445460560ce49049724cd77573590880e1c1dc2485f99c0",
    "tilt": "03232c6caf1630ca55c4ccd4e298ba19549c407bcd61b68febfc754e741adf54",
}


def digest(root: Path, *folders: Path) -> str:
    """sha256 over the bytes of all files and their paths below root."""
    files = [path for folder in folders for path in [folder, *folder.rglob("*")] if path.is_file()]
    total = hashlib.sha256()
    for path in sorted(files):
        total.update(path.relative_to(root).as_posix().encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for name in EMBEDDED:
        assert ensure_competition(name, folder) == folder / name
    return folder


@pytest.mark.parametrize("name", EMBEDDED)
def test_every_byte_is_the_same_everywhere(name, data_dir):
    assert digest(data_dir, data_dir / name, data_dir / "solutions" / f"{name}.csv") == DIGESTS[name]


@pytest.mark.parametrize("name", EMBEDDED)
def test_looks_like_a_download_from_kaggle(name, data_dir):
    folder = data_dir / name
    assert sorted(path.name for path in folder.iterdir()) == [
        "sample_submission.csv",
        "test",
        "train",
        "train.csv",
    ]
    train, sample, solution = (
        pd.read_csv(path, dtype=str, keep_default_na=False)
        for path in (
            folder / "train.csv",
            folder / "sample_submission.csv",
            data_dir / f"solutions/{name}.csv",
        )
    )
    for part, table in (("train", train), ("test", sample)):
        assert sorted(path.stem for path in (folder / part).iterdir()) == table["id"].tolist()
    assert list(sample.columns) == list(solution.columns)
    assert sample["id"].tolist() == solution["id"].tolist()
    assert sample.iloc[:, 1].nunique() == 1  # and tells nothing of the solution


@pytest.mark.parametrize("name", EMBEDDED)
def test_files_hold_the_pictures(name, data_dir):
    contest = EMBEDDED[name].make()
    for part, ids in (("train", contest.train["id"][:20]), ("test", contest.solution["id"][:20])):
        for one in ids:
            image = cv2.imread(str(data_dir / name / part / f"{one}.png"), cv2.IMREAD_UNCHANGED)
            np.testing.assert_array_equal(image, contest.images[one])


def test_only_competitions_and_solutions_are_left(data_dir):
    assert sorted(path.name for path in data_dir.iterdir()) == ["digits", "mosaic", "solutions", "tilt"]


def test_what_is_there_is_not_made_again(data_dir, monkeypatch):
    monkeypatch.setattr("compkit.demo.folder.make_competition", None)
    assert ensure_competition("digits", data_dir) == data_dir / "digits"


def test_a_lost_solution_comes_back(tmp_path):
    ensure_competition("digits", tmp_path)
    solution = tmp_path / "solutions" / "digits.csv"
    before = solution.read_bytes()
    solution.unlink()
    ensure_competition("digits", tmp_path)
    assert solution.read_bytes() == before


def test_interrupted_making_leaves_nothing_that_looks_complete(tmp_path, monkeypatch):
    def full_disk(self: Path, content: bytes) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full_disk)
        with pytest.raises(OSError, match="No space left"):
            ensure_competition("digits", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["solutions"]
    assert (ensure_competition("digits", tmp_path) / "train.csv").is_file()


def test_several_processes_at_once_agree(tmp_path):
    code = (
        "import sys, pathlib; from compkit.demo import ensure_competition;"
        "print((ensure_competition('digits', pathlib.Path(sys.argv[1])) / 'train.csv').is_file())"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [(process.communicate()[0], process.returncode) for process in running] == [("True\n", 0)] * 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["digits", "solutions"]


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "digits").mkdir()
    assert (ensure_competition("digits", tmp_path) / "train.csv").is_file()


def test_somebody_elses_folder_is_left_alone(tmp_path):
    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "notes.txt").write_text("mine")
    with pytest.raises(OSError, match=r"the embedded competition 'digits' goes there.*set data_dir"):
        ensure_competition("digits", tmp_path)
    assert [path.name for path in (tmp_path / "digits").iterdir()] == ["notes.txt"]


def test_unknown_name(tmp_path):
    with pytest.raises(ValueError, match="no embedded competition"):
        make_competition("leaf", tmp_path / "leaf", tmp_path)
