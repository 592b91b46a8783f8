"""Every recipe composes, trains on each embedded competition it is for, and gives way to the command line alone."""

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from compkit.build import build_plan
from compkit.cli import config_dir
from compkit.engine import Console
from compkit.run.trial import open_trial

from .conftest import compose_train, train_two_steps

FOLDER = config_dir() / "recipe"
RECIPES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
PARTS = sorted(path.stem for path in (FOLDER / "part").glob("*.yaml"))
COMPETITIONS = {"multiclass": "digits", "multilabel": "mosaic", "regression": "tilt"}
ALL = list(COMPETITIONS)
TASKS = {
    "baseline": ALL,
    "cyclic_snapshots": ALL,
    "fast": ALL,
    "long_tail": ["multiclass"],
    "multilabel": ["multilabel"],
    "noisy_labels": ["multiclass"],
    "regression": ["regression"],
    "retrieval_bot": ["multiclass"],
    "small_data": ALL,
    "strong_cnn": ["multiclass"],
    "vit_finetune": ALL,
}
# networks of less than a million weights, each of the recipe's own kind
BACKBONES = {
    "multilabel": "test_convnext",
    "strong_cnn": "test_convnext",
    "vit_finetune": "test_vit",
}
QUICK = ("limit=80", "folds=2", "num_workers=0", "trainer.threads=1", "model.pretrained=false")
# the batch of 16 classes needs more of them than digits has, as the recipe's header says
FITTING = {"retrieval_bot": ["batch_size=40"]}
# what the headers name for a run of two epochs
TRIALS = {
    "cyclic_snapshots": "schedule.cycles=2",
    "small_data": "finetune.freeze_backbone_epochs=1",
    "strong_cnn": "mixing.off_epochs=0",
}
PAIRS = [(recipe, COMPETITIONS[task]) for recipe in RECIPES for task in TASKS[recipe]]
WRONG = [
    (recipe, next(COMPETITIONS[task] for task in ALL if task not in tasks))
    for recipe, tasks in TASKS.items()
    if tasks != ALL
]
# a group that a part of the recipe chooses, and another choice of it, which has none of the part's keys
REPLACED = {
    "cyclic_snapshots_schedule": "schedule=one_cycle",
    "noisy_labels_mixing": "mixing=none",
    "regression_augment": "augment=crop",
    "retrieval_bot_augment": "augment=none",
    "retrieval_bot_optimizer": "optimizer=sgd",
    "retrieval_bot_schedule": "schedule=cosine",
    "strong_cnn_mixing": "mixing=none",
}


def recipe_of(part):
    """The recipe that a file of conf/recipe/part belongs to."""
    return part.rpartition("_")[0]


@pytest.fixture
def recipe_plan(data_dir, tmp_path):
    """Build the plan of a recipe with a small network: recipe_plan("fast", "tilt", "lr=1e-3")."""

    def call(recipe, competition, *overrides):
        return build_plan(
            compose_train(
                *QUICK,
                *(f"data_dir={data_dir}", f"output_dir={tmp_path / 'outputs'}", "name=run"),
                *(f"recipe={recipe}", f"competition={competition}"),
                f"model.backbone={BACKBONES.get(recipe, 'test_resnet')}",
                *FITTING.get(recipe, []),
                *overrides,
            )
        )

    return call


def test_every_recipe_is_known_here():
    assert set(RECIPES) == set(TASKS)
    assert set(PARTS) == set(REPLACED)
    assert {recipe_of(part) for part in PARTS} <= set(RECIPES)


@pytest.mark.parametrize("recipe", RECIPES)
def test_header_says_how_it_is_chosen_and_what_follows(recipe):
    header = (FOLDER / f"{recipe}.yaml").read_text(encoding="utf-8").partition("\ndefaults:")[0]
    assert header.startswith("# @package _global_\n")
    assert f"recipe={recipe}" in header.replace("\n", " ").split()
    assert "time" in header or "minutes" in header, "what it costs"
    assert "\n# Then: " in header, "the usual follow-up"
    assert f"debug=trial {TRIALS[recipe]}" in header if recipe in TRIALS else "debug=trial" not in header


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.yaml")), ids=lambda path: path.stem)
def test_every_line_has_its_reason(path):
    """A comment at every choice and every key; lines that only open a node, or name a target, have none."""
    body = path.read_text(encoding="utf-8").split("\n")
    for line in (line for line in body if line and not line.lstrip().startswith("#")):
        is_wiring = line.endswith(":") or line.strip() == "- _self_" or "_here_" in line
        is_target = line.strip().startswith("_target_")
        assert "  # " in line or is_wiring or is_target, line


@pytest.mark.parametrize("recipe, competition", PAIRS)
def test_recipe_trains_two_steps(recipe_plan, recipe, competition):
    train_two_steps(recipe_plan(recipe, competition))


@pytest.mark.parametrize("recipe, competition", WRONG)
def test_recipe_of_another_task_is_refused(recipe_plan, recipe, competition):
    with (
        pytest.raises(ValueError, match=r"but the (competition's )?task is \w+\. (Set|Choose) "),
        open_trial(recipe_plan(recipe, competition), Console(quiet=True)),
    ):
        pass


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe_wins_over_the_competition_and_the_task(recipe):
    """All that a recipe sets is what the run gets, though competition and task set some of it too."""
    own = OmegaConf.load(FOLDER / f"{recipe}.yaml")
    chosen = [line for line in own.pop("defaults") if line != "_self_"]
    competition = COMPETITIONS[TASKS[recipe][-1]]
    with initialize_config_dir(str(config_dir()), version_base="1.3"):
        cfg = compose("train", [f"recipe={recipe}", f"competition={competition}"], return_hydra_config=True)
    for line in chosen:
        ((group, option),) = line.items()
        assert cfg.hydra.runtime.choices[group.removeprefix("override /")] == option
    assert OmegaConf.merge(cfg, own) == cfg
    assert cfg.task == TASKS[recipe][-1] and cfg.competition.name == competition


