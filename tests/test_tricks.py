"""Tricks together, in whole runs: they compose, they resume, and what cannot work is refused before anything is written."""

import json
import re

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from hydra.errors import InstantiationException
from omegaconf.errors import MissingMandatoryValue
from safetensors.torch import load_file

from compkit.build import load_plan
from compkit.cli import root_message
from compkit.derived.predict import predict_run
from compkit.engine import Console, Stepper
from compkit.run.trial import open_trial

ONE_FOLD = ("train_folds=[0]", "epochs=1")


def bits(folder):
    """What a run is judged by: predictions and weights."""
    files = [path for path in sorted(folder.rglob("*")) if path.suffix in (".parquet", ".safetensors")]
    assert files
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def history(folder):
    return pd.read_csv(folder / "fold_0" / "history.csv")


def predicted(folder, what="oof"):
    return pd.read_parquet(folder / f"{what}.parquet").filter(like="pred_").to_numpy()


@pytest.mark.parametrize(
    "overrides",
    [
        ("model/head=arcface", "mixing=mixup_cutmix", "averaging=ema", "trainer.precision=bf16"),
        ("model/head=adacos", "mixing=mixup_cutmix", "averaging=ema", "trainer.precision=bf16"),
        ("model/head=sphereface", "mixing=mixup_cutmix", "averaging=ema", "trainer.precision=bf16"),
        ("model/head=dynamic_margin", "mixing=mixup_cutmix", "averaging=ema", "trainer.precision=bf16"),
        ("model.ibn=a", "scaling=percentile", "model/neck=bnneck", "model/head=multi_sample_dropout", "loss=ohem"),
        ("+auxiliary.again={column:label,task:multiclass,weight:0.3}", "image_size=64", "model/pooling=gem"),
        ("model.backbone=test_vit", "image_size=160", "scale=multi", "limit=30", "finetune=layer_decay"),
    ],
)  # fmt: skip
def test_trains_and_is_predicted_from_disk_to_the_bit(train, overrides):
    folder = train(*ONE_FOLD, *overrides)
    assert np.isfinite(predicted(folder)).all() and np.isfinite(predicted(folder, "test")).all()
    assert np.isfinite(history(folder)["train_loss"]).all()
    for what in ("test", "oof"):
        frame = pd.read_parquet(predict_run(load_plan(folder), what, None, None))
        pd.testing.assert_frame_equal(frame, pd.read_parquet(folder / f"{what}.parquet"))


@pytest.fixture
def killed_at(monkeypatch):
    """Let the process die when the n-th step from now is asked for."""
    whole = Stepper.step

    def arm(number):
        taken = []

        def step(self, *args, **kwargs):
            taken.append(None)
            if len(taken) == number:
                monkeypatch.setattr(Stepper, "step", whole)
                raise KeyboardInterrupt
            return whole(self, *args, **kwargs)

        monkeypatch.setattr(Stepper, "step", step)

    return arm


FREEZING = (
    "train_folds=[0]", "epochs=4", "finetune=freeze_discriminative", "finetune.freeze_backbone_epochs=2",
    "trainer.checkpoint_every_steps=1", "model/neck=dropout", "averaging=ema", "mixing=mixup_cutmix", "model/head=adacos",
    "predict_test=false",
)  # fmt: skip


def test_freezing_killed_and_resumed_ends_in_the_same_bits(train, killed_at):
    whole = bits(train(*FREEZING, name="whole"))
    for step in (4, 5, 6):  # two an epoch: while frozen, the first one after the thaw, and the next
        killed_at(step)
        with pytest.raises(KeyboardInterrupt):
            train(*FREEZING, name=f"killed_{step}")
        assert bits(train(*FREEZING, "resume=true", name=f"killed_{step}")) == whole


