"""Every file of every group is composed, built and taken through one picture."""

import re
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf

from compkit.cli import config_dir

from .conftest import compose_train, train_two_steps

CONF = config_dir()
OPTIONS = [
    (str(path.parent.relative_to(CONF)), path.stem)
    for path in sorted(CONF.rglob("*.yaml"))
    # recipes are trained in tests/test_recipes.py; distillation wants a finished run, tests/test_teachers.py has one
    if path.parent != CONF and "recipe" not in path.parts and path.stem != "distillation"
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
    ("inference", "snapshots"): ["schedule=cosine_cycles", "schedule.warmup_epochs=0"],
    ("schedule", "cosine_cycles"): ["schedule.warmup_epochs=0"],
    **{
        ("postprocess", option): ["competition=mosaic"]
        for option in ("threshold", "thresholds", "top_k", "prevalence")
    },
    ("postprocess", "cut_points"): ["metric=quadratic_kappa"],
    ("postprocess", "temperature"): ["metric=log_loss"],
    ("postprocess", "clip"): ["competition=tilt"],
    ("postprocess", "round"): ["competition=tilt"],
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


# stackers belong to scripts/stack.py and learn in tests/ensemble/test_stackers.py
@pytest.mark.parametrize(
    "group, option", [one for one in OPTIONS if one[0] not in ("model", "competition", "stacker")]
)
def test_every_option_trains_two_steps(plan, group, option):
    chosen = [] if group == "task" else [f"{group}={option}"]
    train_two_steps(plan(*fitting(group, option), *chosen))


@pytest.mark.parametrize("option", [option for group, option in OPTIONS if group == "model"])
def test_every_model_trains_two_steps(plan, option):
    """At small sizes; transformers want a multiple of their patches."""
    size = 28 if option in ("dinov2_small", "eva02_tiny") else 32
    given = OmegaConf.select(compose_train(f"model={option}"), "model.backbone", throw_on_missing=False)
    backbone = [f"model.backbone={given or 'test_resnet'}"]
    small = [f"image_size={size}", "batch_size=4", "limit=20", "model.pretrained=false"]
    train_two_steps(plan(f"model={option}", *backbone, *small))


@pytest.mark.parametrize("option", [option for group, option in OPTIONS if group == "competition"])
def test_competition_option_builds(plan, tmp_path, option):
    path = [f"competition.path={tmp_path}"] if option == "folder" else []
    assert plan(f"competition={option}", *path).competition.name == option


@pytest.mark.parametrize("name", ["digits", "mosaic", "tilt"])
def test_competition_trains_two_steps(plan, name):
    train_two_steps(plan(f"competition={name}"))


def test_a_folder_of_one_s_own_trains_two_steps(plan, data_dir):
    plan("competition=digits")  # makes it
    train_two_steps(
        plan(
            "competition=folder",
            f"competition.path={data_dir / 'digits'}",
            "competition.channels=1",
            "model.pretrained=false",
        )
    )


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
