"""Whole runs that are taught, by other runs or by their own average; and what cannot teach is refused by name."""

import json

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from compkit.build import build_plan, load_plan
from compkit.derived.predict import predict_run
from compkit.engine import Console, Ranks, Stepper, attempt_step
from compkit.pipeline import run
from compkit.run import assemble, teacher_cache, teachers
from compkit.run.prepare import prepare
from compkit.run.trained_fold import load_fold
from compkit.run.trial import open_trial
from compkit.trials.preview import first_pictures

from ..commands import call
from ..conftest import QUICK, compose_train, train_two_steps

ONE_FOLD = ("train_folds=[0]", "epochs=1", "predict_test=false")
AVERAGED = (
    *ONE_FOLD,
    "epochs=2",
    "averaging=ema",
    "averaging.decay=0.9",
    "augment=light",
    "trainer.checkpoint_every_steps=1",
)


@pytest.fixture(scope="module")
def place(data_dir, tmp_path_factory):
    """Plans and runs of this module, side by side: place(plan, "overrides", name="a")."""
    outputs = tmp_path_factory.mktemp("outputs")

    class Place:
        def plan(self, *overrides, name="run"):
            paths = (f"data_dir={data_dir}", f"output_dir={outputs}", f"name={name}")
            return build_plan(compose_train(*QUICK, *paths, *overrides))

        def train(self, *overrides, name="run"):
            plan = self.plan(*overrides, name=name)
            run(plan)
            return plan.folder

    return Place()


@pytest.fixture(scope="module")
def teacher(place):
    """A finished run of two folds."""
    return place.train("predict_test=false", name="teacher")


def distilled(teacher, *more):
    return ("semi=distillation", f"semi.teachers=[{teacher}]", *more)


def history(folder):
    return pd.read_csv(folder / "fold_0" / "history.csv")


def bits(folder):
    files = [path for path in sorted(folder.rglob("*")) if path.suffix in (".parquet", ".safetensors")]
    assert files
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


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


# distillation


@pytest.fixture(scope="module")
def student(place, teacher):
    return place.train(
        *distilled(teacher, "augment=light", "mixing=mixup", "predict_test=false"), name="student"
    )


def test_a_student_is_a_run_like_any_other(student):
    rows = history(student)
    assert {"train_target", "train_distillation"} <= set(rows) and np.isfinite(rows["train_loss"]).all()
    np.testing.assert_allclose(rows["train_loss"], rows["train_target"] + rows["train_distillation"])
    frame = pd.read_parquet(predict_run(load_plan(student), "oof", None, str(student / "again.parquet")))
    pd.testing.assert_frame_equal(frame, pd.read_parquet(student / "oof.parquet"))


def test_it_is_predicted_from_disk_without_its_teachers(place, student):
    assert load_plan(student, changes={"semi.teachers": ["/nowhere"]}).semi.teachers == ["/nowhere"]


@pytest.mark.parametrize("fold", [0, 1])
def test_the_teacher_of_a_fold_is_that_fold_s(place, teacher, fold):
    plan = place.plan(*distilled(teacher), name=f"of_{fold}")
    data = prepare(plan, Ranks(), Console(quiet=True))
    (network,) = assemble.make_fold_data(plan, data, None, fold, None).lessons.teachers
    own, other = (load_file(teacher / f"fold_{one}" / "best.safetensors") for one in (fold, 1 - fold))
    held = network.model.state_dict()
    assert all(torch.equal(held[name], own[name]) for name in held)
    assert not all(torch.equal(held[name], other[name]) for name in held)


def test_loading_teachers_draws_nothing(teacher):
    plan = load_plan(teacher)
    before = torch.get_rng_state()
    teachers.fold_teachers([plan], tuple("0123456789"), 0)
    assert torch.equal(torch.get_rng_state(), before)


def test_alpha_0_is_the_plain_run_to_the_bit(place, teacher):
    plain = place.train(*ONE_FOLD, "model/neck=dropout", "augment=light", name="plain")
    taught = place.train(
        *ONE_FOLD, "model/neck=dropout", "augment=light", *distilled(teacher, "semi.alpha=0"), name="alpha_0"
    )
    assert bits(plain)["fold_0/oof.parquet"] == bits(taught)["fold_0/oof.parquet"]


