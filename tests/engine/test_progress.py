"""Best epochs and the end of training."""

import math

import pandas as pd
import pytest

from compkit.engine import Progress


@pytest.mark.parametrize(
    "scores, greater_is_better, best",
    [
        ([1, 3, 2, 3], True, 2),
        ([5, 4, 6], False, 2),
        ([math.nan, 1, math.nan], True, 2),
        ([math.nan, math.nan], True, 1),
    ],
)
def test_best_epoch_is_the_first_of_the_best_scores(scores, greater_is_better, best):
    run = Progress()
    for score in scores:
        run.epoch += 1
        run.is_best("best", score, greater_is_better)
    assert run.best["best"]["epoch"] == best


def test_early_stopping_waits_for_the_last_kind_of_weights_that_still_improves():
    run = Progress(epoch=8, best={"best": {"epoch": 2, "score": 0.5}, "ema": {"epoch": 7, "score": 0.6}})
    assert run.stale_epochs() == 1
    assert not run.is_finished(20, 3)
    run.epoch = 10
    assert run.is_finished(20, 3)
    assert not run.is_finished(20, None)
    assert run.is_finished(10, None)


def test_history_file_has_every_epoch_once(tmp_path):
    run = Progress(history=[{"epoch": 1, "val_loss": 0.5}])
    run.write_history(tmp_path / "history.csv")
    run.history.append({"epoch": 2, "val_loss": 0.25})
    run.write_history(tmp_path / "history.csv")
    assert pd.read_csv(tmp_path / "history.csv").to_dict("list") == {"epoch": [1, 2], "val_loss": [0.5, 0.25]}
