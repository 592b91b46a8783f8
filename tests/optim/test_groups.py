import pytest
import timm
import torch
from timm.optim import param_groups_weight_decay
from torch import nn

from compkit.optim import param_groups
from compkit.optim.groups import undecayed


class Net(nn.Module):
    """One of each kind that weight decay treats specially, and a backbone that declares a name."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.bn = nn.BatchNorm2d(4)
        self.norm_2d = nn.LayerNorm([4, 6])
        self.gem_p = nn.Parameter(torch.tensor(3.0))
        self.pos_embed = nn.Parameter(torch.zeros(1, 5, 4))
        self.cls_token = nn.Parameter(torch.zeros(1, 1, 4))
        self.backbone = Backbone()
        self.head = nn.Linear(4, 2)


class Backbone(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.zeros(7, 7))
        self.weight = nn.Parameter(torch.zeros(7, 7))

    def no_weight_decay(self) -> set[str]:
        return {"table", "not_in_this_variant"}


def names_of(model: nn.Module, group: dict) -> set[str]:
    members = {id(param) for param in group["params"]}
    return {name for name, param in model.named_parameters() if id(param) in members}


def test_only_kernels_matrices_and_undeclared_decay():
    model = Net()
    decay, no_decay = param_groups(model, lr=0.1, weight_decay=0.05)
    assert (decay["name"], decay["weight_decay"]) == ("decay", 0.05)
    assert (no_decay["name"], no_decay["weight_decay"]) == ("no_decay", 0.0)
    assert names_of(model, decay) == {"conv.weight", "backbone.weight", "head.weight"}
    assert {group["base_lr"] for group in (decay, no_decay)} == {0.1}
    assert {group["lr"] for group in (decay, no_decay)} == {0.1}
    assert (decay["decayed"], no_decay["decayed"]) == (True, False)


def test_each_trainable_parameter_exactly_once():
    model = Net()
    model.conv.requires_grad_(False)
    model.tied = nn.Linear(4, 2)
    model.tied.weight = model.head.weight
    listed = [id(param) for group in param_groups(model, 0.1, 0.1) for param in group["params"]]
    assert len(listed) == len(set(listed))
    assert set(listed) == {id(param) for param in model.parameters() if param.requires_grad}


def test_shared_weight_is_exempt_if_one_owner_declares_it():
    model = Net()
    model.backbone.weight = model.backbone.table
    model.other = nn.Linear(7, 7, bias=False)
    model.other.weight = model.backbone.table
    assert id(model.other.weight) in undecayed(model)


@pytest.mark.parametrize("name", ["resnet18", "vit_tiny_patch16_224", "convnext_atto"])
def test_agrees_with_timm_on_its_own_models(name):
    model = timm.create_model(name, pretrained=False, num_classes=2)
    declared = model.no_weight_decay() if hasattr(model, "no_weight_decay") else ()
    no_decay, decay = param_groups_weight_decay(model, 0.05, no_weight_decay_list=declared)
    ours = {group["name"]: names_of(model, group) for group in param_groups(model, 0.1, 0.05)}
    assert ours == {"decay": names_of(model, decay), "no_decay": names_of(model, no_decay)}


def test_declaration_of_a_backbone_inside_counts():
    vit = timm.create_model("vit_tiny_patch16_224", num_classes=0)
    model = nn.ModuleDict({"backbone": vit, "head": nn.Linear(192, 2)})
    assert {id(vit.pos_embed), id(vit.cls_token)} <= undecayed(model)


def test_empty_groups_are_left_out():
    assert [group["name"] for group in param_groups(nn.Linear(2, 2, bias=False), 0.1, 0.1)] == ["decay"]


def test_nothing_trainable_is_an_error():
    with pytest.raises(ValueError, match="no trainable parameter"):
        param_groups(nn.Linear(2, 2).requires_grad_(False), 0.1, 0.1)
