"""Every YAML of conf/model, composed and built."""

from pathlib import Path

import hydra
import pytest
import timm
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig

from compkit.models import BNNeck, Classifier, EmbeddingNeck, GeM

CONF = Path(__file__).parents[2] / "conf"
SIZE = 112  # a multiple of the patches (14, 16) of all transformers here
MODELS = sorted(file.stem for file in (CONF / "model").glob("*.yaml"))
PARTS = sorted(f"model/{file.parent.name}={file.stem}" for file in (CONF / "model").glob("*/*.yaml"))


def compose(model: str, *overrides: str) -> DictConfig:
    outer = ["+competition.channels=3", f"+image_size={SIZE}", "model.pretrained=false"]
    with hydra.initialize_config_dir(str(CONF), version_base="1.3"):
        return hydra.compose(f"model/{model}", [*outer, *overrides])


def build(config: DictConfig) -> Classifier:
    return instantiate(config.model, _convert_="all")(num_outputs=3)


@pytest.mark.parametrize("model", MODELS)
def test_model_builds_and_runs(model: str) -> None:
    config = compose(model, *(["model.backbone=test_resnet"] if model == "timm" else []))
    classifier = build(config).eval()
    with torch.no_grad():
        assert classifier(torch.zeros(1, 3, SIZE, SIZE)).shape == (1, 3)
    assert timm.get_pretrained_cfg(config.model.backbone).hf_hub_id  # what pretrained=true downloads


@pytest.mark.parametrize("part", PARTS)
def test_part_builds_and_runs(part: str) -> None:
    classifier = build(compose("timm", "model.backbone=test_resnet", part))
    assert classifier(torch.zeros(2, 3, SIZE, SIZE)).shape == (2, 3)


def test_parts_are_chosen_on_the_command_line() -> None:
    choices = ["model/pooling=gem", "model.pooling.p=4", "model/neck=bnneck", "model.in_chans=1"]
    classifier = build(compose("resnet18", *choices))
    assert isinstance(classifier.pooling, GeM) and classifier.pooling.p == 4
    assert isinstance(classifier.neck, BNNeck) and classifier.head.linear.bias is None
    assert classifier(torch.zeros(2, 1, 64, 64)).shape == (2, 3)
    embedding = build(compose("resnet18", "model/neck=embedding", "model.neck.dim=64")).neck
    assert isinstance(embedding, EmbeddingNeck) and embedding.out_features == 64