def test_cached_answers_are_those_of_the_fold_s_model(place, teacher, monkeypatch):
    monkeypatch.setattr(teacher_cache, "CHUNK", 7)  # several writes
    folder = place.train(
        *distilled(teacher, "semi.cache=true", "augment=light", "predict_test=false"), name="cached"
    )
    plan = load_plan(teacher)
    table = plan.competition.read_train(plan.limit)
    folds = (
        pd.read_csv(folder / "folds.csv", dtype={"id": str}).set_index("id").loc[table.ids, "fold"].to_numpy()
    )
    for fold in (0, 1):
        answers = np.load(folder / f"fold_{fold}" / "teacher_0.npy")
        assert np.isnan(answers[folds == fold]).all()
        trained = load_fold(plan, fold, Ranks())
        trained.model.eval()
        rows = np.flatnonzero(folds != fold)
        images = np.stack([trained.preprocessing.load((name.decode(),)) for name in table.files[rows, 0]])
        with torch.no_grad():
            want = trained.model(trained.preprocessing.normalise(torch.from_numpy(images)))
        np.testing.assert_allclose(answers[rows], want.numpy(), rtol=1e-4, atol=1e-5)


def test_a_cache_is_asked_for_once_and_goes_on_where_it_ended(place, teacher, monkeypatch, tmp_path):
    plan = place.plan(*distilled(teacher, "semi.cache=true"), name="asked")
    data = prepare(plan, Ranks(), Console(quiet=True))
    fold_data = assemble.make_fold_data(plan, data, None, 0, None)
    asked, whole = [], teacher_cache.predict_logits

    def predict(model, loader, draws, *rest):
        asked.append(sum(len(draw.rows) for draw in draws))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return whole(model, loader, draws, *rest)

    monkeypatch.setattr(teacher_cache, "predict_logits", predict)
    monkeypatch.setattr(teacher_cache, "CHUNK", 8)

    def ask():
        return teacher_cache.cached_lessons(plan, data.teachers, 0, fold_data, Ranks(), Console(quiet=True))

    with pytest.raises(KeyboardInterrupt):
        ask()
    first = ask().logits
    assert asked == [8, 8, 8, 8, 6]  # 30 rows; the third chunk was lost and asked for again
    assert torch.equal(ask().logits.nan_to_num(), first.nan_to_num()) and len(asked) == 5


def test_a_killed_student_resumes_to_the_same_bits(place, teacher, killed_at):
    same = distilled(teacher, "semi.cache=true", *AVERAGED)
    whole = place.train(*same, name="whole")
    killed_at(3)
    with pytest.raises(KeyboardInterrupt):
        place.train(*same, name="killed")
    assert bits(place.train(*same, "resume=true", name="killed")) == bits(whole)


def test_two_teachers_features_and_auxiliary_columns_go_together(place, teacher, student):
    more = (
        "semi.feature_weight=0.5",
        "model.backbone=test_resnet",
        "+auxiliary.again={column:label}",
        *ONE_FOLD,
    )
    runs = f"semi.teachers=[{teacher},{student}]"
    rows = history(place.train("semi=distillation", runs, *more, name="features"))
    terms = ["train_target", "train_distillation", "train_features", "train_auxiliary_again"]
    assert list(rows.filter(like="train_")) == ["train_loss", *terms] and (rows[terms] > 0).all(axis=None)


@pytest.mark.parametrize("competition", ["mosaic", "tilt"])
def test_other_tasks_are_distilled(place, competition):
    teacher = place.train(f"competition={competition}", *ONE_FOLD, name="other")
    rows = history(
        place.train(f"competition={competition}", *distilled(teacher), *ONE_FOLD, name="other_student")
    )
    assert (rows["train_distillation"] > 0).all() and np.isfinite(rows["train_loss"]).all()


def test_everything_that_tries_steps_out_is_taught_too(place, teacher):
    train_two_steps(place.plan(*distilled(teacher, "mixing=mixup_cutmix"), name="trial"))
    train_two_steps(place.plan(*distilled(teacher, "semi.cache=true"), name="trial"))


@pytest.mark.parametrize(
    "overrides, words",
    [
        (("semi.teachers=[/nowhere]",), r"/nowhere is no run's folder"),
        (("fold_seed=1",), r"teacher was split otherwise: fold hash.*seen rows that validate here"),
        (("limit=50",), "teacher was split otherwise"),
        (("full_data=true",), r"full_data=true has none"),
        (("semi.cache=true", "mixing=mixup"), r"semi\.cache=false.*mixing=none"),
        (("loss=center", "semi.feature_weight=1"), r"room for one of them"),
    ],
)
def test_what_cannot_teach_is_refused_before_anything_is_written(place, teacher, overrides, words):
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        place.train(*distilled(teacher), *overrides, name="refused")
    assert not place.plan(name="refused").folder.exists()


