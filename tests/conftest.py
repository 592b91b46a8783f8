"""Runs of train.py in this process, on a few pictures of an embedded competition and a network of 0.4 M weights."""

import itertools
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir

from compkit.build import build_plan
from compkit.cli import config_dir
from compkit.engine import Console
from compkit.pipeline import run
from compkit.run.trial import open_trial

QUICK = (
    "limit=60",
    "folds=2",
    "epochs=2",
    "batch_size=16",
    "image_size=32",
    "model=timm",
    "model.backbone=test_resnet",
    "num_workers=0",
    "trainer.threads=1",
)


def compose_train(*overrides):
    """The config that train.py would get from the command line."""
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        return compose("train", overrides=list(overrides))


def train_two_steps(plan):
    """The plan's first fold learns from two windows; everything stays finite, and something moves."""
    with open_trial(plan, Console(quiet=True)) as trial:
        stepper = trial.stepper()
        model, averaging = stepper.learner.model, stepper.learner.averaging
        before = [parameter.detach().clone() for parameter in model.parameters()]
        for window, moment in itertools.islice(trial.windows(stepper), 2):
            figures = stepper.step(window, moment)
            assert figures.is_taken and torch.isfinite(figures.terms).all()
            averaging.update(model)
        averaging.end_epoch(model, plan.epochs, plan.epochs)
        after = list(model.parameters())
        assert all(torch.isfinite(parameter).all() for parameter in after)
        assert any(not torch.equal(old, new) for old, new in zip(before, after, strict=True))


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory):
    """Where embedded competitions are made, once for all tests."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
def plan(data_dir, tmp_path):
    """Build the plan of a quick run: plan("lr=1e-3", name="a")."""

    def call(*overrides, name="run"):
        paths = (f"data_dir={data_dir}", f"output_dir={tmp_path / 'outputs'}", f"name={name}")
        return build_plan(compose_train(*QUICK, *paths, *overrides))

    return call


@pytest.fixture
def train(plan):
    """Run the pipeline; returns the run's folder."""

    def call(*overrides, name="run") -> Path:
        built = plan(*overrides, name=name)
        run(built)
        return built.folder

    return call
