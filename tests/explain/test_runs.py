"""Whole runs: what the end of a fold leaves, what the command leaves, the report's chapters, and the same weights."""

import base64
import json
import re

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from compkit.build import build_plan
from compkit.pipeline import run
from compkit.report.explained import explained_sections
from compkit.report.records import read_run
from compkit.run import explanations

from ..commands import call_here
from ..conftest import QUICK, compose_train

TRUST = "tests.explain.test_runs"


@pytest.fixture(scope="module")
def trained(data_dir, tmp_path_factory):
    """Train a quick run: trained("name", …) -> its folder, each name once."""
    output, known = tmp_path_factory.mktemp("outputs"), {}

    def call(name, *overrides):
        if name not in known:
            paths = (f"data_dir={data_dir}", f"output_dir={output}", f"name={name}", "epochs=1")
            plan = build_plan(compose_train(*QUICK, *paths, *overrides))
            run(plan)
            known[name] = plan.folder
        return known[name]

    return call


@pytest.fixture
def explain(trained, capsys):
    """Run scripts/explain.py on a run: (exit status, stdout, stderr)."""

    def call(folder, *arguments):
        return call_here(capsys, "scripts/explain.py", f"run={folder}", "num_workers=0", *arguments)

    return call


def cases(folder):
    return json.loads((folder / "maps.json").read_text())["cases"]


def weights(folder):
    return [path.read_bytes() for path in sorted(folder.glob("fold_*/*.safetensors"))]


class Headless(nn.Module):
    """A user's own network: no backbone, no head, a map in the middle."""

    def __init__(self, num_outputs, **_):
        super().__init__()
        self.mean, self.std, self.num_features = (0.5,), (0.5,), 6
        self.stem = nn.Sequential(nn.Conv2d(1, 6, 4, stride=4), nn.ReLU())
        self.out = nn.Linear(6, num_outputs)

    def forward(self, images, targets=None):
        from compkit.types import Outputs

        features = self.stem(images).mean(dim=(2, 3))
        logits = self.out(features)
        return logits if targets is None else Outputs(logits, features=features)


class Unfeeling(Headless):
    """The same as a fixed function of its input, which nothing can be learnt of in evaluation."""

    def forward(self, images, targets=None):
        with torch.set_grad_enabled(self.training and torch.is_grad_enabled()):
            return super().forward(images, targets)


def test_a_run_is_explained_and_its_weights_stay_the_same(trained):
    with_maps, without = trained("digits"), trained("off", "explain.worst=0", "explain.points=0")
    assert weights(with_maps) == weights(without)
    for name in ("oof.parquet", "test.parquet"):
        pd.testing.assert_frame_equal(pd.read_parquet(with_maps / name), pd.read_parquet(without / name))
    assert not list(without.glob("fold_*/explained")) and not explained_sections(read_run(without))
    assert not list(with_maps.rglob(".tmp-*"))
    oof = pd.read_parquet(with_maps / "oof.parquet").set_index("id")
    for fold in (0, 1):
        folder = with_maps / f"fold_{fold}"
        found = cases(folder / "explained")
        assert 0 < len(found) <= 12
        for case in found:
            row = oof.loc[case["id"]]
            assert row["fold"] == fold == case["fold"] and row["target"] == case["truth"]
            assert case["truth"] != case["prediction"]
            assert case["probability"] == pytest.approx(row[f"pred_{case['prediction']}"])
            assert cv2.imread(str(folder / "explained" / case["file"])).shape == (128, 392, 3)
        surest = [row[f"pred_{case['truth']}"] for case in found for row in [oof.loc[case["id"]]]]
        assert surest == sorted(surest)
        points = pd.read_parquet(folder / "embedding.parquet").set_index("id")
        assert sorted(points.index) == sorted(oof.index[oof["fold"] == fold])
        assert (points["class"] == oof.loc[points.index, "target"]).all()
        assert set(points["neighbour"]) <= set(points.index)


