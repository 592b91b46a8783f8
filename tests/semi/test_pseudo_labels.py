"""Pseudo-labelled rows: the file, whose rows they are, and all that must not notice them."""

import os

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from hydra import compose, initialize_config_dir

from compkit.build import build
from compkit.cli import config_dir
from compkit.engine import Console, Ranks
from compkit.losses.loss import OPTIONS
from compkit.pipeline import run
from compkit.run.assemble import check_soft_labels, fit_scaling, make_learner, make_preprocessing, try_parts
from compkit.run.prepare import prepare, target_prior
from compkit.semi import PseudoLabels, with_pseudo_labels
from compkit.types import Outputs, Table, Targets, Task

from ..conftest import train_two_steps

CLASSES = tuple("0123456789")


def pseudo_of(files, folds=(0, 1), soft=False, shift=0):
    """A row a file and fold; hard labels are (row + shift) % 10, soft ones 0.6 of that and 0.4 of the next."""
    names = np.array([os.fsencode(name) for name in files])[:, None]
    labels = np.eye(10, dtype=np.float32)[(np.arange(len(files)) + shift) % 10]
    if soft:
        labels = (0.6 * labels + 0.4 * np.roll(labels, 1, axis=1)).astype(np.float32)
    ids = np.array([f"new/{row}.png" for row in range(len(files))])
    return PseudoLabels(
        np.tile(ids, len(folds)),
        np.tile(names, (len(folds), 1)),
        np.repeat(folds, len(files)),
        np.tile(labels, (len(folds), 1)),
    )


@pytest.fixture
def write_pseudo(tmp_path, plan, data_dir):
    """Write labels of the first 20 test pictures of digits; returns the override."""
    plan()  # makes the embedded competition
    files = sorted((data_dir / "digits" / "test").iterdir())[:20]

    def write(**keys):
        pseudo_of(files, **keys).write(tmp_path / "pseudo.parquet", CLASSES)
        return f"pseudo_labels={tmp_path / 'pseudo.parquet'}"

    return write


def prepared(plan):
    with Console(quiet=True) as console:
        return prepare(plan, Ranks(), console)


def test_a_file_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "labels.parquet"
    for soft in (False, True):
        pseudo = pseudo_of(["a b.png", "ä.png", "c.png"], soft=soft)
        pseudo.write(path, CLASSES)
        again = PseudoLabels.read(path, CLASSES)
        for key in ("ids", "files", "student", "labels"):
            np.testing.assert_array_equal(getattr(again, key), getattr(pseudo, key))
        assert again.is_hard is not soft
    two_channels = PseudoLabels(
        np.array(["a"]), np.array([[b"r", b"g"]]), np.array([0]), np.ones((1, 1), np.float32)
    )
    two_channels.write(path, ("angle",))
    assert PseudoLabels.read(path, ("angle",)).files.tolist() == [[b"r", b"g"]]


def test_files_that_are_not_such_a_file(tmp_path):
    path = tmp_path / "labels.parquet"
    with pytest.raises(FileNotFoundError, match=r"no such file.*scripts/pseudo_label\.py"):
        PseudoLabels.read(path, CLASSES)
    pseudo_of(["a.png"]).write(path, CLASSES)
    with pytest.raises(ValueError, match=r"lacks the columns.*label_cat"):
        PseudoLabels.read(path, ("cat", "dog"))
    pd.read_parquet(path).assign(label_3=np.nan).to_parquet(path)
    with pytest.raises(ValueError, match="NaN or infinite"):
        PseudoLabels.read(path, CLASSES)


def test_each_student_has_its_own_rows():
    pseudo = pseudo_of(["a.png", "b.png"], folds=(0, 2))
    assert pseudo.of_student(2).student.tolist() == [2, 2] and len(pseudo.of_student(1).ids) == 0


def test_a_model_without_validation_learns_from_all_each_picture_once():
    ids, files = np.array(list("aab")), np.array([b"a", b"a", b"b"])[:, None]
    student = np.array([0, 1, 1])
    soft = np.array([[0.5, 0.5], [0.25, 0.75], [1.0, 0.0]], dtype=np.float32)
    merged = PseudoLabels(ids, files, student, soft).of_all_students(Task.MULTICLASS)
    assert merged.ids.tolist() == ["a", "b"] and merged.files.tolist() == [[b"a"], [b"b"]]
    np.testing.assert_allclose(merged.labels, [[0.375, 0.625], [1, 0]])
    votes = np.eye(2, dtype=np.float32)[[1, 0, 1, 1]]
    hard = PseudoLabels(np.array(list("aaab")), np.array([[b"a"]] * 4), np.arange(4), votes).of_all_students(
        Task.MULTICLASS
    )
    assert hard.is_hard and hard.labels.tolist() == [[0, 1], [0, 1]]
    both = PseudoLabels(ids, files, student, np.array([[1, 1], [1, 0], [0, 1]], np.float32))
    assert both.of_all_students(Task.MULTILABEL).labels.tolist() == [[1, 0], [0, 1]]


def test_rows_lie_behind_the_table_s_own_in_the_task_s_kind_of_label():
    names = np.array([[b"x"], [b"y"]])
    table = Table(np.array(["x", "y"]), names, np.array([1, 0]))
    longer, soft = with_pseudo_labels(table, pseudo_of(["z.png"], folds=(0,), shift=7), Task.MULTICLASS)
    assert longer.targets.tolist() == [1, 0, 7] and longer.targets.dtype == np.int64 and soft is None
    assert longer.files.tolist() == [[b"x"], [b"y"], [b"z.png"]]
    longer, soft = with_pseudo_labels(table, pseudo_of(["z.png"], folds=(0,), soft=True), Task.MULTICLASS)
    np.testing.assert_allclose(soft[0], np.eye(10)[1])
    np.testing.assert_allclose(soft[2], [0.6, 0.4, 0, 0, 0, 0, 0, 0, 0, 0], rtol=1e-6)
    assert longer.targets[2] == 0
    several = Table(table.ids, names, np.eye(10, dtype=np.float32)[:2])
    longer, soft = with_pseudo_labels(several, pseudo_of(["z.png"], folds=(0,), soft=True), Task.MULTILABEL)
    assert soft is None and longer.targets.shape == (3, 10) and longer.targets[2, 0] == np.float32(0.6)


