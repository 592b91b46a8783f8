import io
from copy import deepcopy

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, update_bn

from compkit.optim import EMA, SWA, NoAveraging, batch_norm_reestimation

from .test_averaging import net, state, steps


@pytest.mark.parametrize(
    "start, epochs, first", [(0.75, 8, 6), (0.75, 10, 8), (0.0, 3, 1), (1.0, 4, 4), (0.07, 100, 7)]
)
def test_is_the_plain_mean_of_the_last_epochs(start, epochs, first):
    model = net()
    swa = SWA(model, start=start)
    seen = []
    for epoch, _ in enumerate(steps(model, epochs), start=1):
        swa.end_epoch(model, epoch, epochs)
        assert (swa.model is None) == (epoch < first)
        if epoch >= first:
            seen.append(state(model))
    for name, value in swa.model.state_dict().items():
        if value.is_floating_point():
            want = torch.stack([one[name].double() for one in seen]).mean(0)
            torch.testing.assert_close(value.double(), want, rtol=1e-5, atol=1e-5)
        else:
            assert torch.equal(value, seen[-1][name])


def test_equals_torch():
    model = net()
    ours, theirs = SWA(model, start=0.5), AveragedModel(model)
    for epoch, _ in enumerate(steps(model, 8), start=1):
        ours.update(model)
        ours.end_epoch(model, epoch, 8)
        if epoch >= 4:
            theirs.update_parameters(model)
    for got, want in zip(ours.model.parameters(), theirs.module.parameters(), strict=True):
        torch.testing.assert_close(got, want)


def test_resumed_average_is_bit_equal():
    model = net()
    whole, other = SWA(model, start=0.5), SWA(model, start=0.5)
    for epoch, _ in enumerate(steps(model, 8), start=1):
        whole.end_epoch(model, epoch, 8)
        other.end_epoch(model, epoch, 8)
        if epoch in (2, 5):
            file = io.BytesIO()
            torch.save(other.state_dict(), file)
            file.seek(0)
            other = SWA(net(), start=0.5)
            other.load_state_dict(torch.load(file, weights_only=True))
            assert (other.model is None) == (epoch == 2)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, other.model.state_dict()[name])


def test_a_run_continued_for_longer_begins_its_average_anew():
    model = net()
    swa = SWA(model, start=0.5)
    for epoch, _ in enumerate(steps(model, 4), start=1):
        swa.end_epoch(model, epoch, 4)
    swa.end_epoch(model, 5, 20)
    assert swa.model is None


def test_names_and_needs():
    model = net()
    assert (EMA(model, decay=0.9).name, SWA(model).name) == ("ema", "swa")
    assert [one.needs_batch_norm for one in (NoAveraging(model), EMA(model, decay=0.9), SWA(model))] == [
        False,
        False,
        True,
    ]
    before = EMA(model, decay=0.9)
    before.end_epoch(model, 1, 2)
    assert before.updates == 0


def test_copy_is_in_eval_mode_and_without_gradients():
    model = net().train()
    swa = SWA(model, start=0)
    swa.end_epoch(model, 1, 1)
    assert not swa.model.training
    assert not any(param.requires_grad for param in swa.model.parameters())
    assert model.training


@pytest.mark.parametrize("start", [-0.1, 1.5, None])
def test_start_outside_its_range_is_refused(start):
    with pytest.raises(ValueError, match=r"averaging\.start: got"):
        SWA(net(), start=start)


def batches() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(6, 1, 4, 4, generator=generator) * 2 + 1 for _ in range(5)]


def test_reestimated_statistics_are_those_of_the_data():
    model = net().eval()
    with torch.no_grad(), batch_norm_reestimation(model):
        for images in batches():
            model(images)
        maps = [model[0](images).double() for images in batches()]
    mean = torch.stack([one.mean((0, 2, 3)) for one in maps]).mean(0)
    variance = torch.stack([one.var((0, 2, 3), unbiased=True) for one in maps]).mean(0)
    torch.testing.assert_close(model[1].running_mean.double(), mean, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(model[1].running_var.double(), variance, rtol=1e-5, atol=1e-5)


def test_reestimated_statistics_equal_torch():
    ours, theirs = net(), net()
    with torch.no_grad(), batch_norm_reestimation(ours):
        for images in batches():
            ours(images)
    update_bn(batches(), theirs)
    for name, value in ours.state_dict().items():
        torch.testing.assert_close(value, theirs.state_dict()[name])


def test_only_batch_norms_train_and_all_is_as_before_afterwards():
    model = nn.Sequential(nn.BatchNorm2d(1, momentum=0.3), nn.Dropout(), nn.BatchNorm2d(1)).train()
    model[2].eval()
    with pytest.raises(KeyError), batch_norm_reestimation(model):
        assert [module.training for module in model] == [True, False, True]
        assert model[0].momentum is None
        raise KeyError
    assert [module.training for module in model] == [True, True, False]
    assert (model[0].momentum, model[2].momentum) == (0.3, 0.1)
    assert model.training


def test_frozen_batch_norms_keep_their_statistics() -> None:
    live = nn.Sequential(nn.BatchNorm1d(2), nn.BatchNorm1d(2))
    live[0].requires_grad_(False)
    average = deepcopy(live).requires_grad_(False)
    with batch_norm_reestimation(average, live):
        average(torch.tensor([[1.0, 2.0], [3.0, 6.0]]))
    assert torch.equal(average[0].running_mean, torch.zeros(2))
    assert not torch.equal(average[1].running_mean, torch.zeros(2))
