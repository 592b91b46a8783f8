"""Whole runs: the same weights with and without probes, resumed too, and what the report, the diagnosis and the loggers
make of them."""

import shutil

import numpy as np
import pytest
from safetensors.torch import load_file

from compkit.build import build_plan
from compkit.diagnosis import diagnose_run
from compkit.pipeline import run
from compkit.probes import read_probes
from compkit.report.page import render
from compkit.report.probes import probe_sections
from compkit.report.records import read_run

from ..conftest import QUICK, compose_train

TRICKS = (
    "mixing=mixup_cutmix", "averaging=ema", "model/neck=dropout", "augment=light", "num_workers=2", "batch_size=8",
    "predict_test=false", "doctor.at_start=false",
)  # fmt: skip


@pytest.fixture(scope="module")
def make(data_dir, tmp_path_factory):
    """Train a quick run; returns its folder."""
    root = tmp_path_factory.mktemp("probes")

    def call(name, *overrides):
        paths = (f"data_dir={data_dir}", f"output_dir={root}", f"name={name}")
        plan = build_plan(compose_train(*QUICK, *TRICKS, *paths, *overrides))
        run(plan)
        return plan.folder

    return call


@pytest.fixture(scope="module")
def probed(make):
    return make("probed", "trainer.probe_every=1")


def same_weights(one, other):
    for fold in (0, 1):
        for file in ("best", "ema", "last"):
            want, got = (
                load_file(folder / f"fold_{fold}" / f"{file}.safetensors") for folder in (one, other)
            )
            assert all(want[name].equal(got[name]) for name in want), (fold, file)


def test_weights_are_the_same_bits_without_probes(make, probed):
    plain = make("plain", "trainer.probe_every=0", "trainer.clean_rows=0")
    same_weights(plain, probed)
    assert not list(plain.rglob("probes.*"))


def test_report_has_three_chapters_that_need_nothing_else(probed):
    sections = probe_sections(read_run(probed))
    assert [one.anchor for one in sections] == ["seen", "followed", "layers"]
    page = render("run", [], sections, [])
    own = len(page) - len(render("run", [], [], []))
    assert own < 300_000
    assert "fold_0" not in page and "http://" not in page.replace("http://www.w3.org", "")
    seen, followed, layers = sections
    assert len(seen.pictures) == 8 and all("%" in one.facts[0][1] for one in seen.pictures[:1])
    assert [row[0] for row in seen.tables[0].rows] == ["fold 0", "fold 1"]
    assert len(followed.figures) == len(layers.figures) == 2
    assert "backbone.model.conv1" in page and len(layers.pictures) == 2


def test_a_run_under_way_has_them_too(probed, tmp_path):
    folder = shutil.copytree(probed, tmp_path / "copy")
    for name in ("metrics.json", "oof.parquet"):
        (folder / name).unlink()
    seen, *_ = probe_sections(read_run(folder))
    assert seen.pictures[0].facts[0][1]  # numbers of classes instead of their names
    for path in folder.glob("fold_*/probes.*"):
        path.unlink()
    assert probe_sections(read_run(folder)) == []


def test_a_healthy_run_raises_no_alarm(probed):
    inside = [one for one in diagnose_run(probed) if one.check == "probes"]
    assert [str(one.status) for one in inside] == ["pass", "pass"]


def test_rows_are_of_the_table_and_answers_of_the_oof(probed):
    arrays = read_probes(probed / "fold_0").arrays
    assert np.isfinite(arrays["followed_merit"]).all() and ((arrays["followed_merit"] <= 1).all())
    assert arrays["followed_epoch"].tolist() == [1, 2]


def test_other_tasks(make):
    for competition in ("tilt", "mosaic"):
        folder = make(
            competition,
            f"competition={competition}",
            "epochs=1",
            "train_folds=[0]",
            "num_workers=0",
            "mixing=none",
        )
        page = render("run", [], probe_sections(read_run(folder)), [])
        assert "What the network saw" in page
