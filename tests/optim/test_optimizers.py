import pytest
import torch
from torch import nn
from torch.nn import functional as F

from compkit.optim import LBFGS, SGD, Adadelta, Adagrad, Adam, AdamW, RMSprop, TimmOptimizer

ALL_BUILDERS = [
    SGD(lr=0.1),
    SGD(lr=0.05, weight_decay=1e-3, momentum=0.9),
    SGD(lr=0.05, weight_decay=1e-3, momentum=0.9, nesterov=True),
    Adam(lr=0.02, weight_decay=1e-2),
    AdamW(lr=0.02, weight_decay=0.1),
    Adagrad(lr=0.1, weight_decay=1e-3),
    Adadelta(lr=3.0),
    RMSprop(lr=0.01),
    RMSprop(lr=0.003, momentum=0.9, centered=True),
    TimmOptimizer("lamb", lr=0.02, weight_decay=0.01),
    TimmOptimizer("lion", lr=0.01),
    TimmOptimizer("adan", lr=0.02),
    TimmOptimizer("muon", lr=0.05),
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
        (Adagrad(0.1, 1e-2, 0.1), torch.optim.Adagrad, {"initial_accumulator_value": 0.1}),
        (Adadelta(1.0, 1e-2, 0.8, 1e-5), torch.optim.Adadelta, {"rho": 0.8, "eps": 1e-5}),
        (
            RMSprop(0.01, 1e-2, 0.9, 0.8, 1e-6, True),
            torch.optim.RMSprop,
            {"alpha": 0.9, "momentum": 0.8, "eps": 1e-6, "centered": True},
        ),
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


def test_only_lbfgs_asks_for_a_closure():
    assert LBFGS(lr=1).needs_closure
    assert not any(builder.needs_closure for builder in ALL_BUILDERS)


def test_lbfgs_solves_least_squares_in_one_step():
    torch.manual_seed(0)
    inputs, targets = torch.randn(30, 4).double(), torch.randn(30, 1).double()
    model = nn.Linear(4, 1).double()
    optimizer = LBFGS(lr=1, max_iter=50)(model)

    def closure():
        optimizer.zero_grad()
        loss = F.mse_loss(model(inputs), targets)
        loss.backward()
        return loss

    optimizer.step(closure)
    columns = torch.cat([inputs, torch.ones(30, 1).double()], dim=1)
    want = torch.linalg.lstsq(columns, targets).solution[:, 0]
    torch.testing.assert_close(torch.cat([model.weight[0], model.bias]), want, rtol=0, atol=1e-4)


@pytest.mark.parametrize("line_search", [True, False])
def test_lbfgs_equals_torch(line_search):
    inputs = torch.randn(20, 4, generator=torch.Generator().manual_seed(0)).double()
    ours, theirs = nn.Linear(4, 2).double(), nn.Linear(4, 2).double()
    theirs.load_state_dict(ours.state_dict())
    search = "strong_wolfe" if line_search else None
    for model, optimizer in [
        (ours, LBFGS(lr=5, max_iter=6, history_size=2, line_search=line_search)(ours)),
        (theirs, torch.optim.LBFGS(theirs.parameters(), 5, 6, history_size=2, line_search_fn=search)),
    ]:

        def closure(model=model, optimizer=optimizer):
            optimizer.zero_grad()
            loss = (model(inputs) ** 4).mean()
            loss.backward()
            return loss

        optimizer.step(closure)
    torch.testing.assert_close(ours.state_dict(), theirs.state_dict())


def test_muon_turns_kernels_and_leaves_the_rest_to_adamw():
    """The step of a matrix has all singular values alike; that of a bias is Adam's, of size lr."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(32, 6))
    model.table = nn.Parameter(torch.zeros(8, 8))
    model.no_weight_decay = lambda: {"table"}
    options = {"momentum": 0.95, "nesterov": False, "adjust_lr_fn": "original"}
    optimizer = TimmOptimizer("muon", lr=0.01, options=options)(model)
    before = {name: param.detach().clone() for name, param in model.named_parameters()}
    (model(torch.randn(40, 4, 4, 4)).square().sum() + (model.table * torch.randn(8, 8)).sum()).backward()
    optimizer.step()
    step = {name: param.detach() - before[name] for name, param in model.named_parameters()}
    for name in ("0.weight", "3.weight"):
        values = torch.linalg.svdvals(step[name].flatten(1)) / 0.01
        assert values.min() > 0.5 and values.max() < 1.5
    for name in ("1.weight", "3.bias", "table"):
        torch.testing.assert_close(step[name].abs(), torch.full_like(step[name], 0.01), rtol=1e-2, atol=1e-5)


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
        (lambda: Adagrad(lr=1, initial_accumulator=-1), "optimizer.initial_accumulator: got -1"),
        (lambda: Adagrad(lr=1, eps=-1), "optimizer.eps: got -1"),
        (lambda: Adadelta(lr=1, rho=1), "optimizer.rho: got 1"),
        (lambda: Adadelta(lr=1, eps=-1), "optimizer.eps: got -1"),
        (lambda: RMSprop(lr=1, alpha=1), "optimizer.alpha: got 1"),
        (lambda: RMSprop(lr=1, momentum=1), "optimizer.momentum: got 1"),
        (lambda: RMSprop(lr=1, eps=-1), "optimizer.eps: got -1"),
        (lambda: LBFGS(lr=1, weight_decay=0.1), "optimizer.weight_decay: got 0.1 with optimizer=lbfgs"),
        (lambda: LBFGS(lr=1, max_iter=0), "optimizer.max_iter: got 0"),
        (lambda: LBFGS(lr=1, history_size=0.5), "optimizer.history_size: got 0.5"),
        (
            lambda: LBFGS(lr=1).from_groups([{"params": [], "lr": lr} for lr in (0.1, 1.0)]),
            "optimizer=lbfgs has one rate.*0.1, 1.*finetune.backbone_lr_factor=1",
        ),
        (lambda: TimmOptimizer("lamp", lr=1), "Close ones: .*lamb"),
        (lambda: TimmOptimizer("adahessian", lr=1), "second derivatives"),
        (lambda: TimmOptimizer("lamb", lr=1, options={"momentun": 1})(net()), "optimizer.options.*momentun"),
    ],
)
def test_wrong_settings_name_their_key(make, message):
    with pytest.raises(ValueError, match=message):
        make()
