"""Predictions of a bundle are those of the runs it was made of, whatever happens to time, devices and pictures."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from compkit.bundle import budget as budgets
from compkit.bundle import crew as predicting
from compkit.bundle import find_data, open_bundle, predict
from compkit.bundle import prediction as predictions
from compkit.bundle import running as runnings
from compkit.inference import InferenceSettings
from compkit.results import read_test
from compkit.run.trained_fold import TrainedFold

from .conftest import TEST_ROWS, blend, postprocessed, refitted, seen_otherwise, soup, stack

HERE = {"num_workers": 0}


def values(path, classes=tuple("0123456789")):
    return read_test(path, classes)


def assert_same(run, output, name=None):
    want, got = values(run / "test.parquet"), values(output / "predictions" / f"{name or run.name}.parquet")
    assert want.ids.tolist() == got.ids.tolist()
    np.testing.assert_allclose(got.values, want.values, atol=1e-6)


def said(path):
    return pd.read_csv(path, dtype=str)


KINDS = {
    "plain": lambda runs: runs / "a",
    "blend": lambda runs: blend(runs, "blend"),
    "stack": lambda runs: stack(runs, "stacked"),
    "postprocess": lambda runs: postprocessed(runs, blend(runs, "blend").name),
}
FURTHER = {
    "ranks": lambda runs: blend(runs, "ranks", method="rank", weights=[2, 1]),
    "of_classes": lambda runs: blend(runs, "of_classes", method="hill_climb", per_class=True, max_rounds=3),
    "nested": lambda runs: blend(runs, "nested", of=("b", blend(runs, "blend").name), method="geometric"),
    "views": lambda runs: seen_otherwise(runs, "a", "tta_vflip"),
    "search": lambda runs: seen_otherwise(runs, "b", "search", "inference.max_views=2"),
    "two_looks": lambda runs: blend(
        runs, "two_looks", of=("a", seen_otherwise(runs, "a", "tta_vflip").name), method="mean"
    ),
    "soup": lambda runs: soup(runs),
    "refit": lambda runs: blend(runs, "with_refit", of=("b", refitted(runs).name), method="mean"),
    "gbdt": lambda runs: stack(runs, "stacked_gbdt", stacker="gbdt", test_features="mean"),
    "tower": lambda runs: stack(
        runs, "tower", of=(stack(runs, "stacked").name, blend(runs, "blend").name), stacker="mlp"
    ),
}


@pytest.mark.parametrize("kind", [*KINDS, *(pytest.param(kind, marks=pytest.mark.slow) for kind in FURTHER)])
def test_every_kind_of_run_predicts_as_it_did(kind, runs, data, bundle, tmp_path):
    run = (KINDS | FURTHER)[kind](runs)
    path = predict(bundle(run), data, tmp_path / "out", changes=HERE)
    assert_same(run, tmp_path / "out")
    pd.testing.assert_frame_equal(said(path), said(run / "submission.csv"))


def test_of_several_runs_the_mean_is_submitted(runs, data, bundle, tmp_path):
    path = predict(bundle(runs / "a", runs / "b"), data, tmp_path / "out", changes=HERE)
    tests = [values(runs / name / "test.parquet") for name in ("a", "b")]
    for name in ("a", "b"):
        assert_same(runs / name, tmp_path / "out")
    mean = np.mean([test.values for test in tests], axis=0)
    want = dict(zip(tests[0].ids.tolist(), mean.argmax(axis=1).astype(str).tolist(), strict=True))
    assert said(path).set_index("id")["label"].to_dict() == want


def test_weights_shared_by_two_runs_lie_in_the_bundle_once(runs, bundle):
    made = bundle(
        blend(runs, "two_looks", of=("a", seen_otherwise(runs, "a", "tta_vflip").name), method="mean")
    )
    assert len(list(made.rglob("*.safetensors"))) == 5


def test_members_without_weight_stay_at_home(runs, bundle):
    made = bundle(blend(runs, "lonely", method="hill_climb", top=1))
    weights = json.loads((runs / "lonely" / "metrics.json").read_text())
    of_folds = weights["weights_of_folds"].values()
    needed = {name for table in [weights["weights"], *of_folds] for name, weight in table.items() if weight}
    assert {path.parents[1].name for path in made.rglob("*.safetensors")} == needed


def test_a_valid_submission_comes_early_and_gets_better_with_each_fold(
    runs, data, bundle, tmp_path, monkeypatch
):
    seen, write = [], runnings.Running.write

    def watch(self):
        seconds = write(self)
        self.shape.validate(self.path)
        known = self.predictions(self.bundle.node)
        seen.append(None if known is None else known.values)
        return seconds

    monkeypatch.setattr(runnings.Running, "write", watch)
    predict(bundle(runs / "a"), data, tmp_path / "out", changes=HERE)
    assert seen[0] is None and len(seen) == 6
    folds = [values(runs / "a" / f"fold_{fold}" / "test.parquet").values for fold in range(5)]
    record = json.loads((tmp_path / "out" / "prediction.json").read_text())
    assert len(record["folds"]) == 5 and not record["left_out"]
    np.testing.assert_allclose(seen[-1], np.mean(folds, axis=0), atol=1e-6)
    assert any(np.allclose(seen[1], fold, atol=1e-6) for fold in folds)


def test_with_no_time_the_prior_is_submitted(runs, data, bundle, tmp_path):
    made = bundle(runs / "a")
    path = predict(made, data, tmp_path / "out", max_minutes=1e-6, changes=HERE)
    opened = open_bundle(made, data)
    replace(opened.plan.submission_shape, classes=opened.classes).validate(path)
    assert said(path)["label"].unique().tolist() == [str(opened.prior().argmax())]
    assert len(json.loads((tmp_path / "out" / "prediction.json").read_text())["left_out"]) == 5


class Clock:
    """Time that passes only while pictures are predicted, so much for each."""

    def __init__(self, seconds_a_view):
        self.now, self.seconds_a_view = 0.0, seconds_a_view

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    """clock(seconds a picture and view): the machine's clock for budgets and predictions."""

    def call(seconds):
        time, predict_rows = Clock(seconds), predicting.predict_rows
        monkeypatch.setattr(budgets, "time", time)
        monkeypatch.setattr(predicting, "time", time)
        monkeypatch.setattr(predictions, "time", time)
        monkeypatch.setattr(runnings, "time", time)

        def slow(plan, table, rows, trained, ranks, loader):
            time.now += len(rows) * len(trained.settings.ordered_views) * seconds
            return predict_rows(plan, table, rows, trained, ranks, loader)

        monkeypatch.setattr(predicting, "predict_rows", slow)
        return time

    return call


