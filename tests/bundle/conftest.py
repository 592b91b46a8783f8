"""Small finished runs of every kind that can be bundled, made once for all tests of this folder."""

import functools
import shutil
from pathlib import Path
from unittest import mock

import pandas as pd
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import compkit.build
from compkit.build import build, build_plan, load_plan, plan_again, with_inference, with_postprocess
from compkit.bundle import Target, Upload, make_bundle
from compkit.demo import ensure_competition
from compkit.derived.ensemble import ensemble_runs
from compkit.derived.postprocess import postprocess_run
from compkit.derived.predict import predict_run
from compkit.derived.refit import refit
from compkit.derived.soup import soup_runs
from compkit.derived.stack import stack_runs
from compkit.engine import Console
from compkit.ensemble import Blending, read_members
from compkit.metrics import LogLoss
from compkit.pipeline import run

from ..conftest import QUICK, compose_train

TEST_ROWS = 40
CONF = Path(__file__).parents[2] / "conf"


@pytest.fixture(scope="package", autouse=True)
def composed_once():
    """The defaults of conf/train.yaml, which every plan of a run on disk asks for, take a second to compose."""
    with mock.patch.object(compkit.build, "compose", functools.cache(compkit.build.compose)):
        yield


@pytest.fixture(scope="package")
def data(tmp_path_factory):
    """Digits with few test rows; `sample_of_all.csv` beside the folder lists all of them, as a hidden test set would."""
    root = tmp_path_factory.mktemp("bundle_data")
    folder = ensure_competition("digits", root)
    sample = pd.read_csv(folder / "sample_submission.csv", dtype=str)
    sample.to_csv(root / "sample_of_all.csv", index=False)
    sample.iloc[:TEST_ROWS].to_csv(folder / "sample_submission.csv", index=False)
    return folder


@pytest.fixture(scope="package")
def runs(data, tmp_path_factory):
    """The folder of five-fold runs `a` (plain) and `b` (EMA, flipped views, another size), and of runs made of them."""
    outputs = tmp_path_factory.mktemp("bundle_outputs")
    paths = (
        "competition=digits",
        f"competition.path={data}",
        f"output_dir={outputs}",
        f"data_dir={data.parent}",
    )
    for name, overrides in {
        "a": [],
        "b": ["seed=1", "averaging=ema", "inference=tta_flip", "lr=0.003"],
    }.items():
        run(build_plan(compose_train(*QUICK, *paths, "folds=5", "epochs=1", f"name={name}", *overrides)))
    return outputs / "digits"


def no_picture(id):
    return None


def blend(runs, name, of=("a", "b"), method="optimize", **settings):
    """Blend runs of the folder; returns the new run's folder."""
    members = read_members([runs / one for one in of])
    if not (runs / name).exists():
        again = {"resume": False, "full_data": False}
        plan = load_plan(members[0].folder, changes=again)
        ensemble_runs(
            plan,
            members,
            Blending(method, **settings),
            name,
            None if method == "rank" else LogLoss(),
            0,
            0,
            no_picture,
        )
    return runs / name


def stack(runs, name, of=("a", "b"), stacker="logistic", test_features="auto", columns=()):
    """Stack runs of the folder; returns the new run's folder."""
    if not (runs / name).exists():
        node = OmegaConf.to_container(OmegaConf.load(CONF / "stacker" / f"{stacker}.yaml"))
        if stacker == "mlp":
            node |= {"epochs": 2, "networks": 1}
        plan = load_plan(runs / of[0], changes={"resume": False, "full_data": False})
        members = read_members([runs / one for one in of])
        stack_runs(plan, members, build(node), columns, test_features, name, node, 0, 0, no_picture)
    return runs / name


def postprocessed(runs, of, option="class_weights"):
    """The run with a post-processing, as a run of its own."""
    if not (runs / f"{of}_{option}").exists():
        node = OmegaConf.load(CONF / "postprocess" / f"{option}.yaml")
        plan = with_postprocess(load_plan(runs / of, changes={"resume": False}), node)
        with Console(quiet=True) as console:
            postprocess_run(plan, None, no_picture, console)
    return runs / f"{of}_{option}"


def seen_otherwise(runs, of, option, *overrides):
    """The run's weights with other views, as a run of its own."""
    name = f"{of}_{option}"
    if not (runs / name).exists():
        with initialize_config_dir(str(CONF), version_base="1.3"):
            node = compose("predict", ["run=x", "batch_size=16", f"inference={option}", *overrides]).inference
        predict_run(with_inference(load_plan(runs / of), node), "run", name=name)
    return runs / name


def soup(runs, name="soup", of=("a", "b")):
    """The mean of the weights of runs of the folder."""
    if not (runs / name).exists():
        plans = [load_plan(runs / one, changes={"resume": False}) for one in of]
        soup_runs(
            plans, read_members([runs / one for one in of]), "uniform", ["best"], name, 0, 0, no_picture
        )
    return runs / name


def refitted(runs, of="a"):
    """The run on all rows, two seeds."""
    if not (runs / f"{of}_full").exists():
        parent = load_plan(runs / of)
        refit(
            parent, lambda name, changes: plan_again(runs / of, name, changes), no_picture, epochs=1, seeds=2
        )
    return runs / f"{of}_full"


@pytest.fixture
def bundle(tmp_path):
    """bundle(run, …) -> the folder of a bundle of them, without wheels of others."""

    def call(*folders, name="made", max_minutes=None, competition=None):
        with Console(quiet=True) as console:
            return make_bundle(
                folders, tmp_path / name, Upload(name, competition, max_minutes), Target(), console
            )

    return call


@pytest.fixture(autouse=True)
def one_thread():
    """Torch's threads as they were: predicting chooses them for the whole process."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def copy_of(tmp_path):
    """copy_of(folder) -> a copy of it to damage."""

    def call(folder, name="copy"):
        return Path(shutil.copytree(folder, tmp_path / name))

    return call