def test_frozen_weights_and_statistics_wait_until_their_phase_ends(plan, train, killed_at, tmp_path):
    def backbone(state):
        return {name: value for name, value in state.items() if name.startswith("backbone.")}

    with open_trial(plan(*FREEZING), Console(quiet=True)) as trial:
        before = backbone(trial.stepper().learner.model.state_dict())
    killed_at(5)
    with pytest.raises(KeyboardInterrupt):
        train(*FREEZING)
    [checkpoint] = (tmp_path / "outputs" / "digits" / "run" / "fold_0").glob("last.pt")
    state = torch.load(checkpoint, weights_only=True)
    assert state["progress"]["epoch"] == 2
    frozen = backbone(state["model"])
    assert before and all(torch.equal(before[name], frozen[name]) for name in before)
    thawed = backbone(load_file(train(*FREEZING, "resume=true") / "fold_0" / "last.safetensors"))
    changed = [name for name in before if not torch.equal(before[name], thawed[name])]
    assert any("running_mean" in name for name in changed) and any("weight" in name for name in changed)


def test_longer_run_goes_on_where_the_freezing_ended(train):
    same = ("train_folds=[0]", "finetune=freeze", "schedule=constant", "predict_test=false")
    whole = train(*same, "epochs=4", name="whole")
    train(*same, "epochs=2", name="longer")
    longer = train(*same, "epochs=4", "resume=true", name="longer")
    want, got = (load_file(run / "fold_0" / "last.safetensors") for run in (whole, longer))
    assert all(torch.equal(want[name], got[name]) for name in want)


def test_same_bits_for_any_number_of_workers_with_everything_that_is_drawn(train):
    drawn = (
        "train_folds=[0]", "mixing=mixup_cutmix", "sampler=pk", "sampler.images_per_class=2", "scale=multi", "limit=100",
        "scale.batch=fixed", "scaling=measured", "augment=medium", "loss=bag_of_tricks", "model/neck=bnneck",
    )  # fmt: skip
    alone, helped = train(*drawn, name="alone"), train(*drawn, "num_workers=2", name="helped")
    assert bits(alone) == bits(helped)


def test_terms_have_columns_and_a_chart(train):
    folder = train(*ONE_FOLD, "loss=bag_of_tricks", "loss.weights.center=0.001", "predict_test=false")
    row = history(folder).iloc[0]
    names = [f"train_{name}" for name in ("cross_entropy", "triplet", "center")]
    assert row[names].sum() == pytest.approx(row["train_loss"]) and (row[names] > 0).all()
    page = (folder / "report.html").read_text()
    assert all(f"{name.removeprefix('train_')}</text>" in page for name in names)


def test_one_term_has_no_chart_of_its_own(train):
    folder = train(*ONE_FOLD, "predict_test=false")
    assert "Fold 0: terms" not in (folder / "report.html").read_text()


def test_metric_loss_alone_trains_the_features_and_leaves_val_loss_open(train):
    alone = (*ONE_FOLD, "loss=triplet", "sampler=pk", "sampler.images_per_class=2", "logger=tensorboard")
    folder = train(*alone)
    row = history(folder).iloc[0]
    assert row["train_loss"] > 0 and np.isnan(row["val_loss"]) and np.isfinite(row["val_accuracy"])
    assert np.isfinite(json.loads((folder / "metrics.json").read_text())["pooled"]["accuracy"])
    assert "Fold 0: losses" in (folder / "report.html").read_text()
    train(*alone, "resume=true")


SWA = ("train_folds=[0]", "averaging=swa", "averaging.start=0.5", "predict_test=false")


def test_averaged_epochs_predict(train):
    folder = train(*SWA, "epochs=3", "inference.weights=swa")
    scores = json.loads((folder / "fold_0" / "scores.json").read_text())
    assert scores["weights"] == "swa" and (folder / "fold_0" / "swa.safetensors").is_file()
    columns = history(folder)[["swa_val_accuracy", "swa_reestimated_val_accuracy"]]
    assert columns["swa_val_accuracy"].isna().tolist() == [True, False, False]
    assert columns["swa_reestimated_val_accuracy"].isna().tolist() == [True, True, False]
    assert scores["best"]["accuracy"] == pytest.approx(columns.max(axis=None))


