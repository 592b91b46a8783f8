"""The faults are silent, and the healthy parts are right: held against torch's own and against what they change."""

import cv2
import numpy as np
import pytest
import torch
from torch import nn
from torch.autograd import gradcheck

from compkit.competition import Competition

from . import downloads, healthy_parts, planted_losses, planted_models, planted_parts
from .downloads import competition_with, embedded

LOGITS = torch.randn(
    6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True
)
LABELS = torch.tensor([0, 1, 2, 3, 1, 0])
MAP = torch.rand(
    2, 4, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True
)


def test_wrong_backwards_have_right_forwards():
    want = nn.functional.cross_entropy(LOGITS, LABELS, reduction="none")
    torch.testing.assert_close(planted_losses.HandMade().per_sample(LOGITS, LABELS), want)
    torch.testing.assert_close(planted_models.WrongPool(4)(MAP), MAP.mean(dim=(2, 3)))
    weight = torch.eye(4, dtype=torch.float64, requires_grad=True)
    torch.testing.assert_close(planted_models.WrongWeightGradient.apply(LOGITS, weight), LOGITS)


def test_wrong_backwards_are_wrong():
    assert not gradcheck(
        lambda one: planted_losses.HandMade().per_sample(one, LABELS), LOGITS, raise_exception=False
    )
    assert not gradcheck(planted_models.WrongPool(4), MAP, raise_exception=False)
    weight = torch.eye(4, dtype=torch.float64, requires_grad=True)
    layer = planted_models.WrongWeightGradient.apply
    assert gradcheck(lambda one: layer(one, weight.detach()), LOGITS)  # what is passed down is right
    assert not gradcheck(lambda one: layer(LOGITS.detach(), one), weight, raise_exception=False)


def test_healthy_backwards_are_right():
    assert gradcheck(lambda one: healthy_parts.HandMade().per_sample(one, LABELS), LOGITS)
    assert gradcheck(healthy_parts.HandMadePool(4), MAP)


def test_healthy_losses_are_those_of_the_field():
    want = nn.functional.cross_entropy(LOGITS, LABELS, reduction="none")
    torch.testing.assert_close(healthy_parts.HandMade().per_sample(LOGITS, LABELS), want)
    numbers = torch.tensor([[0.5], [-20.0]])
    torch.testing.assert_close(
        healthy_parts.LogCosh().per_sample(numbers, torch.zeros(2, 1))[0], torch.tensor(0.5).cosh().log()
    )


def test_healthy_optimizer_goes_down():
    weight = nn.Parameter(torch.tensor([3.0]))
    optimizer = healthy_parts.SignedSteps([weight], lr=0.5)
    for _ in range(4):
        optimizer.zero_grad()
        weight.square().sum().backward()
        optimizer.step()
    assert weight.item() == pytest.approx(1.0)


@pytest.mark.parametrize(
    "sampler", [planted_parts.Sorted(), planted_parts.SameFew(), planted_parts.OneClass()]
)
def test_samplers_draw_rows_that_exist(sampler):
    labels = np.arange(60) % 3
    order = sampler.order(labels, 8, np.random.default_rng(0))
    assert len(order) == 60 and set(order) <= set(range(60))


PLANTERS = {
    "digits": (
        "shuffled",
        "shifted",
        "wrong",
        "blanks",
        "two_kinds_of_number",
        "copies",
        "contradictions",
        "few",
    ),
    "tilt": ("outlier", "constant", "almost_constant", "sentinel", "shuffled_angles"),
    "mosaic": ("label_always_there", "shuffled_sets"),
}


@pytest.mark.parametrize("name, planter", [(name, one) for name, all in PLANTERS.items() for one in all])
def test_planters_change_tables_alike_each_time(name, planter):
    plain = embedded(name, 200, seed=1)
    tables = []
    for _ in range(2):
        download = embedded(name, 200, seed=1)
        getattr(downloads, planter)(download)
        tables.append(download.table)
    assert tables[0].equals(tables[1]) and not tables[0].equals(plain.table)


def test_two_of_five_labels_are_wrong():
    plain, noisy = embedded("digits", 1000, seed=0), embedded("digits", 1000, seed=0)
    downloads.wrong(noisy)
    assert (plain.labels != noisy.labels).mean() == pytest.approx(0.4, abs=0.05)


def test_a_download_is_read_as_it_was_meant(tmp_path):
    folder = competition_with(downloads.five_channels, "digits", 30, tmp_path / "five", seed=0)
    keys = {"train_images": "train/{id}.npy", "test_images": "test/{id}.npy", "channels": 5}
    table = Competition("five", folder, "multiclass", **keys).read_train()
    assert len(table) == 30 and np.load(table.files[0, 0].decode()).shape == (8, 8, 5)
    assert competition_with(downloads.shuffled, "digits", 30, folder, seed=0) == folder  # stays as it is


def test_files_can_be_longer_shorter_or_empty(tmp_path):
    for planter in (downloads.truncated, downloads.empty_file, downloads.size_tells):
        folder = competition_with(planter, "digits", 30, tmp_path / planter.__name__, seed=0)
        sizes = [path.stat().st_size for path in sorted((folder / "train").iterdir())]
        assert (min(sizes) == 0) == (planter is downloads.empty_file)
        readable = [cv2.imread(str(path)) is not None for path in sorted((folder / "train").iterdir())]
        assert sum(readable) >= 29
