import copy
import math

import pytest
import timm
import torch
from timm.optim import param_groups_layer_decay
from torch import nn

from compkit.models import AvgPool, Backbone, BNNeck, Classifier, GeM, LinearHead, NoNeck
from compkit.optim import LBFGS, SGD, AdamW, Finetune, param_groups
from compkit.optim.places import backbone_places

from .test_groups import names_of

ALL_FINETUNES = [
    Finetune(),
    Finetune(freeze_backbone_epochs=2),
    Finetune(freeze_stages=2),
    Finetune(freeze_stages="all"),
    Finetune(backbone_lr_factor=0.1),
    Finetune(layer_decay=0.5),
    Finetune(freeze_backbone_epochs=3, freeze_stages=1, backbone_lr_factor=0.5, layer_decay=0.8),
]


def net(backbone: str = "test_resnet", **options) -> Classifier:
    torch.manual_seed(0)
    return Classifier(backbone, GeM, BNNeck, LinearHead, num_outputs=3, pretrained=False, **options)


def trained(model: nn.Module) -> set[str]:
    return {name for name, param in model.named_parameters() if param.requires_grad}


def rates(model: nn.Module, groups: list[dict]) -> dict[str, float]:
    of = {id(param): group["lr"] for group in groups for param in group["params"]}
    return {name: of[id(param)] for name, param in model.named_parameters() if id(param) in of}


@pytest.mark.parametrize("finetune", ALL_FINETUNES)
def test_each_parameter_that_is_ever_trained_is_in_one_group(finetune):
    model = net()
    designed = trained(model)
    groups = finetune.groups(model, 0.1, 0.05)
    listed = [id(param) for group in groups for param in group["params"]]
    assert len(listed) == len(set(listed))
    finetune.apply(model, 1000)
    assert set().union(*(names_of(model, group) for group in groups)) == trained(model)
    assert "neck.norm.bias" not in trained(model)
    assert trained(model) <= designed


@pytest.mark.parametrize("finetune", ALL_FINETUNES)
def test_decay_is_that_of_plain_groups(finetune):
    model = net()
    plain = {group["name"]: names_of(model, group) for group in param_groups(model, 0.1, 0.05)}
    for group in finetune.groups(model, 0.1, 0.05):
        kind = group["name"].rpartition(".")[2]
        assert names_of(model, group) <= plain[kind]
        assert (group["weight_decay"], group["decayed"]) == (
            (0.05, True) if kind == "decay" else (0.0, False)
        )
        assert group["base_lr"] == group["lr"]
    assert {"pooling.p", "neck.norm.weight"} <= plain["no_decay"]


def test_full_is_the_plain_groups():
    assert Finetune().groups(nn.Linear(2, 1), 0.1, 0.05)[0]["name"] == "decay"
    assert not Finetune().apply(nn.Linear(2, 1), 0)


def test_backbone_learns_at_its_share_of_the_rate():
    model = net()
    for name, rate in rates(model, Finetune(backbone_lr_factor=0.1).groups(model, 0.5, 0.0)).items():
        assert rate == pytest.approx(0.05 if name.startswith("backbone.") else 0.5)


@pytest.mark.parametrize(
    "name", ["test_resnet", "test_vit", "test_convnext", "test_efficientnet", "cait_xxs24_224"]
)
def test_layer_decay_equals_timm(name):
    theirs = timm.create_model(name, num_classes=3)
    want = {}
    for group in param_groups_layer_decay(theirs, layer_decay=0.7):
        want |= dict.fromkeys(names_of(theirs, group), group["lr_scale"])
    model = Classifier(name, AvgPool, NoNeck, LinearHead, num_outputs=3, pretrained=False, image_size=32)
    got = rates(model, Finetune(layer_decay=0.7).groups(model, 1.0, 0.0))
    assert got.pop("head.linear.weight") == got.pop("head.linear.bias") == 1
    assert got
    for parameter, rate in got.items():
        assert rate == pytest.approx(want[parameter.removeprefix("backbone.model.")]), parameter


