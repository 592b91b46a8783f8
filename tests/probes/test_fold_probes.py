"""Probes of a fold: the training is the same to the bit, and what is kept survives an interruption."""

import functools

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from compkit.data import Mixing
from compkit.optim import EMA
from compkit.probes import STATISTICS, read_probes
from compkit.probes.dynamics import change, merit
from compkit.probes.entered import smaller
from compkit.probes.fold_probes import PER_EPOCH, PER_RUN, FoldProbes, NoProbes, interval, start_probes
from compkit.types import Task

from ..engine.conftest import run_fit, tiny_net  # noqa: F401


def bits(learner):
    models = [learner.model, *([learner.averaging.model] if learner.averaging.model else [])]
    return [value for model in models for value in model.state_dict().values()]


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(bits(one), bits(other), strict=True))


@pytest.mark.parametrize("mixing", [None, Mixing(probability=0.7)])
@pytest.mark.parametrize(
    "settings", [{}, {"accumulate": 2, "clip_at": 0.1}, {"precision": "bf16"}, {"precision": "fp16"}]
)
def test_weights_are_the_same_bits_with_and_without(run_fit, settings, mixing):  # noqa: F811
    def train(name, **more):
        torch.manual_seed(3)
        ema = functools.partial(EMA, decay=0.9)
        made = run_fit(name, tiny_net(dropout=0.5), averaging=ema, mixing=mixing, batch_size=4, epochs=3,
                       **settings, **more)  # fmt: skip
        generators.append(torch.rand(3))
        return made

    generators = []
    plain, run, _ = train("plain", probe_every=0, clean_rows=0)
    probed, other, folder = train("probed", probe_every=1, clean_rows=7)
    assert same(plain, probed)
    assert [row["train_loss"] for row in run.history] == [row["train_loss"] for row in other.history]
    assert len(read_probes(folder).layers["step"].unique()) == other.step
    assert torch.equal(*generators)


@pytest.mark.parametrize("fail_at", [3, 9, 12])
@pytest.mark.parametrize("every", [None, 1])
def test_killed_and_resumed_has_the_same_rows(run_fit, fail_at, every):  # noqa: F811
    def train(name, **more):
        torch.manual_seed(7)
        return run_fit(name, tiny_net(dropout=0.5), batch_size=8, epochs=3, probe_every=2,
                       checkpoint_every_steps=every, **more)  # fmt: skip

    whole, _, folder = train("whole")
    with pytest.raises(KeyboardInterrupt):
        train("torn", fail_at=fail_at)
    again, _, torn = train("torn")
    assert same(whole, again)
    assert (folder / "probes.csv").read_bytes() == (torn / "probes.csv").read_bytes()
    want, got = read_probes(folder).arrays, read_probes(torn).arrays
    assert want.keys() == got.keys()
    for name in want:
        np.testing.assert_array_equal(want[name], got[name], err_msg=name)