def test_an_unfinished_fold_cannot_teach(place):
    part = place.train(*ONE_FOLD, name="part")
    with pytest.raises(ValueError, match=r"part has no finished model of fold\(s\) \[1\]"):
        place.train(*distilled(part), name="refused")
    assert place.train(*distilled(part), *ONE_FOLD, name="of_part").is_dir()


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"classes": ["x"]}, r"teacher predicts other things: multiclass of \['x'\]"),
        ({"task": "regression"}, "teacher predicts other things: regression of"),
        ({"preprocessing": {"channels": 3}}, r"reads pictures of 3 channel\(s\), this run 1"),
    ],
)
def test_other_classes_tasks_and_channels_are_refused(place, teacher, monkeypatch, changes, words):
    whole = teachers.read_metadata
    monkeypatch.setattr(teachers, "read_metadata", lambda path: whole(path) | changes)
    with pytest.raises(ValueError, match=words):
        place.train(*distilled(teacher), name="refused")


# mean teacher


@pytest.fixture(scope="module")
def own_average(place):
    return place.train("semi=mean_teacher", *AVERAGED, name="mean_teacher")


def test_the_option_brings_the_average_with_it(place):
    assert place.plan("semi=mean_teacher").config["averaging"]["_target_"] == "compkit.optim.EMA"


def test_the_average_teaches_and_predicts(own_average):
    rows = history(own_average)
    assert {"train_target", "train_consistency", "ema_val_accuracy"} <= set(rows) and (
        rows["train_consistency"] > 0
    ).all()
    scores = json.loads((own_average / "fold_0" / "scores.json").read_text())
    assert scores["weights"] == "ema" and scores["train_rows"] == 30
    assert pd.read_parquet(own_average / "oof.parquet")["id"].is_unique


def test_labels_of_unlabelled_pictures_are_never_looked_at(place, own_average, monkeypatch):
    whole = assemble.with_unlabelled

    def poisoned(table, unlabelled, soft=None):
        longer, soft = whole(table, unlabelled, soft)
        longer.targets[len(table) :] = np.arange(len(unlabelled)) % 10
        return longer, soft

    monkeypatch.setattr(assemble, "with_unlabelled", poisoned)
    assert bits(place.train("semi=mean_teacher", *AVERAGED, name="poisoned")) == bits(own_average)


def test_unlabelled_rows_are_no_training_rows(place):
    with open_trial(place.plan("semi=mean_teacher", name="rows"), Console(quiet=True)) as trial:
        labelled = len(trial.data.table)
        assert trial.fold_data.train_rows.max() < labelled and len(trial.fold_data.table) == labelled + 360
        window, _ = next(trial.windows(trial.stepper()))
        assert (window[0].rows[:16] < labelled).all() and (window[0].rows[16:] >= labelled).all()


def test_preview_and_the_batch_search_know_labelled_pictures_from_others(place, tmp_path):
    plan = place.plan("semi=mean_teacher", "batch_size=4", "semi.unlabelled_batch_size=2", name="tried")
    with open_trial(plan, Console(quiet=True)) as trial:
        plain, seen, texts = first_pictures(trial, 6)
        assert (
            len(plain) == len(seen) == len(texts) == 6
            and [text == "no label" for text in texts] == [False] * 4 + [True] * 2
        )
        stepper = trial.stepper()
        assert attempt_step(stepper, trial.first_batch(stepper, 8), steps=1).batch_size == 8


def test_weight_0_and_nothing_unlabelled_is_the_plain_run_to_the_bit(place):
    same = (*ONE_FOLD, "augment=light", "model/neck=dropout")
    plain = place.train(*same, "averaging=ema", name="plain_ema")
    taught = place.train(*same, "semi=mean_teacher", "semi.weight=0", "semi.unlabelled=null", name="weight_0")
    assert bits(plain)["fold_0/oof.parquet"] == bits(taught)["fold_0/oof.parquet"]


