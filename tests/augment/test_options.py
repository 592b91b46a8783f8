"""Every file of conf/augment on every kind of picture it is for."""

from pathlib import Path

import albumentations as A
import cv2
import numpy as np
import pytest
import yaml

from compkit.build import build_all
from compkit.cli import config_dir
from compkit.data import Draw, ImageDataset, Preprocessing
from compkit.types import Table

FILES = sorted((config_dir() / "augment").glob("*.yaml"))
OPTIONS = [path.stem for path in FILES]


def transforms(option):
    path: Path = config_dir() / "augment" / f"{option}.yaml"
    return build_all(yaml.safe_load(path.read_text(encoding="utf-8")))


def test_the_options_of_the_manual_exist():
    assert {"none", "light", "medium", "flip", "flips", "crop", "cutout", "color", "affine", "heavy"} <= {
        *OPTIONS
    }
    assert {"autoaugment", "randaugment", "trivialaugment"} <= {*OPTIONS}


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("option", OPTIONS)
def test_size_dtype_and_channels_are_kept(option, channels, deep):
    rng = np.random.default_rng(0)
    compose = A.Compose(transforms(option))
    compose.set_random_seed(0)
    for size in [(20, 28), (24, 24)]:
        image = rng.integers(0, 256, (*size, channels)).astype(np.uint8)
        image = (image / 255).astype(np.float32) if deep else image
        for _ in range(15):
            result = compose(image=image)["image"]
            assert result.shape == image.shape and result.dtype == image.dtype
            assert result.min() >= 0 and result.max() <= (1 if deep else 255)


@pytest.mark.parametrize("option", [one for one in OPTIONS if one not in ("none", "color")])
def test_many_channels_work_where_colour_is_not_meant(option):
    image = np.random.default_rng(0).integers(0, 256, (20, 20, 6)).astype(np.uint8)
    compose = A.Compose(transforms(option))
    compose.set_random_seed(0)
    assert {compose(image=image)["image"].shape for _ in range(15)} == {(20, 20, 6)}


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    path = tmp_path_factory.mktemp("images") / "a.png"
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8))
    return Table(np.array(["a"] * 8), np.array([[str(path).encode()]] * 8), np.zeros(8, np.int64))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("option", [one for one in OPTIONS if one != "none"])
def test_the_draw_s_seed_decides(table, option, channels):
    box = Preprocessing(16, 16, channels, False, None, (0.5,) * channels, (0.25,) * channels)
    rows = np.arange(8)
    first = ImageDataset(table, box, transforms(option))
    again = ImageDataset(table, box, transforms(option))
    first[Draw(rows, 11)]  # what was drawn before does not matter
    images = first[Draw(rows, 5)].images
    assert (images == again[Draw(rows, 5)].images).all()
    assert (images != again[Draw(rows, 6)].images).any()
    assert len({one.numpy().tobytes() for one in images}) > 1  # pictures of one batch differ


def test_single_transforms_are_added_and_dropped_on_the_command_line(plan):
    hole = "+augment.hole={_target_:albumentations.CoarseDropout,p:0.5}"
    built = plan("augment=crop", "~augment.flip", hole).make_augment()
    assert [type(one).__name__ for one in built] == ["ResizedCrop", "CoarseDropout"]