def test_recipe_changes_what_the_competition_had_chosen():
    alone, strong = (compose_train("competition=digits", *recipe) for recipe in ([], ["recipe=strong_cnn"]))
    assert (alone.lr, alone.epochs, alone.schedule.warmup_epochs) == (1e-3, 4, 0.5)
    assert (strong.lr, strong.epochs, strong.schedule.warmup_epochs) == (1e-4, 30, 1)
    assert (alone.loss.smoothing, strong.loss.smoothing) == (0.0, 0.1)
    # what it does not set stays the competition's
    assert strong.image_size == alone.image_size == 32 and strong.batch_size == alone.batch_size == 48
    assert strong.model.pretrained is alone.model.pretrained is False
    assert compose_train("competition=tilt", "recipe=regression").loss._target_ == "compkit.losses.Huber"


@pytest.mark.parametrize("first", [True, False])
def test_command_line_wins_over_the_recipe_wherever_it_stands(first):
    own = ["loss=focal", "lr=1e-5", "epochs=7", "optimizer=momentum", "averaging=none", "mixing.off_epochs=2"]
    recipe = ["recipe=strong_cnn"]
    cfg = compose_train(*(own + recipe if first else recipe + own))
    assert (cfg.loss._target_, cfg.lr, cfg.epochs) == ("compkit.losses.FocalLoss", 1e-5, 7)
    assert (cfg.optimizer._target_, cfg.averaging._target_) == (
        "compkit.optim.SGD",
        "compkit.optim.NoAveraging",
    )
    assert cfg.mixing.off_epochs == 2 and cfg.augment.policy is not None


@pytest.mark.parametrize("part, choice", REPLACED.items())
def test_another_choice_leaves_nothing_of_the_recipe_s_part_behind(part, choice):
    recipe, group = recipe_of(part), choice.partition("=")[0]
    competition = f"competition={COMPETITIONS[TASKS[recipe][0]]}"
    found = compose_train(competition, f"recipe={recipe}", choice, "lr=1e-3")[group]
    expected = compose_train(competition, choice, "lr=1e-3")[group]
    # warm-up is a key of every schedule, so the recipe's stays; in a part the competition's would win over it
    common = {key: found[key] for key in ("warmup_epochs", "warmup_start_factor") if key in expected}
    assert found == OmegaConf.merge(expected, common)


@pytest.mark.parametrize("recipe, override", TRIALS.items())
def test_trial_of_two_epochs_wants_what_the_header_says(recipe_plan, recipe, override):
    trial = ["debug=trial", "limit=80"]
    with (
        pytest.raises(ValueError, match=r"epochs"),
        open_trial(recipe_plan(recipe, "digits", *trial), Console(quiet=True)),
    ):
        pass
    with open_trial(recipe_plan(recipe, "digits", *trial, override), Console(quiet=True)) as opened:
        assert opened.plan.epochs == 2


def test_retrieval_bag_of_tricks_has_the_paper_s_rates(recipe_plan):
    """Luo et al. 2019, eq. 1: 3.5e-5 t / 10 while it warms up, then a tenth after 40 and 70 of 120 epochs."""
    plan = recipe_plan("retrieval_bot", "digits")
    schedule = plan.make_schedule()
    rates = {
        epoch: plan.optimizer.lr * schedule.factor(epoch, plan.epochs)
        for epoch in (0, 10, 39.99, 40, 69.99, 70, 119.99)
    }
    expected = {
        0: 3.5e-5,
        10: 3.5e-4,
        39.99: 3.5e-4,
        40: 3.5e-5,
        69.99: 3.5e-5,
        70: 3.5e-6,
        119.99: 3.5e-6,
    }
    assert rates == pytest.approx(expected) and plan.epochs == 120
    assert plan.optimizer.weight_decay == 5e-4
    # and twice as fast in a run of half the length
    halved = recipe_plan("retrieval_bot", "digits", "epochs=60", "schedule.warmup_epochs=5").make_schedule()
    assert [halved.factor(epoch, 60) for epoch in (5, 19.99, 20, 35)] == pytest.approx([1, 1, 0.1, 0.01])


def test_retrieval_bag_of_tricks_has_the_paper_s_batch_and_losses():
    cfg = compose_train("recipe=retrieval_bot")
    assert cfg.batch_size == 16 * cfg.sampler.images_per_class
    assert OmegaConf.to_container(cfg.loss.weights) == {"cross_entropy": 1.0, "triplet": 1.0, "center": 5e-4}
    assert (cfg.loss.terms.cross_entropy.smoothing, cfg.loss.terms.triplet.margin) == (0.1, 0.3)
    assert cfg.model.last_stride == 1 and cfg.augment.erase.p == cfg.augment.flip.p == 0.5


def test_batches_of_more_classes_than_there_are_name_the_batch_size(recipe_plan):
    plan = recipe_plan("retrieval_bot", "digits", "batch_size=64")
    with (
        pytest.raises(ValueError, match=r"Set batch_size=40"),
        open_trial(plan, Console(quiet=True)),
    ):
        pass


def test_snapshots_end_with_each_of_five_cycles(recipe_plan):
    plan = recipe_plan("cyclic_snapshots", "digits")
    schedule = plan.make_schedule()
    assert [epoch for epoch in range(51) if schedule.cycle_ended(epoch, plan.epochs)] == [10, 20, 30, 40, 50]
