"""Killed at any moment and resumed, a run ends in the bits of the run that was left alone."""

import random
import signal
import time

import pandas as pd
import pytest
from safetensors.torch import load_file

from .commands import call, start
from .conftest import QUICK


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