def test_a_killed_mean_teacher_resumes_to_the_same_bits(place, own_average, killed_at):
    killed_at(3)
    with pytest.raises(KeyboardInterrupt):
        place.train("semi=mean_teacher", *AVERAGED, name="mean_teacher_killed")
    resumed = place.train("semi=mean_teacher", *AVERAGED, "resume=true", name="mean_teacher_killed")
    assert bits(resumed) == bits(own_average)


@pytest.mark.parametrize("competition", ["mosaic", "tilt"])
def test_other_tasks_are_consistent(place, competition):
    more = (f"competition={competition}", "semi=mean_teacher", "augment=color", *ONE_FOLD)
    rows = history(place.train(*more, name="mean_teacher"))
    assert (rows["train_consistency"] > 0).all() and np.isfinite(rows["train_loss"]).all()


def test_soft_pseudo_labels_and_unlabelled_pictures_go_together():
    table = assemble.Table(np.array(["a"]), np.array([[b"a"]]), np.array([1]))
    longer, soft = assemble.with_unlabelled(table, table, np.array([[0.25, 0.75]], np.float32))
    assert len(longer) == 2 and soft.tolist() == [[0.25, 0.75], [0.0, 0.0]]


def test_a_folder_of_pictures_whose_bad_ones_are_left_out(place, tmp_path, capsys):
    for name in ("a", "b", "c"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((8, 8), 99, np.uint8))
    (tmp_path / "b.png").write_bytes(b"no picture")
    plan = place.plan("semi=mean_teacher", f"semi.unlabelled={tmp_path}", *ONE_FOLD, name="folder")
    data = prepare(plan, Ranks(), Console())
    assert data.unlabelled.ids.tolist() == ["a.png", "c.png"]
    assert "1 unlabelled picture(s) cannot be read and are left out" in capsys.readouterr().out
    train_two_steps(plan)
    for name in ("a", "c"):
        (tmp_path / f"{name}.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="no picture of it can be read"):
        prepare(plan, Ranks(), Console(quiet=True))


@pytest.mark.parametrize(
    "overrides, words",
    [
        (("averaging=none",), r"this run keeps none\. Set averaging=ema"),
        (("averaging=swa",), r"this run keeps swa\. Set averaging=ema"),
        (("mixing=mixup",), r"Set mixing=none"),
        (("model/head=arcface",), r"ArcFaceHead looks at labels.*semi\.unlabelled=null"),
        (("model/head=adacos",), r"AdaCosHead looks at labels"),
        (("+auxiliary.again={column:label}",), r"no auxiliary columns\. Set semi\.unlabelled=null"),
        (
            ("competition.test_images=null", "competition.sample_submission=null"),
            "no test pictures.*a folder of pictures",
        ),
        (("semi.unlabelled=/nowhere",), r"/nowhere.*semi\.unlabelled"),
    ],
)
def test_what_does_not_go_with_a_mean_teacher_is_refused(place, overrides, words):
    with pytest.raises((ValueError, FileNotFoundError), match=words):
        place.train("semi=mean_teacher", *overrides, name="refused")
    assert not place.plan(name="refused").folder.exists()


def test_margins_and_auxiliary_columns_go_with_labelled_pictures_alone(place):
    more = (
        "semi=mean_teacher",
        "semi.unlabelled=null",
        "model/head=arcface",
        "+auxiliary.again={column:label}",
    )
    train_two_steps(place.plan(*more, name="margin"))


@pytest.mark.slow
@pytest.mark.parametrize("semi", ["mean_teacher", "distillation"])
def test_two_ranks_are_taught(teacher, place, data_dir, semi):
    """Each rank asks teachers about its own part of the rows."""
    outputs = teacher.parent.parent
    how = distilled(teacher, "semi.cache=true") if semi == "distillation" else (f"semi={semi}",)
    status, _, err = call(
        "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "train.py", *QUICK, *how, *ONE_FOLD,
        f"data_dir={data_dir}", f"output_dir={outputs}", f"name=ranks_{semi}", "batch_size=8",
    )  # fmt: skip
    assert status == 0, err
    rows = history(outputs / "digits" / f"ranks_{semi}")
    assert np.isfinite(rows["train_loss"]).all() and (rows["train_target"] > 0).all()
    if semi == "distillation":
        answers = np.load(outputs / "digits" / f"ranks_{semi}" / "fold_0" / "teacher_0.npy")
        assert (~np.isnan(answers).any(axis=1)).sum() == 30
