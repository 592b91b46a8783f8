"""What is tried out before a run: the rate, the schedule, the batch. The run itself stays as it would have been."""

import numpy as np
import pandas as pd
import pytest

from compkit.engine import Attempt, Console
from compkit.run.trial import open_trial
from compkit.trials.find_batch_size import find_batch_size
from compkit.trials.find_lr import find_lr, plot_schedule

RUN = ("train_folds=[0]", "epochs=1", "augment=light", "model/neck=dropout", "mixing=mixup", "averaging=ema")


def test_trying_out_first_leaves_the_later_run_to_the_byte(plan, train, tmp_path):
    untouched = train(*RUN, "predict_test=false", f"output_dir={tmp_path}/untouched")
    assert len(find_lr(plan(*RUN), start=1e-5, end=1e-2, steps=10).rates) == 10
    assert plot_schedule(plan(*RUN)).is_file()
    assert find_batch_size(plan(*RUN), start=4, largest=8) == 8
    assert not plan(*RUN).folder.exists()
    later = train(*RUN, "predict_test=false")
    for name in ("oof.parquet", "fold_0/last.safetensors", "fold_0/ema.safetensors"):
        assert (later / name).read_bytes() == (untouched / name).read_bytes(), name


def test_range_test_grows_the_rate_by_a_constant_factor_and_keeps_its_curve(plan):
    built = plan()
    test = find_lr(built, start=1e-6, end=1e-2, steps=12)
    folder = built.folder.parent / "lr_find"
    curve = pd.read_csv(folder / "run.csv")
    np.testing.assert_allclose(curve["lr"][1:].to_numpy() / curve["lr"][:-1].to_numpy(), 1e4 ** (1 / 11))
    assert curve["lr"].iloc[0] == pytest.approx(1e-6) and len(curve) == len(test.rates)
    np.testing.assert_allclose(curve["loss"], test.losses)
    np.testing.assert_allclose(curve["smoothed_loss"], test.smoothed)
    assert "Loss over the learning rate" in (folder / "run.html").read_text()
    find_lr(built, start=1e-6, end=1e-2, steps=12)
    assert len(list(folder.glob("*.csv"))) == len(list(folder.glob("*.html"))) == 2  # nothing is overwritten


@pytest.mark.parametrize(
    "start, end, steps, words",
    [
        (0, 1, 50, "start=0 end=1"),
        (1e-2, 1e-3, 50, "0 < start < end"),
        (1e-7, float("inf"), 50, "end=inf"),
        (1e-7, 1, 9, "steps=9"),
    ],
)
def test_ranges_that_make_no_sense(plan, start, end, steps, words):
    with pytest.raises(ValueError, match=words):
        find_lr(plan(), start, end, steps)


def test_range_test_needs_a_base_rate(plan):
    with pytest.raises(ValueError, match="lr=0"):
        find_lr(plan("lr=0"), 1e-7, 1, 20)


def test_schedule_is_drawn_with_its_momentum(plan):
    page = plot_schedule(plan("schedule=one_cycle", "optimizer=momentum", "epochs=3")).read_text()
    assert "Learning rate" in page and "Momentum" in page and "6 steps, 2 an epoch" in page


@pytest.mark.parametrize("start, largest", [(0, 8), (16, 8), (4, 0)])
def test_batches_that_make_no_sense(plan, start, largest):
    with pytest.raises(ValueError, match=f"start={start} largest={largest}"):
        find_batch_size(plan(), start, largest)


def test_batch_is_tried_with_an_optimizer_of_several_passes_a_step(plan):
    assert find_batch_size(plan("optimizer=lbfgs"), start=2, largest=2) == 2


def test_batch_is_tried_at_the_run_s_largest_pictures_with_all_that_it_trains(plan, monkeypatch):
    tried = []

    def attempt(stepper, micro):
        trained = all(parameter.requires_grad for parameter in stepper.learner.model.parameters())
        tried.append((tuple(micro.images.shape[:3]), trained))
        return Attempt(len(micro.rows), 1.0, None)

    monkeypatch.setattr("compkit.trials.find_batch_size.attempt_step", attempt)
    find_batch_size(plan("scale=multi", "scale.batch=fixed", "finetune=freeze"), start=4, largest=8)
    find_batch_size(plan("scale=multi", "scale.batch=memory"), start=4, largest=4)
    assert tried == [((4, 40, 40), True), ((8, 40, 40), True), ((4, 32, 32), True)]


def test_norms_of_a_frozen_backbone_keep_their_statistics_in_a_trial_too(plan):
    with open_trial(plan("finetune=freeze"), Console(quiet=True)) as trial:
        stepper = trial.stepper()
        before = {name: value.clone() for name, value in stepper.learner.model.backbone.state_dict().items()}
        window, moment = next(trial.windows(stepper))
        stepper.step(window, moment)
        after = stepper.learner.model.backbone.state_dict()
    assert all(before[name].equal(after[name]) for name in before)
