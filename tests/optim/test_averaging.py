import io

import pytest
import torch
from timm.utils import ModelEmaV3
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from compkit.optim import EMA, NoAveraging


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2))


def steps(model: nn.Module, count: int, seed: int = 1):
    """Change all weights and running statistics, as training does."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        with torch.no_grad():
            for param in model.parameters():
                param += 0.1 * torch.randn(param.shape, generator=generator)
        model.train()(torch.randn(4, 1, 4, 4, generator=generator))
        yield


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("warmup, count", [(False, 7), (True, 30)])
def test_equals_the_closed_form(warmup, count):
    """average_n = sum over history of weight times the product of later decays, in float64."""
    model = net()
    ema = EMA(model, decay=0.6, warmup=warmup)
    want = {name: value.double() for name, value in state(model).items()}
    for update, _ in enumerate(steps(model, count)):
        ema.update(model)
        decay = min(0.6, (1 + update) / (10 + update)) if warmup else 0.6
        now = state(model)
        for name in want:
            want[name] = decay * want[name] + (1 - decay) * now[name].double()
    for name, value in ema.model.state_dict().items():
        if value.is_floating_point():
            torch.testing.assert_close(value.double(), want[name], rtol=1e-5, atol=1e-6)


def test_equals_torch_and_timm():
    model = net()
    ours = EMA(model, decay=0.9, warmup=False)
    timms = ModelEmaV3(model, decay=0.9)
    torchs = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    torchs.update_parameters(model)  # its first call copies
    for _ in steps(model, 9):
        ours.update(model)
        timms.update(model)
        torchs.update_parameters(model)
    for name, value in ours.model.state_dict().items():
        torch.testing.assert_close(value, timms.module.state_dict()[name])
        if value.is_floating_point():
            torch.testing.assert_close(value, torchs.module.state_dict()[name])


def test_float_buffers_are_averaged_and_integer_ones_copied():
    model = net()
    ema = EMA(model, decay=0.5, warmup=False)
    for _ in steps(model, 3):
        ema.update(model)
    assert ema.model[1].num_batches_tracked == model[1].num_batches_tracked == 3
    assert not torch.equal(ema.model[1].running_mean, model[1].running_mean)
    assert not torch.equal(ema.model[1].running_mean, torch.zeros(3))


def test_half_life_halves():
    model = nn.Linear(1, 1, bias=False).double()
    nn.init.ones_(model.weight)
    ema = EMA(model, half_life_steps=20, warmup=False)
    nn.init.zeros_(model.weight)
    for _ in range(20):
        ema.update(model)
    assert ema.model.weight.item() == pytest.approx(0.5)


def test_the_first_update_with_warm_up_is_nine_tenths_new():
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    ema = EMA(model, decay=0.9999)
    nn.init.ones_(model.weight)
    ema.update(model)
    assert ema.model.weight.item() == pytest.approx(0.9)


def test_copy_is_apart_in_eval_mode_and_without_gradients():
    model = net().train()
    ema = EMA(model, decay=0.9)
    before = state(model)
    for _ in steps(model, 2):
        pass
    assert all(torch.equal(value, before[name]) for name, value in ema.model.state_dict().items())
    assert not ema.model.training
    assert model.training
    assert not any(param.requires_grad for param in ema.model.parameters())
    assert all(param.requires_grad for param in model.parameters())


def test_update_does_not_touch_the_model():
    model = net()
    ema = EMA(model, decay=0.9)
    for _ in steps(model, 1):
        before = state(model)
        ema.update(model)
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_resumed_average_is_bit_equal():
    model = net()
    whole = EMA(model, decay=0.99)
    other = EMA(model, decay=0.99)
    for done, _ in enumerate(steps(model, 12)):
        whole.update(model)
        if done < 5:
            other.update(model)
        if done == 4:
            file = io.BytesIO()
            torch.save(other.state_dict(), file)
            file.seek(0)
            resumed = EMA(net(), decay=0.99)
            resumed.load_state_dict(torch.load(file, weights_only=True))
        if done > 4:
            resumed.update(model)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, resumed.model.state_dict()[name])


def test_average_of_equal_weights_stays_bit_equal():
    model = net()
    ema = EMA(model, decay=0.7)
    for _ in range(5):
        ema.update(model)
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in ema.model.state_dict().items())


def test_no_averaging_has_the_same_interface():
    averaging = NoAveraging(net())
    averaging.update(net())
    assert averaging.state_dict() == {}
    averaging.load_state_dict({})
    assert averaging.model is None


@pytest.mark.parametrize(
    "settings, message",
    [
        ({}, "exactly one"),
        ({"decay": 0.9, "half_life_steps": 10}, "exactly one"),
        ({"decay": 1.0}, "averaging.decay: got 1.0"),
        ({"decay": -0.1}, "averaging.decay: got -0.1"),
        ({"half_life_steps": 0}, "averaging.half_life_steps: got 0"),
    ],
)
def test_wrong_settings_name_their_key(settings, message):
    with pytest.raises(ValueError, match=message):
        EMA(nn.Linear(1, 1), **settings)
