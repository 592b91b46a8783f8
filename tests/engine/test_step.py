"""One step: memory that runs out, mixed images, losses with weights of their own, L1, several closures."""

import numpy as np
import pytest
import torch
from torch import nn

from compkit.data import Mixing
from compkit.engine import Ranks, Stepper, TrainerSettings
from compkit.engine.step import MicroBatch, clip_gradients
from compkit.losses import Center, CrossEntropy, TopK, WeightedSum
from compkit.optim import EMA, SWA, CosineCycles, Finetune, param_groups
from compkit.types import Moment, Targets

from .conftest import CLASSES, tiny_net

MOMENT = Moment(0, 0.0, 4)
SETTINGS = TrainerSettings(device="cpu", precision="fp32")


def weights_of(learner):
    return torch.cat([parameter.detach().flatten() for parameter in learner.model.parameters()])


@pytest.fixture
def stepper(run_fit):
    """A stepper around an untrained net without batch norm, and a window of two micro-batches of 8."""

    def call(settings=SETTINGS, mixing=None, loss=None, **changes):
        model = tiny_net(norm=False)
        learner, _, _ = run_fit(
            f"setup_{np.random.randint(1 << 30)}", model, loss=loss, epochs=1, mixing=mixing, **changes
        )
        made = Stepper(learner, run_fit.data[-1], settings, Ranks())
        model.load_state_dict(tiny_net(norm=False).state_dict())
        windows = []
        for start in (0, 8):
            rows = torch.arange(start, start + 8)
            data = made.data
            batch = next(iter(data.loader.batches([type("D", (), {"rows": rows.numpy(), "seed": 1})()])))
            windows.append(made.micro_batch(batch, type("D", (), {"seed": start})(), MOMENT))
        return made, windows

    return call


def gradients(stepper, window):
    stepper.gradient(window)
    return [parameter.grad.clone() for parameter in stepper.learner.model.parameters()]


@pytest.mark.parametrize("mixing", [None, Mixing(mixup_alpha=1.0, cutmix_alpha=1.0)])
def test_cutting_micro_batches_leaves_the_gradient(stepper, mixing):
    made, window = stepper(mixing=mixing, loss=CrossEntropy(class_weight=[1, 2, 5], smoothing=0.1))
    whole = gradients(made, window)
    made.parts = 3  # of 8 rows: 3 + 3 + 2
    for one, other in zip(whole, gradients(made, window), strict=True):
        torch.testing.assert_close(other, one, rtol=1e-5, atol=1e-7)


class Greedy(nn.Module):
    """Runs out of memory on more than `limit` images."""

    def __init__(self, net, limit):
        super().__init__()
        self.net, self.limit = net, limit

    def forward(self, images, targets=None):
        if self.training and len(images) > self.limit:
            raise torch.OutOfMemoryError("not enough")
        return self.net(images, targets)


def test_memory_that_runs_out_shrinks_the_micro_batch_and_nothing_else(run_fit):
    def train(name, limit, epochs=2, **changes):
        learner, run, _folder = run_fit(name, Greedy(tiny_net(norm=False), limit), epochs=epochs, **changes)
        return weights_of(learner), run

    plain, run = train("plain", 100, batch_size=10)
    shrunk, shrunk_run = train("shrunk", 5, batch_size=10)
    torch.testing.assert_close(shrunk, plain, rtol=1e-4, atol=1e-6)
    assert run.history[-1]["train_loss"] == pytest.approx(shrunk_run.history[-1]["train_loss"], rel=1e-5)
    with pytest.raises(torch.OutOfMemoryError):
        train("hopeless", 0, batch_size=10)


def test_shrunk_micro_batches_survive_resuming(run_fit):
    train = lambda name, epochs: run_fit(name, Greedy(tiny_net(), 5), epochs=epochs, batch_size=10)  # noqa: E731
    straight = weights_of(train("straight", 4)[0])
    train("stopped", 2)
    assert torch.equal(weights_of(train("stopped", 4)[0]), straight)


@pytest.mark.parametrize("accumulate", [1, 3])
def test_mixing_with_everything_resumes_bit_equal(run_fit, accumulate):
    """Mixup and cutmix, top-k with warm-up, smoothing, class weights, average, freezing: killed and continued."""

    def train(name, **changes):
        loss = CrossEntropy(smoothing=0.1, class_weight=[1, 2, 5], reduce=TopK(fraction=0.7, warmup_epochs=2))
        finetune = Finetune()
        return run_fit(
            name,
            tiny_net(dropout=0.2),
            loss,
            averaging=lambda model: EMA(model, decay=0.9),
            mixing=Mixing(mixup_alpha=0.4, cutmix_alpha=1.0, off_epochs=1),
            finetune=finetune,
            epochs=4,
            batch_size=4,
            accumulate=accumulate,
            checkpoint_every_steps=1,
            **changes,
        )

    learner, run, _folder = train("straight")
    with pytest.raises(KeyboardInterrupt):
        train("killed", fail_at=14)
    again, run_again, _ = train("killed")
    assert torch.equal(weights_of(again), weights_of(learner))
    assert torch.equal(again.averaging.model[0].weight, learner.averaging.model[0].weight)
    assert [row["train_loss"] for row in run.history] == [row["train_loss"] for row in run_again.history]


