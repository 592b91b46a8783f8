"""Killed at any moment and resumed, a run ends in the bits of the run that was left alone."""

import random
import signal
import time

import pandas as pd
import pytest
from safetensors.torch import load_file

from compkit.deadline import Deadline

from .commands import call, call_here, start
from .conftest import QUICK


def test_hours_that_are_over_stop_whole_and_resume_goes_on(tmp_path, data_dir, capsys, monkeypatch):
    arguments = [
        "train.py", *QUICK, f"data_dir={data_dir}", f"output_dir={tmp_path}", "name=run", "epochs=1",
    ]  # fmt: skip
    status, out, err = call_here(capsys, *arguments, "trainer.max_hours=1e-9")
    folder = tmp_path / "digits" / "run"
    assert status == 0 and not err, err
    assert "trainer.max_hours=1e-09 are over: stopped in fold 0 after epoch 1 of 1" in out.replace("\n", " ")
    assert "resume=true goes on" in out and not (folder / "metrics.json").exists()

    looks = iter([False, False, True])  # fold 0 is predicted, fold 1 trained
    monkeypatch.setattr(Deadline, "has_passed", property(lambda self: next(looks)))
    status, out, err = call_here(capsys, *arguments, "trainer.max_hours=1", "resume=true")
    assert status == 0 and "stopped in fold 1, trained and not yet predicted" in out.replace("\n", " "), err
    assert "With train_folds=[0] too it makes scores and a submission" in out.replace("\n", " ")
    monkeypatch.undo()
    status, out, err = call_here(capsys, *arguments, "resume=true", "train_folds=[0]")
    assert status == 0 and (folder / "submission.csv").is_file(), err
    status, out, err = call_here(capsys, *arguments, "resume=true")
    assert status == 0 and len(pd.read_parquet(folder / "oof.parquet")) == 60, err


@pytest.mark.slow
def test_kill_9_at_random_moments(tmp_path, data_dir):
    arguments = [
        "train.py", *QUICK, f"data_dir={data_dir}", f"output_dir={tmp_path}", "augment=light", "averaging=ema",
        "model/neck=dropout", "epochs=4", "trainer.checkpoint_every_steps=1", "num_workers=1",
    ]  # fmt: skip
    began = time.perf_counter()
    assert call(*arguments, "name=whole")[0] == 0
    duration = time.perf_counter() - began
    moments = random.Random(0)
    for _ in range(2):
        process = start(*arguments, "name=killed", "resume=true")
        # most of a run is start-up: aim at the part in which files are written
        time.sleep(moments.uniform(0.6, 1.0) * duration)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    status, _, err = call(*arguments, "name=killed", "resume=true")
    assert status == 0, err

    whole, killed = tmp_path / "digits" / "whole", tmp_path / "digits" / "killed"
    assert (whole / "oof.parquet").read_bytes() == (killed / "oof.parquet").read_bytes()
    assert (whole / "test.parquet").read_bytes() == (killed / "test.parquet").read_bytes()
    for fold in ("fold_0", "fold_1"):
        for file in ("best", "ema", "last"):
            want, got = (load_file(run / fold / f"{file}.safetensors") for run in (whole, killed))
            assert all(want[name].equal(got[name]) for name in want), (fold, file)
        assert pd.read_csv(killed / fold / "history.csv")["epoch"].tolist() == [1, 2, 3, 4]
    assert not list(killed.rglob(".tmp-*"))
