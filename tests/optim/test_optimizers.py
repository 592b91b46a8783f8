import pytest
import torch
from torch import nn

from compkit.optim import SGD, Adam, AdamW, TimmOptimizer

ALL_BUILDERS = [
    SGD(lr=0.1),
    SGD(lr=0.05, weight_decay=1e-3, momentum=0.9),
    SGD(lr=0.05, weight_decay=1e-3, momentum=0.9, nesterov=True),
    Adam(lr=0.02, weight_decay=1e-2),
    AdamW(lr=0.02, weight_decay=0.1),
    TimmOptimizer("lamb", lr=0.02, weight_decay=0.01),
    TimmOptimizer("lookahead_adam", lr=0.02),
]


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()


def train(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> list[float]:
    images = torch.linspace(-1, 1, 24, dtype=torch.float64).reshape(8, 3)
    losses = []
    for _ in range(steps):
        loss = (model(images) - images.sum(1, keepdim=True)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("builder", ALL_BUILDERS, ids=lambda builder: type(builder).__name__)
def test_every_optimizer_learns_and_keeps_base_rates(builder):
    model = net()
    optimizer = builder(model)
    losses = train(model, optimizer, 40)
    assert losses[-1] < 0.7 * losses[0]
    assert {group["base_lr"] for group in optimizer.param_groups} == {builder.lr}


@pytest.mark.parametrize(
    "builder, reference, options",
    [
        (SGD(0.05, 1e-3, 0.9), torch.optim.SGD, {"momentum": 0.9}),
        (SGD(0.05, 1e-3, 0.9, nesterov=True), torch.optim.SGD, {"momentum": 0.9, "nesterov": True}),
        (Adam(0.02, 1e-2, (0.8, 0.99), 1e-6), torch.optim.Adam, {"betas": (0.8, 0.99), "eps": 1e-6}),
        (AdamW(0.02, 0.1), torch.optim.AdamW, {}),
    ],
)
def test_equals_torch_with_the_same_groups(builder, reference, options):
    ours, theirs = net(), net()
    weights = [theirs[0].weight, theirs[2].weight]
    biases = [theirs[0].bias, theirs[2].bias]
    groups = [
        {"params": weights, "weight_decay": builder.weight_decay},
        {"params": biases, "weight_decay": 0.0},
    ]
    train(ours, builder(ours), 5)
    train(theirs, reference(groups, lr=builder.lr, foreach=False, **options), 5)
    for got, want in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(got, want)


def test_kernels_are_fused_on_a_cpu():
    assert AdamW(lr=0.1)(net()).defaults["fused"] is True


def test_groups_keep_their_own_rates():
    model = net()
    groups = [
        {"params": list(model[0].parameters()), "lr": 0.001, "base_lr": 0.001},
        {"params": list(model[2].parameters()), "lr": 0.01, "base_lr": 0.01},
    ]
    optimizer = AdamW(lr=0.5, weight_decay=0.1).from_groups(groups)
    assert [group["lr"] for group in optimizer.param_groups] == [0.001, 0.01]


def test_command_line_numbers_may_be_ints_or_text():
    assert Adam(lr="3e-4", betas=[0, 0.9]).lr == pytest.approx(3e-4)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: SGD(lr=-1), r"^lr: got -1"),
        (lambda: SGD(lr=float("nan")), r"^lr: got nan"),
        (lambda: SGD(lr="fast"), r"^lr: got 'fast'"),
        (lambda: AdamW(lr=1, weight_decay=-0.1), "optimizer.weight_decay: got -0.1"),
        (lambda: SGD(lr=1, momentum=1), "optimizer.momentum: got 1"),
        (lambda: SGD(lr=1, nesterov=True), "needs optimizer.momentum"),
        (lambda: Adam(lr=1, betas=(0.9, 1)), "optimizer.betas: got 1"),
        (lambda: Adam(lr=1, betas=(0.9,)), "expected two numbers"),
        (lambda: Adam(lr=1, eps=-1), "optimizer.eps: got -1"),
        (lambda: TimmOptimizer("lamp", lr=1), "Close ones: .*lamb"),
        (lambda: TimmOptimizer("adahessian", lr=1), "second derivatives"),
        (lambda: TimmOptimizer("lamb", lr=1, options={"momentun": 1})(net()), "optimizer.options.*momentun"),
    ],
)
def test_wrong_settings_name_their_key(make, message):
    with pytest.raises(ValueError, match=message):
        make()
