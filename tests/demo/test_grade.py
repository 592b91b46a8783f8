import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from compkit.demo import EMBEDDED, ensure_competition, grade

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for name in EMBEDDED:
        ensure_competition(name, folder)
    return folder


def solution(data_dir: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(data_dir / "solutions" / f"{name}.csv", dtype=str, keep_default_na=False)


@pytest.mark.parametrize(
    "name, metric, best", [("digits", "accuracy", 1.0), ("mosaic", "f1_samples", 1.0), ("tilt", "rmse", 0.0)]
)
def test_the_solution_in_any_order_scores_best(name, metric, best, data_dir, tmp_path):
    solution(data_dir, name).sample(frac=1, random_state=0).to_csv(tmp_path / "s.csv", index=False)
    assert grade(name, tmp_path / "s.csv", data_dir) == (metric, best)


def test_the_sample_submission_scores_as_a_guess(data_dir):
    assert grade("digits", data_dir / "digits" / "sample_submission.csv", data_dir)[1] == 0.1
    angles = solution(data_dir, "tilt")["angle"].astype(float)
    got = grade("tilt", data_dir / "tilt" / "sample_submission.csv", data_dir)[1]
    assert got == pytest.approx(np.sqrt(np.mean(angles**2)))


def test_an_empty_multilabel_cell_is_no_label(data_dir, tmp_path):
    table = solution(data_dir, "mosaic")
    table.loc[:199, "labels"] = ""
    table.to_csv(tmp_path / "s.csv", index=False)
    assert grade("mosaic", tmp_path / "s.csv", data_dir)[1] == pytest.approx(0.5)


@pytest.mark.parametrize(
    "spoil, message",
    [
        (
            lambda t: t.rename(columns={"label": "class"}),
            r"columns \['id', 'class'\]; expected \['id', 'label'\]",
        ),
        (lambda t: t.iloc[5:], "5 ids are missing .* 0 are not in the test set"),
        (lambda t: pd.concat([t, t.head(2)]), "2 ids are repeated"),
        (lambda t: t.assign(id=t["id"].astype(int)), "360 ids are missing.*leading zeros count"),
        (lambda t: t.assign(label="1.0"), "label of id 0.*expected one digit"),
        (lambda t: t.iloc[:0, :0], "is no CSV"),
    ],
)
def test_wrong_submissions_say_what_is_wrong(spoil, message, data_dir, tmp_path):
    spoil(solution(data_dir, "digits")).to_csv(tmp_path / "s.csv", index=False)
    with pytest.raises(ValueError, match=message) as caught:
        grade("digits", tmp_path / "s.csv", data_dir)
    assert str(tmp_path / "s.csv") in str(caught.value)


def test_no_submission(data_dir, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"submission=FILE\.csv"):
        grade("digits", tmp_path / "s.csv", data_dir)


def test_no_embedded_competition(data_dir, tmp_path):
    with pytest.raises(ValueError, match="no embedded competition"):
        grade("folder", tmp_path / "s.csv", data_dir)


def run_script(*overrides: str) -> subprocess.CompletedProcess:
    command = [sys.executable, str(ROOT / "scripts" / "grade.py"), *overrides]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_command_prints_the_score_last(data_dir):
    sample = data_dir / "digits" / "sample_submission.csv"
    done = run_script("competition=digits", f"submission={sample}", f"data_dir={data_dir}")
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.splitlines()[-1]) == 0.1
    assert "accuracy" in done.stdout.splitlines()[-2]


def test_the_command_tells_mistakes_in_one_message(data_dir, tmp_path):
    done = run_script("competition=tilt", f"submission={tmp_path / 'none.csv'}", f"data_dir={data_dir}")
    assert done.returncode == 2
    assert "no such file" in done.stderr and "Traceback" not in done.stderr
