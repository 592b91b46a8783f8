"""Two ranks under torchrun on the CPU learn and predict what one process does."""

import numpy as np
import pandas as pd
import pytest
import torch

from .commands import call
from .conftest import QUICK

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


@pytest.mark.slow
def test_two_ranks_are_one_process_with_twice_the_accumulation(tmp_path, data_dir):
    # a network without batch norm, no augmentation: nothing but the order of sums may differ
    same = [*QUICK, f"data_dir={data_dir}", f"output_dir={tmp_path}", "model.backbone=test_vit", "image_size=160",
            "limit=47", "batch_size=4", "loss.class_weight=inverse_frequency", "lr=1e-4"]  # fmt: skip
    status, _, err = call("train.py", *same, "name=one", "trainer.accumulate=4")
    assert status == 0, err
    status, out, err = call(*TORCHRUN, "train.py", *same, "name=two", "trainer.accumulate=2")
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
    status, _, err = call(
        *TORCHRUN, "train.py", *QUICK, f"data_dir={data_dir}", f"output_dir={tmp_path}", "limit=45", "name=bn",
        "averaging=ema", "augment=light", "num_workers=1", "trainer.checkpoint_every_steps=1", "trainer.max_hours=1",
    )  # fmt: skip
    assert status == 0, err
    oof = pd.read_parquet(tmp_path / "digits" / "bn" / "oof.parquet")
    assert len(oof) == 45 and oof["id"].is_unique


@pytest.mark.slow
def test_terms_with_parameters_of_their_own_learn_as_in_one_process(tmp_path, data_dir):
    """Centers move on both ranks alike; a thawed backbone is wrapped anew. 48 rows are three whole steps."""
    same = [
        *QUICK, f"data_dir={data_dir}", f"output_dir={tmp_path}", "model.backbone=test_vit", "image_size=160", "limit=96",
        "batch_size=8", "sampler=pk", "sampler.images_per_class=2", "loss=bag_of_tricks", "loss.weights.center=0.001",
        "finetune=freeze", "lr=1e-4", "train_folds=[0]", "predict_test=false", "schedule.warmup_epochs=0",
    ]  # fmt: skip
    status, _, err = call("train.py", *same, "name=one", "trainer.accumulate=2")
    assert status == 0, err
    status, _, err = call(*TORCHRUN, "train.py", *same, "name=two")
    assert status == 0, err
    folders = [tmp_path / "digits" / name / "fold_0" for name in ("one", "two")]
    one, two = (pd.read_csv(folder / "history.csv") for folder in folders)
    for column in ("train_loss", "train_cross_entropy", "train_triplet", "train_center", "val_loss"):
        np.testing.assert_allclose(one[column], two[column], rtol=1e-4)
    centers = [torch.load(folder / "last.pt", weights_only=True)["loss"] for folder in folders]
    assert len(centers[0]) == 1
    torch.testing.assert_close(centers[0], centers[1], rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    "tricks",
    [
        ["model/head=arcface", "mixing=mixup", "averaging=ema", "trainer.precision=bf16", "loss=ohem"],
        ["model/head=adacos", "mixing=mixup_cutmix", "averaging=swa", "finetune=freeze"],
        ["loss=triplet", "sampler=pk", "sampler.images_per_class=2", "+auxiliary.again={column:label}"],
    ],
    ids=["arcface", "adacos", "triplet"],
)
def test_tricks_run_on_two_ranks(tmp_path, data_dir, tricks):
    """Also a loss that reads no logits, whose head then has no gradient to wait for."""
    status, _, err = call(
        *TORCHRUN, "train.py", *QUICK, f"data_dir={data_dir}", f"output_dir={tmp_path}", "limit=72", "batch_size=8",
        "name=tricks", "train_folds=[0]", *tricks,
    )  # fmt: skip
    assert status == 0, err
    oof = pd.read_parquet(tmp_path / "digits" / "tricks" / "oof.parquet")
    assert np.isfinite(oof.filter(like="pred_").to_numpy()).all() and oof["id"].is_unique
