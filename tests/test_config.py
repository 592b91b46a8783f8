"""Every file of every group is composed, built and taken through one picture."""

import itertools
import re
from pathlib import Path

import pytest
import torch
import yaml

from compkit.cli import config_dir
from compkit.engine import Console
from compkit.trial import open_trial

from .conftest import compose_train

CONF = config_dir()
OPTIONS = [
    (str(path.parent.relative_to(CONF)), path.stem)
    for path in sorted(CONF.rglob("*.yaml"))
    if path.parent != CONF and "recipe" not in path.parts  # those are trained in tests/test_recipes.py
]
REGRESSION = {"mse", "mae", "huber", "rmse", "rmsle", "r2"}
MULTILABEL = {
    "bce",
    "bce_fbeta",
    "binary_dice",
    "binary_focal",
    "lovasz_multilabel",
    "soft_fbeta",
    "f1_samples",
    "mean_columnwise_auc",
}
NEEDS = {
    ("loss", "custom"): ["loss._target_=compkit.losses.Hinge"],
    ("sampler", "weighted"): ["sampler.class_weight=[1,1,1,1,1,1,1,1,1,3]"],
    ("schedule", "cosine_cycles"): ["schedule.warmup_epochs=0"],
}


def fitting(group, option):
    """The competition an option is made for, and what it cannot be built without here."""
    if option in REGRESSION:
        return ["competition=tilt"]
    if option in MULTILABEL:
        return ["competition=mosaic"]
    if group == "task":
        return [
            f"competition={ {'multiclass': 'digits', 'multilabel': 'mosaic', 'regression': 'tilt'}[option] }"
        ]
    return NEEDS.get((group, option), [])


def test_there_are_options():
    assert len(OPTIONS) > 150


@pytest.mark.parametrize("group, option", [one for one in OPTIONS if one[0] not in ("model", "competition")])
def test_every_option_trains_two_steps(plan, group, option):
    chosen = [] if group == "task" else [f"{group}={option}"]
    with open_trial(plan(*fitting(group, option), *chosen), Console(quiet=True)) as trial:
        stepper = trial.stepper()
        model, averaging = stepper.learner.model, stepper.learner.averaging
        before = [parameter.detach().clone() for parameter in model.parameters()]
        for window, moment in itertools.islice(trial.windows(stepper), 2):
            figures = stepper.step(window, moment)
            assert figures.is_taken and torch.isfinite(figures.terms).all()
            averaging.update(model)
        averaging.end_epoch(model, trial.plan.epochs, trial.plan.epochs)
        after = list(model.parameters())
        assert all(torch.isfinite(parameter).all() for parameter in after)
        assert any(not torch.equal(old, new) for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize("option", [option for group, option in OPTIONS if group == "model"])
def test_model_option_composes(option):
    """They are built, at small sizes, in tests/models/test_config.py."""
    cfg = compose_train(f"model={option}", *(["model.backbone=test_resnet"] if option == "timm" else []))
    assert cfg.model._target_ == "compkit.models.Classifier" and cfg.model.backbone


@pytest.mark.parametrize("option", [option for group, option in OPTIONS if group == "competition"])
def test_competition_option_builds(plan, tmp_path, option):
    path = [f"competition.path={tmp_path}"] if option == "folder" else []
    assert plan(f"competition={option}", *path).competition.name == option


def test_competition_sets_the_task_and_the_command_line_still_wins():
    for name, loss, metric in [
        ("digits", "CrossEntropy", "Accuracy"),
        ("mosaic", "BCE", "FBeta"),
        ("tilt", "MSE", "RMSE"),
    ]:
        cfg = compose_train(f"competition={name}")
        assert (cfg.loss._target_, cfg.metric._target_) == (
            f"compkit.losses.{loss}",
            f"compkit.metrics.{metric}",
        )
    cfg = compose_train("competition=tilt", "loss=huber", "metric=mae", "lr=0.5")
    assert (cfg.loss._target_, cfg.metric._target_, cfg.lr) == (
        "compkit.losses.Huber",
        "compkit.metrics.MAE",
        0.5,
    )


@pytest.mark.parametrize("path", sorted(CONF.rglob("*.yaml")), ids=lambda path: str(path.relative_to(CONF)))
def test_every_page_explains_itself(path: Path):
    """A comment before the first key, and every key with one of its own unless it is a node or plain wiring."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith("#")
    assert re.search(r"^# [A-Z]", text, flags=re.MULTILINE), "no sentence that says what it is"
    assert isinstance(yaml.safe_load(text), dict)