def record_of(folder):
    return json.loads((folder / "prediction.json").read_text())


def test_fewer_views_come_before_fewer_folds(runs, data, bundle, tmp_path, clock):
    made, time = bundle(runs / "b"), clock(1.0)
    # 5 folds x 40 pictures x 2 views = 400 s, one view of each 200 s
    predict(made, data, tmp_path / "out", max_minutes=260 / 60, changes=HERE)
    record = record_of(tmp_path / "out")
    assert len(record["folds"]) == 5 and min(one["views"] for one in record["folds"].values()) == 1
    assert time.now <= 260


def test_then_the_folds_that_matter_least_are_left_out(runs, data, bundle, tmp_path, clock):
    made, time = bundle(blend(runs, "heavy_a", method="mean", weights=[3, 1])), clock(1.0)
    predict(made, data, tmp_path / "out", max_minutes=200 / 60, changes=HERE)
    record = record_of(tmp_path / "out")
    done = [name.split("/")[0] for name in record["folds"]]
    assert time.now <= 200 and done.count("a") >= done.count("b") >= 1 and record["left_out"]
    assert all(one["pictures"] == TEST_ROWS for one in record["folds"].values())


def test_when_not_even_one_fold_fits_its_pictures_count_as_far_as_they_come(
    runs, data, bundle, tmp_path, clock
):
    made, time = bundle(runs / "a"), clock(10.0)
    path = predict(made, data, tmp_path / "out", max_minutes=300 / 60, changes=HERE)
    (one,) = record_of(tmp_path / "out")["folds"].values()
    assert 10 < one["pictures"] < TEST_ROWS and time.now <= 300
    assert said(path)["id"].tolist() == said(data / "sample_submission.csv")["id"].tolist()


def test_two_devices_say_what_one_says(runs, data, bundle, tmp_path):
    made = bundle(blend(runs, "blend"))
    for devices in (["cpu"], ["cpu", "cpu"]):
        predict(made, data, tmp_path / str(len(devices)), devices=devices, changes=HERE)
    one, two = (values(tmp_path / count / "predictions" / "blend.parquet") for count in "12")
    np.testing.assert_array_equal(one.values, two.values)


def test_the_error_of_a_device_is_raised_and_the_submission_stays(runs, data, bundle, tmp_path, monkeypatch):
    def fail(*arguments):
        raise RuntimeError("device-side assert")

    monkeypatch.setattr(predicting, "predict_rows", fail)
    with pytest.raises(RuntimeError, match="device-side assert"):
        predict(bundle(runs / "a"), data, tmp_path / "out", devices=["cpu", "cpu"], changes=HERE)
    assert len(said(tmp_path / "out" / "submission.csv")) == TEST_ROWS


def test_memory_that_runs_out_halves_the_batch(runs, data, bundle, tmp_path, monkeypatch):
    predict_rows, sizes = predicting.predict_rows, []

    def little_memory(plan, table, rows, trained, ranks, loader):
        sizes.append(trained.settings.batch_size)
        if trained.settings.batch_size > 4:
            raise torch.OutOfMemoryError("too many")
        return predict_rows(plan, table, rows, trained, ranks, loader)

    monkeypatch.setattr(predicting, "predict_rows", little_memory)
    predict(bundle(runs / "a"), data, tmp_path / "out", changes=HERE)
    assert sizes == [16, 8, 4, 4, 4, 4, 4]
    assert_same(runs / "a", tmp_path / "out")