@pytest.mark.parametrize("name", ["mosaic", "tilt"])
def test_other_tasks_are_explained(trained, name):
    folder = trained(name, f"competition={name}", "train_folds=[1]")
    found = cases(folder / "fold_1" / "explained")
    assert len(found) == 24
    points = pd.read_parquet(folder / "fold_1" / "embedding.parquet")
    if name == "mosaic":
        assert all({case["truth"], case["prediction"]} == {"absent", "present"} for case in found)
        assert points["class"].map(type).eq(str).all()
    else:
        oof = pd.read_parquet(folder / "oof.parquet")
        prediction = next(column for column in oof if column.startswith("pred_"))
        errors = (oof["target"] - oof[prediction]).abs()
        assert found[0]["id"] == oof["id"][errors.idxmax()] and found[0]["questions"][0].startswith("raises")
        np.testing.assert_allclose(sorted(points["class"]), sorted(oof["target"]), rtol=1e-6)
    looks, embeddings = explained_sections(read_run(folder))
    assert len(looks.figures[0].charts) == 24 and len(embeddings.figures[0].charts) == 1


def test_a_margin_head_and_views(trained):
    folder = trained(
        "conditions",
        "model/head=arcface",
        "model/neck=bnneck",
        "inference=tta_flip",
        "train_folds=[0]",
        "explain.worst=3",
    )
    assert len(cases(folder / "fold_0" / "explained")) == 3


def test_a_network_of_one_s_own(trained):
    target = ("model.pretrained=false", "train_folds=[0]")
    folder = trained("own", f"model._target_={TRUST}.Headless", *target)
    record = json.loads((folder / "fold_0" / "explained" / "maps.json").read_text())
    assert record["how"] == "class activation map of layer stem, 8 x 8 cells"
    assert (folder / "fold_0" / "embedding.parquet").is_file()


def test_a_network_without_gradients_has_no_maps_and_says_so(trained):
    folder = trained("unfeeling", f"model._target_={TRUST}.Unfeeling", "train_folds=[0]")
    assert not (folder / "fold_0" / "explained" / "maps.json").exists()
    assert "no maps of its mistakes: its outputs have no gradient" in (folder / "train.log").read_text()


def fails_above(real, most, sizes, error=torch.OutOfMemoryError):
    """A function of (model, images, …) for which memory suffices up to so many images."""

    def call(model, images, *rest):
        sizes.append(len(images))
        if len(images) > most:
            raise error("DefaultCPUAllocator: can't allocate memory")
        return real(model, images, *rest)

    return call


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError])
def test_where_memory_is_short_fewer_pictures_are_explained_at_a_time(trained, monkeypatch, error):
    maps, features = [], []
    monkeypatch.setattr(explanations, "class_maps", fails_above(explanations.class_maps, 1, maps, error))
    real = explanations.penultimate_features
    monkeypatch.setattr(explanations, "penultimate_features", fails_above(real, 6, features, error))
    short = trained(f"short_{error.__name__}", "train_folds=[0]", "predict_test=false")
    assert maps[:3] == [4, 2, 1] and set(maps[3:]) == {1}
    assert features[:3] == [16, 8, 4] and max(features[3:]) == 4
    found, want = (cases(folder / "fold_0" / "explained") for folder in (short, trained("digits")))
    assert [case["id"] for case in found[: len(want)]] == [case["id"] for case in want]
    for one, other in zip(found, want, strict=False):
        assert one["border"] == pytest.approx(other["border"], abs=2e-3)
    assert "memory" not in (short / "train.log").read_text()


def test_a_run_ends_well_where_memory_suffices_for_no_map(trained, monkeypatch):
    sizes = []
    for name in ("class_maps", "penultimate_features"):
        monkeypatch.setattr(explanations, name, fails_above(None, 0, sizes))
    folder = trained("none", "train_folds=[0]", "batch_size=2")
    assert sizes[:2] == [2, 1]  # no more than in training
    assert (folder / "test.parquet").is_file() and (folder / "fold_0" / "scores.json").is_file()
    assert (
        not (folder / "fold_0" / "explained").exists()
        and not (folder / "fold_0" / "embedding.parquet").exists()
    )
    said = " ".join((folder / "train.log").read_text().split())
    for what in ("no maps of what its network looked at", "no drawing of its embeddings"):
        assert f"{what}: memory does not suffice for one picture at a time" in said