def test_steps_are_probed_in_their_turn(run_fit):  # noqa: F811
    _, run, folder = run_fit(batch_size=4, epochs=3, probe_every=5)
    record = read_probes(folder)
    assert record.layers["step"].unique().tolist() == list(range(0, run.step, 5))
    per_epoch = run.step // 3
    assert (record.layers["epoch"] == record.layers["step"] // per_epoch + 1).all()
    assert list(record.layers) == ["epoch", "step", "layer", "kind", *STATISTICS]
    assert record.layers["layer"].unique().tolist() == ["0", "1", "2", "6"]


def test_gradient_is_that_of_the_whole_window_before_clipping(run_fit):  # noqa: F811
    rows = {}
    for name, settings in (
        ("big", {"batch_size": 24}),
        ("small", {"batch_size": 4, "accumulate": 6, "clip_at": 1e-4}),
    ):
        _, _, folder = run_fit(name, tiny_net(norm=False), epochs=1, train_rows=24, probe_every=1, **settings)
        rows[name] = read_probes(folder).layers.set_index("layer")["gradient_rms"].dropna()
    np.testing.assert_allclose(rows["big"], rows["small"], rtol=1e-3)


def test_what_entered_is_the_tensor_of_the_first_step(run_fit):  # noqa: F811
    entered = []

    class Spy(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = tiny_net()

        def forward(self, images, targets=None):
            if targets is not None:
                entered.append((images, targets))
            return self.net(images, targets)

    _, _, folder = run_fit(model=Spy(), mixing=Mixing(), epochs=1)
    arrays = read_probes(folder).arrays
    images, targets = entered[0]
    np.testing.assert_allclose(arrays["input_mean"], images.mean(dim=(0, 2, 3)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(arrays["input_std"], images.std(dim=(0, 2, 3), correction=0), rtol=1e-4)
    np.testing.assert_allclose(arrays["input_min"], images.amin(dim=(0, 2, 3)))
    assert arrays["input_shape"].tolist() == [8, 3, 8, 8]
    assert arrays["input_pictures"].shape == (8, 8, 8, 3)
    shown = (images * 0.25 + 0.5).permute(0, 2, 3, 1) * 255
    assert np.abs(arrays["input_pictures"] - shown.numpy()).max() <= 0.51
    np.testing.assert_array_equal(arrays["input_other"], targets.other)
    np.testing.assert_array_equal(arrays["input_share"], targets.share)


def test_followed_predictions_are_those_of_validation(run_fit):  # noqa: F811
    learner, _, folder = run_fit(epochs=3)
    arrays, data = read_probes(folder).arrays, run_fit.data[-1]
    assert arrays["followed_rows"].tolist() == list(range(30, 40))
    batch = next(data.loader.batches([type("D", (), {"rows": arrays["followed_rows"], "seed": None})]))
    with torch.no_grad():
        probs = learner.model.eval()(data.preprocessing.normalise(batch.images)).softmax(1).numpy()
    truth = data.table.labels[30:]
    np.testing.assert_allclose(arrays["followed_merit"][-1], probs[np.arange(10), truth], rtol=1e-4)
    np.testing.assert_array_equal(arrays["followed_answer"][-1], probs.argmax(1))
    assert arrays["followed_merit"].shape == (3, 10) and np.isnan(arrays["followed_change"][0])
    assert (arrays["followed_change"][1:] > 0).all()


def test_without_validation_training_rows_are_followed(run_fit):  # noqa: F811
    _, run, folder = run_fit(epochs=2, valid_rows=0)
    arrays = read_probes(folder).arrays
    assert len(arrays["followed_rows"]) == 16 and arrays["followed_rows"].max() < 30
    assert arrays["followed_merit"].shape == (2, 16)
    assert "clean_loss" not in run.history[0]  # there is nothing to hold it against


def test_clean_rows_are_evaluated_like_validation(run_fit):  # noqa: F811
    learner, run, _ = run_fit(epochs=2, clean_rows=100)
    data = run_fit.data[-1]
    row = run.history[-1]
    rows = np.linspace(0, 29, 10).round().astype(int)  # no more than there are validation rows
    batch = next(data.loader.batches([type("D", (), {"rows": rows, "seed": None})]))
    with torch.no_grad():
        logits = learner.model.eval()(data.preprocessing.normalise(batch.images))
    want = nn.functional.cross_entropy(logits, torch.from_numpy(data.table.labels[rows])).item()
    assert row["clean_loss"] == pytest.approx(want, rel=1e-4)
    assert row["clean_log_loss"] == pytest.approx(want, rel=1e-4)
    assert row["clean_accuracy"] == pytest.approx(
        (logits.argmax(1).numpy() == data.table.labels[rows]).mean()
    )
    assert "clean_loss" not in run_fit("off", clean_rows=0)[1].history[0]


def test_off_leaves_nothing(run_fit):  # noqa: F811
    _, _, folder = run_fit(probe_every=0)
    assert not list(folder.glob("probes*")) and read_probes(folder) is None
    assert isinstance(start_probes(25, False, is_main=False), NoProbes)
    assert not isinstance(start_probes(25, False, is_main=False), FoldProbes)


def test_a_run_that_began_without_probes_may_go_on_with_them(run_fit):  # noqa: F811
    run_fit("a", epochs=1, probe_every=0)
    _, run, folder = run_fit("a", epochs=3, probe_every=1)
    assert read_probes(folder).layers["epoch"].unique().tolist() == [2, 3]
    assert "probes" not in pd.read_csv(folder / "history.csv").columns and run.epoch == 3


@pytest.mark.parametrize("damage", ["torn", "missing", "columns"])
def test_damaged_files_are_named(run_fit, damage):  # noqa: F811
    _, _, folder = run_fit(epochs=1)
    if damage == "torn":
        (folder / "probes.npz").write_bytes((folder / "probes.npz").read_bytes()[:100])
    elif damage == "missing":
        (folder / "probes.npz").unlink()
    else:
        pd.DataFrame({"epoch": [1]}).to_csv(folder / "probes.csv", index=False)
    with pytest.raises(ValueError, match=r"probes\.csv.*Delete"):
        read_probes(folder)


def test_merit_and_change_by_hand():
    values = np.array([[0.5, 0.5], [0.1, 0.9]], np.float32)
    assert merit(values, np.array([0, 0]), Task.MULTICLASS).tolist() == pytest.approx([0.5, 0.1])
    assert merit(values, np.array([[1.0, 1.0], [0.0, 0.0]]), Task.MULTILABEL).tolist() == pytest.approx(
        [0.5, 0.5]
    )
    assert merit(values, values, Task.REGRESSION).tolist() == pytest.approx([0.5, 0.1])
    moved = np.array([[0.0, 1.0], [0.1, 0.9]])
    assert change(values, moved, Task.MULTICLASS) == pytest.approx(0.25)
    assert change(values, moved, Task.REGRESSION) == pytest.approx(0.25)


@pytest.mark.parametrize("channels", [1, 3, 6])
def test_pictures_of_any_channels_are_made_smaller(channels):
    pictures = np.random.default_rng(0).integers(0, 256, (2, 64, 128, channels), dtype=np.uint8)
    got = smaller(pictures)
    assert got.shape == (2, 48, 96, channels) and got.dtype == np.uint8
    # three quarters: each pixel is the mean of four thirds by four thirds
    want = pictures.repeat(3, axis=1).repeat(3, axis=2).reshape(2, 48, 4, 96, 4, channels).mean(axis=(2, 4))
    assert np.abs(got - want).max() <= 0.5 + 1e-6


@pytest.mark.parametrize(
    "every, windows, epochs",
    [(50, 10, 5000), (1, 7, 1), (1, 1, 40), (3, 100, 299), (50, 10_000, 301), (25, 33, 20)],
)
def test_no_run_is_probed_more_often_than_it_may(every, windows, epochs):
    probed = np.arange(windows * epochs) % interval(every, windows, epochs) == 0
    assert probed.sum() <= PER_RUN and probed.reshape(epochs, windows).sum(axis=1).max() <= PER_EPOCH
    assert interval(every, windows, epochs) >= every
