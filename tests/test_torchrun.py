"""Two ranks under torchrun on the CPU learn and predict what one process does."""

import numpy as np
import pandas as pd
import pytest

from .commands import call
from .conftest import QUICK


@pytest.mark.slow
def test_two_ranks_are_one_process_with_twice_the_accumulation(tmp_path, data_dir):
    # a network without batch norm, no augmentation: nothing but the order of sums may differ
    same = [*QUICK, f"data_dir={data_dir}", f"output_dir={tmp_path}", "model.backbone=test_vit", "image_size=160",
            "limit=47", "batch_size=4", "loss.class_weight=inverse_frequency", "lr=1e-4"]  # fmt: skip
    status, _, err = call("train.py", *same, "name=one", "trainer.accumulate=4")
    assert status == 0, err
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    status, out, err = call(*torchrun, "train.py", *same, "name=two", "trainer.accumulate=2")
    assert status == 0, err
    assert out.count("47 training pictures") == 1  # only one rank speaks

    one, two = tmp_path / "digits" / "one", tmp_path / "digits" / "two"
    for fold in ("fold_0", "fold_1"):
        histories = [pd.read_csv(run / fold / "history.csv") for run in (one, two)]
        for column in ("train_loss", "val_loss", "grad_norm"):
            np.testing.assert_allclose(histories[0][column], histories[1][column], rtol=1e-4)
        assert histories[0]["step"].tolist() == histories[1]["step"].tolist()
    for name in ("oof", "test"):
        frames = [pd.read_parquet(run / f"{name}.parquet") for run in (one, two)]
        assert frames[1]["id"].is_unique and frames[0]["id"].tolist() == frames[1]["id"].tolist()
        predicted = frames[0].filter(like="pred_").columns
        np.testing.assert_allclose(frames[0][predicted], frames[1][predicted], rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_batch_norm_ranks_agree_and_every_row_is_predicted_once(tmp_path, data_dir):
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    status, _, err = call(
        *torchrun, "train.py", *QUICK, f"data_dir={data_dir}", f"output_dir={tmp_path}", "limit=45", "name=bn",
        "averaging=ema", "augment=light", "num_workers=1", "trainer.checkpoint_every_steps=1",
    )  # fmt: skip
    assert status == 0, err
    oof = pd.read_parquet(tmp_path / "digits" / "bn" / "oof.parquet")
    assert len(oof) == 45 and oof["id"].is_unique