def test_other_errors_of_an_explanation_are_not_hidden(trained, monkeypatch):
    monkeypatch.setattr(explanations, "class_maps", lambda *_: torch.ones(2) @ torch.ones(3))
    with pytest.raises(RuntimeError, match="size"):
        trained("broken", "train_folds=[0]", "predict_test=false")


def test_the_report_s_chapters(trained):
    looks, embeddings = explained_sections(read_run(trained("digits")))
    assert "worst mistakes (the prediction, and the true class)" in looks.sentences[0]
    assert "of their mass in the outer tenth" in looks.sentences[1]
    charts = looks.figures[0].charts
    assert len(charts) == sum(len(cases(path)) for path in trained("digits").glob("fold_*/explained"))
    data = base64.b64decode(re.search(r"base64,([^\"]+)", charts[0])[1])
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is not None
    assert len(embeddings.figures[0].charts) == 2 and all(
        "<svg" in chart for chart in embeddings.figures[0].charts
    )
    assert [row[0] for row in embeddings.tables[0].rows] == ["0", "1"]


def test_the_command_explains_a_run_that_was_trained_without(trained, explain):
    folder = trained("off", "explain.worst=0", "explain.points=0")
    test_id = pd.read_parquet(folder / "test.parquet")["id"][0]
    train_id = pd.read_csv(folder / "folds.csv", dtype=str)["id"][3]
    status, out, err = explain(folder, "worst=6", "points=20", f"ids=[{train_id},{test_id}]")
    assert status == 0 and out.strip().endswith("report.html"), err
    digits = trained("digits")
    for fold in (0, 1):
        found = cases(folder / f"fold_{fold}" / "explained")
        assert found == cases(digits / f"fold_{fold}" / "explained")[:3]
        assert len(pd.read_parquet(folder / f"fold_{fold}" / "embedding.parquet")) == 10
    asked = [case for path in sorted((folder / "explained").iterdir()) for case in cases(path)]
    assert {case["id"]: case["truth"] is None for case in asked} == {train_id: False, test_id: True}
    held_out = pd.read_parquet(folder / "oof.parquet").set_index("id").loc[train_id]
    mine = next(case for case in asked if case["id"] == train_id)
    assert mine["fold"] == held_out["fold"]
    assert mine["probability"] == pytest.approx(held_out[f"pred_{mine['prediction']}"], abs=1e-4)
    titles = [section.title for section in explained_sections(read_run(folder))]
    assert titles == ["What the network looked at", "Pictures asked for", "Embeddings"]

    status, _, err = explain(folder, "worst=2", "points=0")
    assert status == 0, err
    assert [path.name for path in (folder / "fold_0" / "explained").glob("*.jpg")] == ["000.jpg"]
    assert len(pd.read_parquet(folder / "fold_0" / "embedding.parquet")) == 10  # as it was
    assert (folder / "explained").is_dir()


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["worst=0", "points=0"], "worst=0, points=0 and no ids: nothing is left to explain"),
        (["worst=-1"], "explain.worst: got -1"),
        (["ids=[nothing,00001x]"], "ids: 2 of 2 are in no table: nothing, 00001x. Expected ids of train ("),
        (["folds=[7]"], "no weights for fold(s) [7]"),
    ],
)
def test_a_mistake_is_one_message(trained, explain, arguments, words):
    folder = trained("digits")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    status, _, err = explain(folder, *arguments)
    assert status == 2 and words in err and "Traceback" not in err, err
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_fold_that_is_not_predicted_is_told(trained, explain, tmp_path):
    import shutil

    folder = tmp_path / "digits" / "half"
    shutil.copytree(trained("digits"), folder)
    (folder / "fold_1" / "oof.parquet").unlink()
    status, _, err = explain(folder)
    assert status == 2 and "this fold has not been predicted yet" in err and "resume=true" in err, err