def test_run_that_stops_before_its_average_starts_predicts_with_the_best_weights_or_says_so(train):
    stops = (*SWA, "epochs=40", "averaging.start=0.9", "trainer.early_stopping_epochs=1", "lr=1e-12")
    folder = train(*stops)
    assert json.loads((folder / "fold_0" / "scores.json").read_text())["weights"] == "best"
    assert not (folder / "fold_0" / "swa.safetensors").exists()
    with pytest.raises(ValueError, match=r"inference\.weights=swa.*ended after epoch \d.*averaging\.start"):
        train(*stops, "inference.weights=swa", name="asked")


def test_every_cycle_leaves_a_snapshot(train):
    folder = train(
        "train_folds=[0]", "schedule=cosine_cycles", "schedule.warmup_epochs=0", "predict_test=false"
    )
    first, second = (load_file(folder / "fold_0" / f"snapshot_{cycle}.safetensors") for cycle in (1, 2))
    last = load_file(folder / "fold_0" / "last.safetensors")
    assert all(torch.equal(second[name], last[name]) for name in last)
    assert any(not torch.equal(first[name], last[name]) for name in last)


@pytest.mark.parametrize(
    "overrides, words",
    [
        (("competition=mosaic", "model/head=arcface"), r"head.*ArcFaceHead.*multilabel.*model/head="),
        (("competition=tilt", "model/head=arcface"), r"model\.head.*model/head=linear"),
        (("competition=tilt", "model/head=adacos"), r"model\.head.*model/head=linear"),
        (("model/head=arcface", "loss=lovasz_softmax"), r"model/head.*LovaszSoftmax.*model/head=linear"),
        (("model/head=cosface", "loss=ce_lovasz"), r"model/head.*model/head=linear"),
        (("mixing=mixup", "loss=lovasz_softmax"), r"mixing.*LovaszSoftmax.*mixing=none"),
        (("mixing=mixup", "loss=lovasz_softmax", "+auxiliary.again={column:label}"), r"mixing.*LovaszSoftmax"),
        (("sampler=pk", "scale=multi", "scale.batch=memory"), r"scale\.batch=memory.*scale\.batch=fixed"),
        (("sampler=pk", "batch_size=18"), r"sampler=pk.*batch_size=18.*images_per_class"),
        (("sampler=pk", "batch_size=48"), r"sampler=pk.*needs 12 classes"),
        (("competition=mosaic", "sampler=pk"), r"sampler.*pk.*multilabel"),
        (("competition=tilt", "sampler=balanced"), r"sampler.*balanced.*regression"),
        (("optimizer=adagrad", "schedule.momentum_start=0.5"), r"momentum.*optimizer"),
        (("finetune=freeze", "finetune.freeze_backbone_epochs=2"), r"freeze_backbone_epochs.*2 epochs"),
        (("finetune=partial", "finetune.freeze_stages=9"), r"freeze_stages.*stages"),
        (("optimizer=lbfgs", "finetune=discriminative"), r"lbfgs.*backbone_lr_factor=1"),
        (("optimizer=lbfgs", "trainer.precision=fp16"), r"lbfgs.*fp16.*trainer\.precision"),
        (("mixing=mixup", "mixing.off_epochs=2"), r"mixing\.off_epochs=2 of epochs=2"),
        (("loss=custom",), r"loss\._target_.*loss\._target_="),
        (("loss=mse",), r"loss MSE.*multiclass"),
        (("competition=mosaic", "loss=triplet"), r"loss Triplet.*multilabel"),
        (("model.ibn=a", "model.backbone=test_vit", "image_size=160"), r"model\.ibn"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused_before_anything_is_written(train, tmp_path, overrides, words):
    with pytest.raises((ValueError, InstantiationException, MissingMandatoryValue)) as caught:
        train(*overrides)
    message = root_message(caught.value)
    assert re.search(words, message), message
    assert not list(tmp_path.glob("outputs/*/run"))


@pytest.fixture
def more_columns(plan, data_dir, tmp_path):
    """Digits with further columns, in part empty: their parity, a number, and one that says nothing."""
    plan()  # makes the embedded competition
    table = pd.read_csv(data_dir / "digits" / "train.csv", dtype=str)
    label = table["label"].astype(int)
    table["parity"] = np.where(label % 2, "odd", "even")
    table["holes"] = label.map({0: "1", 4: "1", 6: "2", 8: "2", 9: "1.5"})
    table["nothing"] = ""
    table.loc[::3, "parity"] = None
    folder = tmp_path / "more"
    folder.mkdir()
    for name in ("train", "test", "sample_submission.csv"):
        (folder / name).symlink_to(data_dir / "digits" / name)
    table.to_csv(folder / "train.csv", index=False)
    return f"competition.path={folder}"


def test_further_columns_are_learnt_and_nothing_else_of_the_run_changes(train, more_columns):
    columns = (
        "+auxiliary.parity={column:parity}", "+auxiliary.holes={column:holes,task:regression,weight:0.1}",
        "mixing=mixup", "averaging=ema", "trainer.precision=bf16",
    )  # fmt: skip
    plain = train(more_columns, *ONE_FOLD, name="plain")
    both = train(more_columns, *ONE_FOLD, *columns, name="both")
    row, weights = history(both).iloc[0], load_file(both / "fold_0" / "best.safetensors")
    terms = row[["train_target", "train_auxiliary_parity", "train_auxiliary_holes"]]
    assert (terms > 0).all() and terms.sum() == pytest.approx(row["train_loss"])
    assert (
        weights["auxiliary.of_parity.weight"].shape[0] == 2
        and weights["auxiliary.of_holes.weight"].shape[0] == 1
    )
    before, after = (json.loads((folder / "metrics.json").read_text()) for folder in (plain, both))
    assert before.keys() == after.keys() and before["mean"].keys() == after["mean"].keys()
    assert pd.read_parquet(plain / "test.parquet").columns.equals(
        pd.read_parquet(both / "test.parquet").columns
    )
    frame = pd.read_parquet(predict_run(load_plan(both), "oof", None, None))
    pd.testing.assert_frame_equal(frame, pd.read_parquet(both / "oof.parquet"))


@pytest.mark.parametrize(
    "column, words",
    [
        ("{column:colour}", r"auxiliary\.extra\.column=colour.*parity"),
        ("{column:nothing}", r"auxiliary\.extra\.column=nothing.*empty"),
        ("{column:parity,task:regression}", r"parity.*auxiliary\.extra\.task=multiclass"),
        ("{column:parity,task:multilabel}", r"auxiliary.*multilabel.*parity"),
        ("{column:parity,weight:-1}", r"auxiliary.*weight.*parity"),
        ("{column:parity,wieght:1}", r"auxiliary\.extra.*wieght"),
        ("{task:multiclass}", r"auxiliary\.extra.*column"),
        ("parity", r"auxiliary\.extra"),
    ],
)
def test_further_columns_that_cannot_be_learnt_are_named(train, tmp_path, more_columns, column, words):
    with pytest.raises(ValueError, match=words):
        train(more_columns, f"+auxiliary.extra={column}")
    assert not list(tmp_path.glob("outputs/*/run"))


def test_what_only_some_folds_show_is_refused_before_anything_is_written(train, data_dir, plan, tmp_path):
    plan()
    table = pd.read_csv(data_dir / "digits" / "train.csv", dtype=str).groupby("label").head(4)
    table["part"] = np.where(table["label"].astype(int) < 4, 0, 1)  # without part 1 four classes are left
    folder = tmp_path / "some"
    folder.mkdir()
    for name in ("train", "test", "sample_submission.csv"):
        (folder / name).symlink_to(data_dir / "digits" / name)
    table.to_csv(folder / "train.csv", index=False)
    with pytest.raises(
        ValueError, match=r"sampler=pk: batch_size=24.*needs 6 classes, the training rows have 4"
    ):
        train(f"competition.path={folder}", "competition.fold_column=part", "sampler=pk", "batch_size=24")
    for part in (0, 1):
        cv2.imwrite(str(folder / f"grey_{part}.png"), np.full((8, 8), 7, np.uint8))
    with pytest.raises(ValueError, match="scaling: channel"):
        train(f"competition.path={folder}", "competition.train_images='grey_{part}.png'", "scaling=measured")
    with pytest.raises(ValueError, match=r"train_folds=\[\]"):
        train("train_folds=[]")
    assert not list(tmp_path.glob("outputs/*/run"))