def test_factors_multiply():
    model = net()
    both = rates(model, Finetune(backbone_lr_factor=0.1, layer_decay=0.5).groups(model, 1.0, 0.0))
    layers = rates(model, Finetune(layer_decay=0.5).groups(model, 1.0, 0.0))
    for name, rate in both.items():
        assert rate == pytest.approx(layers[name] * (0.1 if name.startswith("backbone.") else 1))


def test_stages_count_from_the_stem():
    model = net()
    Finetune(freeze_stages=2).apply(model, 0)
    frozen = {name for name, param in model.named_parameters() if not param.requires_grad}
    want = {
        name
        for name, _ in model.named_parameters()
        if name.startswith(("backbone.model.conv1", "backbone.model.bn1", "backbone.model.layer1"))
    }
    assert frozen == want | {"neck.norm.bias"}


def test_as_many_stages_as_there_are_is_the_whole_backbone():
    by_number, by_word = net(), net()
    Finetune(freeze_stages=5).apply(by_number, 0)
    Finetune(freeze_stages="all").apply(by_word, 0)
    assert trained(by_number) == trained(by_word) == {"pooling.p", "neck.norm.weight", "head.linear.weight"}


def test_freezing_is_a_function_of_the_epoch():
    model, finetune = net(), Finetune(freeze_backbone_epochs=2, freeze_stages=1)
    designed = trained(model)
    above = {name for name in designed if not name.startswith("backbone.")}
    finetune.groups(model, 0.1, 0.0)
    assert finetune.apply(model, 0) is True
    assert trained(model) == above
    assert finetune.apply(model, 1) is False
    assert finetune.apply(model, 2) is True
    later = trained(model)
    assert above < later < designed
    assert finetune.apply(model, 3) is False

    resumed = net()
    assert finetune.apply(resumed, 7) is True  # the stem
    assert trained(resumed) == later
    finetune.apply(resumed, 0)
    assert trained(resumed) == above


def test_a_copy_made_while_frozen_has_the_same_groups():
    model, finetune = net(), Finetune(freeze_backbone_epochs=2)
    before = [group["name"] for group in finetune.groups(model, 0.1, 0.0)]
    finetune.apply(model, 0)
    double = copy.deepcopy(model)
    assert [group["name"] for group in finetune.groups(double, 0.1, 0.0)] == before
    finetune.apply(double, 2)
    assert "backbone.model.conv1.0.weight" in trained(double)
    assert "neck.norm.bias" not in trained(double)


def test_frozen_weights_and_statistics_do_not_move():
    model, finetune = net(image_size=32), Finetune(freeze_backbone_epochs=1)
    optimizer = AdamW(lr=0.1, weight_decay=0.1).from_groups(finetune.groups(model, 0.1, 0.1))
    for epoch, moves in [(0, False), (1, True)]:
        finetune.apply(model, epoch)
        model.train()
        before = {name: value.clone() for name, value in model.state_dict().items()}
        outputs = model(torch.randn(4, 3, 32, 32))
        getattr(outputs, "logits", outputs).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
        after = model.state_dict()
        same = {name for name in after if torch.equal(after[name], before[name])}
        inside = {name for name in after if name.startswith("backbone.")}
        # a branch that starts at zero has no gradient, but for weight decay its kernels would stay too
        kernels = {name for name in inside if after[name].ndim > 1 or name.endswith("running_mean")}
        assert (not kernels & same) if moves else (inside <= same)
        assert "head.linear.weight" not in same