def test_memory_for_not_even_one_picture_is_an_error(runs, data, bundle, tmp_path, monkeypatch):
    def no_memory(*arguments):
        raise torch.OutOfMemoryError("too many")

    monkeypatch.setattr(predicting, "predict_rows", no_memory)
    with pytest.raises(torch.OutOfMemoryError):
        predict(bundle(runs / "a"), data, tmp_path / "out", changes=HERE)


def test_a_hidden_test_set_may_be_larger(runs, data, bundle, copy_of, tmp_path):
    hidden = copy_of(data)
    shutil.copy(data.parent / "sample_of_all.csv", hidden / "sample_submission.csv")
    path = predict(bundle(runs / "a"), hidden, tmp_path / "out", changes=HERE)
    sample, run = said(hidden / "sample_submission.csv"), said(runs / "a" / "submission.csv")
    assert said(path)["id"].tolist() == sample["id"].tolist() and len(sample) > 300
    pd.testing.assert_frame_equal(said(path).iloc[:TEST_ROWS], run)


def test_pictures_that_cannot_be_read_get_the_prior(runs, data, bundle, copy_of, tmp_path, capsys):
    broken, (first, second, third) = copy_of(data), said(data / "sample_submission.csv")["id"][:3]
    (broken / "test" / f"{first}.png").write_bytes(b"no picture")
    (broken / "test" / f"{second}.png").write_bytes((data / "test" / f"{second}.png").read_bytes()[:40])
    (broken / "test" / f"{third}.png").write_bytes(b"")
    made = bundle(runs / "a")
    predict(made, broken, tmp_path / "out", changes=HERE)
    got, want = values(tmp_path / "out" / "predictions" / "a.parquet"), values(runs / "a" / "test.parquet")
    np.testing.assert_allclose(got.values[:3], np.tile(open_bundle(made, data).prior(), (3, 1)), atol=1e-6)
    np.testing.assert_allclose(got.values[3:], want.values[3:], atol=1e-6)
    assert sorted(record_of(tmp_path / "out")["unreadable"]) == sorted([first, second, third])
    assert "3 test picture(s) cannot be read" in capsys.readouterr().out


def test_rows_that_only_the_sample_or_only_the_test_table_has_are_told(
    runs, data, bundle, copy_of, tmp_path, capsys
):
    made, changed = bundle(runs / "a"), copy_of(data)
    sample = said(data / "sample_submission.csv")
    sample.iloc[1:].to_csv(changed / "test.csv", index=False)
    sample.iloc[:-1].to_csv(changed / "sample_submission.csv", index=False)
    path = predict(made, changed, tmp_path / "out", changes=HERE | {"competition.test_table": "test.csv"})
    out = capsys.readouterr().out
    assert "1 id(s) of the sample submission are in no test row" in out
    assert "1 test row(s) are not in the sample submission" in out
    labels = said(path).set_index("id")["label"]
    assert labels[sample["id"][0]] == str(open_bundle(made, data).prior().argmax())
    assert (
        labels.iloc[1:].to_dict()
        == said(runs / "a" / "submission.csv").set_index("id")["label"][1:-1].to_dict()
    )


def test_the_picture_as_it_is_is_the_view_that_stays():
    settings = InferenceSettings(
        views={"a_flip": {"hflip": True, "weight": 3}, "b": {"vflip": True}, "c": {}}
    )
    fold = TrainedFold(0, (), settings, None, (), np.zeros(0))
    names = [list(predicting.with_views(fold, views).settings.views) for views in (1, 2, 5)]
    assert names == [["c"], ["c", "a_flip"], ["a_flip", "b", "c"]]


def test_find_data_finds_the_folder_with_the_sample(runs, data, bundle, tmp_path):
    made = bundle(runs / "a", competition="digit-contest")
    place = tmp_path / "input"
    (place / "other").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"no sample_submission.csv in it"):
        find_data(place, made)
    shutil.copytree(
        data, place / "competitions" / "digit-contest" / "inner", ignore=shutil.ignore_patterns("*.png")
    )
    shutil.copy(data / "sample_submission.csv", place / "other")
    assert find_data(place, made) == place / "competitions" / "digit-contest" / "inner"
    about = json.loads((made / "bundle.json").read_text())
    (made / "bundle.json").write_text(json.dumps(about | {"competition_slug": None}))
    assert find_data(place, made) == place / "other"
    shutil.copytree(place / "other", place / "another")
    with pytest.raises(ValueError, match=r"lies in several folders"):
        find_data(place, made)


@pytest.mark.parametrize("minutes", [0, -1, "long"])
def test_a_time_that_is_none_is_refused(runs, data, bundle, tmp_path, minutes):
    with pytest.raises(ValueError, match="max_minutes"):
        predict(bundle(runs / "a"), data, tmp_path / "out", max_minutes=minutes)