def test_nothing_but_the_training_rows_notices_them(plan, write_pseudo):
    """Class counts, prior, head's bias, class weights, scaling and validation are of the labelled rows alone."""
    extra = ("loss.class_weight=inverse_frequency", "scaling=measured")
    plain, taught = plan(*extra), plan(*extra, write_pseudo(shift=3))
    seen = []
    for one in (plain, taught):
        data = prepared(one)
        rows = data.folds.train_rows(0)
        torch.manual_seed(0)
        learner = make_learner(one, data, rows, Ranks())
        preprocessing = make_preprocessing(one, data.table, (0.5,), (0.5,))
        scaled = fit_scaling(one, data, rows, preprocessing)
        seen.append((learner, scaled, data))
    (learner, scaled, data), (other, other_scaled, other_data) = seen
    assert all(
        torch.equal(a, b)
        for a, b in zip(learner.model.state_dict().values(), other.model.state_dict().values(), strict=True)
    )
    assert torch.equal(learner.loss.class_weight, other.loss.class_weight) and scaled == other_scaled
    assert other_data.folds.hash == data.folds.hash and len(other_data.table) == len(data.table) == 60
    np.testing.assert_array_equal(
        target_prior(data.table, data.folds.train_rows(0), 10),
        target_prior(other_data.table, other_data.folds.train_rows(0), 10),
    )


@pytest.mark.parametrize("soft", [False, True])
def test_a_run_learns_from_them_and_validates_on_its_own_rows(plan, write_pseudo, soft):
    built = plan(write_pseudo(soft=soft), "epochs=1", "predict_test=false", "mixing=mixup")
    metrics = run(built)
    assert [(one["train_rows"], one["val_rows"]) for one in metrics["folds"]] == [(30, 30), (30, 30)]
    oof = pd.read_parquet(built.folder / "oof.parquet")
    assert len(oof) == 60 and not oof["id"].str.startswith("new/").any()
    assert "20 pseudo-labelled pictures" in (built.folder / "train.log").read_text()


def test_all_rows_and_pseudo_labels_together(plan, write_pseudo):
    train_two_steps(plan(write_pseudo(soft=True), "full_data=true"))


NEED_WHOLE_LABELS = {
    Task.MULTICLASS: {"triplet", "circle", "center", "sum", "bag_of_tricks", "lovasz_softmax", "ce_lovasz"},
    Task.MULTILABEL: {"lovasz_multilabel"},
}


@pytest.mark.parametrize("task", [Task.MULTICLASS, Task.MULTILABEL])
def test_every_loss_takes_soft_labels_or_is_refused(task):
    rng = np.random.default_rng(0)
    labels = torch.from_numpy(rng.dirichlet(np.ones(10), 8)).float()
    for option in OPTIONS[task].split(", "):
        with initialize_config_dir(str(config_dir()), version_base="1.3"):
            node = compose(f"loss/{option}").loss
        loss = build(node)(class_counts=np.full(10, 5))
        is_refused = "features" in loss.reads or not loss.takes_mixed  # the condition of check_soft_labels
        assert is_refused == (option in NEED_WHOLE_LABELS[task]), option
        if not is_refused:
            logits = torch.randn(8, 10, requires_grad=True)
            value = loss(Outputs(logits), Targets(labels))
            value.backward()
            assert torch.isfinite(value) and torch.isfinite(logits.grad).all(), option


@pytest.mark.parametrize("override", ["loss=triplet", "loss=ce_lovasz", "model/head=arcface"])
def test_what_needs_one_class_refuses_soft_labels_and_takes_hard_ones(plan, write_pseudo, override):
    built = plan(write_pseudo(soft=True), override)
    with pytest.raises(ValueError, match=r"are soft.*wholly there.*kind=hard"):
        try_parts(built, prepared(built))
    built = plan(write_pseudo(), override)
    data = prepared(built)
    check_soft_labels(built, data, make_learner(built, data, data.folds.train_rows(0), Ranks()))


def test_training_pictures_absent_folds_and_unreadable_pictures_are_refused(
    plan, write_pseudo, tmp_path, data_dir
):
    with pytest.raises(ValueError, match=r"has no rows for the model\(s\) of fold\(s\) \[1\].*train_folds"):
        prepared(plan(write_pseudo(folds=(0,))))
    assert prepared(plan(write_pseudo(folds=(0,)), "train_folds=[0]")).pseudo is not None
    path = tmp_path / "own.parquet"
    own = sorted((data_dir / "digits" / "train").iterdir())
    pseudo_of(own).write(path, CLASSES)
    with pytest.raises(ValueError, match="60 of its pictures are training pictures"):
        prepared(plan(f"pseudo_labels={path}"))
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    whole = tmp_path / "whole.png"
    cv2.imwrite(str(whole), np.zeros((8, 8), np.uint8))
    pseudo_of([whole, broken]).write(path, CLASSES)
    with pytest.raises(ValueError, match=r"1 picture\(s\) cannot be used.*\n.*broken\.png"):
        prepared(plan(f"pseudo_labels={path}"))
    with pytest.raises(ValueError, match="auxiliary"):
        prepared(plan(write_pseudo(), "+auxiliary.digit={column:label,task:multiclass,weight:0.3}"))