def test_summary_lists_every_part():
    model, finetune = net(), Finetune(freeze_backbone_epochs=2, freeze_stages=1, backbone_lr_factor=0.1)
    optimizer = AdamW(lr=0.1, weight_decay=0.05).from_groups(finetune.groups(model, 0.1, 0.05))
    rows = {row["name"]: row for row in finetune.summary(model, optimizer, epoch=0)}
    assert rows["backbone.stage0"]["frozen"] == "always"
    assert rows["backbone.stage0"]["batch_norm"] == "eval"
    stage = rows["backbone.stage3.no_decay"]
    assert (stage["frozen"], stage["batch_norm"]) == ("until epoch 2", "eval")
    assert (stage["lr"], stage["weight_decay"]) == (pytest.approx(0.01), 0.0)
    assert (rows["head.no_decay"]["frozen"], rows["head.no_decay"]["batch_norm"]) == ("no", "train")
    assert (rows["head.decay"]["weight_decay"], rows["head.decay"]["batch_norm"]) == (0.05, "")
    fixed = model.neck.norm.bias.numel()
    assert (
        sum(row["parameters"] for row in rows.values()) == sum(p.numel() for p in model.parameters()) - fixed
    )
    later = {row["name"]: row for row in finetune.summary(model, optimizer, epoch=2)}
    assert (later["backbone.stage3.no_decay"]["frozen"], later["backbone.stage0"]["frozen"]) == (
        "no",
        "always",
    )
    assert later["backbone.stage3.no_decay"]["batch_norm"] == "train"


def test_summary_of_one_vector_and_of_plain_groups():
    model, finetune = net(), Finetune(freeze_backbone_epochs=2)
    (row,) = finetune.summary(model, LBFGS(lr=1).from_groups(finetune.groups(model, 1.0, 0.0)), epoch=0)
    assert (row["frozen"], row["batch_norm"]) == ("partly", "mixed")
    plain = Finetune().summary(model, SGD(lr=0.1)(model), epoch=0)
    assert [(row["name"], row["frozen"]) for row in plain] == [("decay", "no"), ("no_decay", "no")]


class Wrapped(nn.Module):
    """A model whose backbone is no network of timm."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
        self.head = nn.Linear(2, 1)


def test_a_backbone_without_stages_can_be_frozen_as_a_whole():
    model = Wrapped()
    groups = Finetune(freeze_backbone_epochs=1, backbone_lr_factor=0.1).groups(model, 1.0, 0.0)
    assert [group["name"] for group in groups] == [
        "backbone.rest.decay",
        "backbone.rest.no_decay",
        "head.decay",
        "head.no_decay",
    ]


def test_what_a_backbone_has_beside_timms_network_sits_above_its_stages():
    model = net()
    model.backbone.extra = nn.Linear(2, 2)
    places, stages = backbone_places(model, needed=True)
    assert places["backbone.extra.weight"] == (None, 0)
    assert stages == 5


def only_backbone() -> nn.Module:
    return nn.ModuleDict({"backbone": Backbone("test_resnet", image_size=32)})


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: Finetune(freeze_backbone_epochs=-1), "finetune.freeze_backbone_epochs: got -1"),
        (lambda: Finetune(freeze_backbone_epochs=0.5), "finetune.freeze_backbone_epochs: got 0.5"),
        (lambda: Finetune(freeze_backbone_epochs=3).check(3), "the run has only 3 epochs.*freeze_stages=all"),
        (lambda: Finetune(freeze_stages="first"), "finetune.freeze_stages: got 'first'"),
        (lambda: Finetune(freeze_stages=6).groups(net(), 1, 0), "got 6, but this backbone has 5 stages"),
        (lambda: Finetune(backbone_lr_factor=0), "finetune.backbone_lr_factor: got 0"),
        (lambda: Finetune(layer_decay=1.1), "finetune.layer_decay: got 1.1"),
        (lambda: Finetune(layer_decay=math.nan), "finetune.layer_decay: got nan"),
        (
            lambda: Finetune(freeze_stages=1).groups(nn.Linear(2, 2), 1, 0),
            "Linear has no backbone.*finetune=full",
        ),
        (lambda: Finetune(layer_decay=0.5).groups(Wrapped(), 1, 0), "stages of a NoneType are not known"),
        (lambda: Finetune(freeze_stages=1).apply(Wrapped(), 0), "finetune.freeze_stages=0"),
        (lambda: Finetune(freeze_stages="all").groups(only_backbone(), 1, 0), "nothing to train"),
    ],
)
def test_wrong_settings_name_their_key(make, message):
    with pytest.raises(ValueError, match=message):
        make()