def test_centers_move_and_resume(run_fit):
    def train(name, **changes):
        torch.manual_seed(1)
        counts = np.array([10, 10, 10])
        terms = {"cross_entropy": CrossEntropy, "center": Center}
        loss = WeightedSum(terms, weights={"center": 0.0005}, class_counts=counts)
        loss.prepare(4)
        start = next(loss.parameters()).detach().clone()
        learner, run, _ = run_fit(name, loss=loss, epochs=3, checkpoint_every_steps=1, **changes)
        return start, next(learner.loss.parameters()).detach(), run

    start, centers, run = train("straight")
    assert not torch.allclose(start, centers)
    assert {"train_cross_entropy", "train_center"} <= set(run.history[0])
    row = run.history[0]
    assert row["train_loss"] == pytest.approx(row["train_cross_entropy"] + row["train_center"])
    with pytest.raises(KeyboardInterrupt):
        train("killed", fail_at=6)
    assert torch.equal(train("killed")[1], centers)


def test_terms_are_weighted_apart(run_fit):
    """With accumulation each term of a sum is the big batch's: class-weighted cross-entropy beside a plain one."""

    def train(name, **changes):
        terms = {"weighted": lambda class_counts: CrossEntropy(class_weight=[1, 2, 9]), "plain": CrossEntropy}
        return weights_of(run_fit(name, tiny_net(norm=False), WeightedSum(terms), epochs=1, **changes)[0])

    big, small = train("big", batch_size=24), train("small", batch_size=4, accumulate=6)
    torch.testing.assert_close(small, big, rtol=1e-4, atol=1e-6)


def test_l1_is_part_of_the_gradient(stepper):
    made, window = stepper(optimizer=lambda model: torch.optim.SGD(param_groups(model, 0.1, 0.0)))
    plain = gradients(made, window)
    made.settings = TrainerSettings(device="cpu", precision="fp32", l1=0.01)
    for parameter, before, after in zip(
        made.learner.model.parameters(), plain, gradients(made, window), strict=True
    ):
        want = before + (0.01 * parameter.sign() if parameter.ndim > 1 else 0)
        torch.testing.assert_close(after, want)


def test_adaptive_clipping_bounds_each_filter():
    model = nn.Linear(3, 2, bias=False)
    model.weight.grad = torch.full((2, 3), 100.0)
    clip_gradients(model, TrainerSettings(clip="adaptive", clip_at=0.1))
    ratio = model.weight.grad.norm(dim=1) / model.weight.detach().norm(dim=1)
    torch.testing.assert_close(ratio, torch.full((2,), 0.1))


def test_lbfgs_fits_a_small_problem(run_fit):
    def make(model):
        return torch.optim.LBFGS(model.parameters(), lr=1.0, max_iter=20, line_search_fn="strong_wolfe")

    _, run, _ = run_fit(model=tiny_net(norm=False), optimizer=make, epochs=5, batch_size=30)
    _, plain, _ = run_fit("sgd", model=tiny_net(norm=False), epochs=5, batch_size=30)
    assert run.history[-1]["train_loss"] < plain.history[-1]["train_loss"] - 0.05
    with pytest.raises(ValueError, match="precision=fp32"):
        run_fit("fp16", optimizer=make, precision="fp16")


def test_swa_is_evaluated_with_statistics_of_its_own(run_fit):
    _learner, run, folder = run_fit(averaging=lambda model: SWA(model, start=0.5), epochs=4)
    row = run.history[-1]
    assert "swa_val_log_loss" not in run.history[0] and "swa_val_log_loss" in row
    reestimated, best = row["swa_reestimated_val_log_loss"], run.best["swa"]["score"]
    assert best == min(
        *(one["swa_val_log_loss"] for one in run.history[1:] if "swa_val_log_loss" in one), reestimated
    )
    assert (folder / "swa.safetensors").is_file()


def test_a_snapshot_for_each_cycle(run_fit):
    _, _, folder = run_fit(schedule=CosineCycles(cycles=2), epochs=4)
    assert sorted(file.name for file in folder.glob("snapshot_*")) == [
        "snapshot_1.safetensors",
        "snapshot_2.safetensors",
    ]


def test_a_term_that_drowns_the_others_is_told(run_fit, capsys):
    from compkit.engine import Console
    from compkit.engine.terms import TermScales

    scales = TermScales(["cross_entropy", "center"], Console())
    for _ in range(20):
        scales.add(torch.tensor([1.0, 500.0]))
    scales.add(torch.tensor([1.0, 1.0]))
    assert capsys.readouterr().out.count("loss.weights") >= 1


def test_auxiliary_labels_travel_with_their_rows(run_fit):
    from compkit.losses import AuxiliaryTerm, WithAuxiliary
    from compkit.types import Outputs, Task

    seen = []

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.net, self.extra = tiny_net(), nn.Linear(4, 2)

        def forward(self, images, targets=None):
            outputs = self.net(images, targets)
            if targets is None:
                return outputs
            seen.append(targets)
            return Outputs(outputs.logits, outputs.features, auxiliary={"odd": self.extra(outputs.features)})

    odd = np.arange(40) % 2
    odd[:4] = -1
    loss = WithAuxiliary(CrossEntropy(), {"odd": AuxiliaryTerm(Task.MULTICLASS, 0.5)})
    _, run, _ = run_fit(
        model=Net(), loss=loss, auxiliary={"odd": odd}, mixing=Mixing(), epochs=1, train_rows=30
    )
    assert {"train_loss", "train_target", "train_auxiliary_odd"} <= set(run.history[0])
    assert all(one.auxiliary["odd"].share is one.share for one in seen)
    assert CLASSES == 3 and isinstance(seen[0], Targets) and MicroBatch._fields[0] == "images"
