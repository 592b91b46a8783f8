"""Mixing against one picture at a time in NumPy, and the properties labels rely on."""

import numpy as np
import pytest
import torch

from compkit.data import Mix, Mixing, NoMixing
from compkit.data.mixing import draw_boxes
from compkit.types import Moment

CPU = torch.device("cpu")
START = Moment(step=0, epoch=0.0, epochs=10)
KINDS = {
    "mixup": {"mixup_alpha": 0.4, "cutmix_alpha": 0},
    "cutmix": {"mixup_alpha": 0, "cutmix_alpha": 1},
    "both": {"mixup_alpha": 0.8, "cutmix_alpha": 1.0, "cutmix_probability": 0.5},
}


def draw(kind="both", size=9, seed=0, height=12, width=20, moment=START, **changes):
    return Mixing(**(KINDS[kind] | changes)).draw(size, seed, moment, height, width, CPU)


def one_at_a_time(images, mix):
    """Zhang et al. 2018, eq. 1 and Yun et al. 2019, eq. 1, picture by picture."""
    mixed = np.empty_like(images)
    for i, (j, share) in enumerate(zip(mix.order.tolist(), mix.share.tolist(), strict=True)):
        top, left, bottom, right = (0, 0, 0, 0) if mix.boxes is None else mix.boxes[i].tolist()
        if bottom > top and right > left:
            mask = np.ones(images.shape[2:])
            mask[top:bottom, left:right] = 0
            mixed[i] = mask * images[i] + (1 - mask) * images[j]
            assert share == pytest.approx(mask.mean(), abs=1e-6)
        else:
            mixed[i] = share * images[i] + (1 - share) * images[j]
    return mixed


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("per_sample", [True, False])
@pytest.mark.parametrize("seed", range(5))
def test_equals_one_picture_at_a_time(kind, per_sample, seed):
    images = np.random.default_rng(seed).random((9, 3, 12, 20))
    mix = draw(kind, seed=seed, per_sample=per_sample)
    got = mix.images(torch.from_numpy(images))
    np.testing.assert_allclose(got.numpy(), one_at_a_time(images, mix), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [1, 2, 7, 64])
def test_partners_are_a_permutation_and_shares_are_shares(kind, size):
    for seed in range(20):
        mix = draw(kind, size=size, seed=seed)
        assert sorted(mix.order.tolist()) == list(range(size))
        assert mix.share.shape == (size,) and mix.share.dtype == torch.float32
        assert ((mix.share >= 0) & (mix.share <= 1)).all()


def test_cutmix_takes_whole_pixels_of_two_pictures_in_shares_of_the_area():
    images = torch.arange(16.0)[:, None, None, None].expand(16, 3, 12, 20)
    mix = draw("cutmix", size=16)
    mixed = mix.images(images)
    own = (mixed == images).float().mean(dim=(1, 2, 3))
    other = (mixed == images[mix.order]).float().mean(dim=(1, 2, 3))
    different = mix.order != torch.arange(16)
    torch.testing.assert_close(own[different], mix.share[different])
    torch.testing.assert_close((own + other)[different], torch.ones(int(different.sum())))


def test_mixup_with_one_share_for_the_batch_keeps_the_batch_mean():
    images = torch.rand(7, 3, 12, 20, dtype=torch.float64)
    mix = draw("mixup", size=7, per_sample=False)
    assert len(mix.share.unique()) == 1
    torch.testing.assert_close(mix.images(images).mean(dim=0), images.mean(dim=0))


@pytest.mark.parametrize("boxes", [None, torch.zeros(4, 4, dtype=torch.int64)])
def test_a_share_of_one_changes_no_bit(boxes):
    images = torch.randn(4, 3, 12, 20)
    assert torch.equal(Mix(torch.tensor([1, 2, 3, 0]), torch.ones(4), boxes).images(images), images)


@pytest.mark.parametrize("kind", KINDS)
def test_memory_layout_and_type_stay(kind):
    images = torch.rand(6, 3, 12, 20).contiguous(memory_format=torch.channels_last)
    mix = draw(kind, size=6)
    mixed = mix.images(images)
    assert mixed.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(mixed, mix.images(images.contiguous()))
    assert mix.images(images.half()).dtype == torch.float16


def test_depends_on_the_seed_alone():
    mixing = Mixing()
    first = mixing.draw(8, 3, START, 12, 20, CPU)
    torch.manual_seed(1)
    mixing.draw(8, 4, START, 12, 20, CPU)
    again = mixing.draw(8, 3, Moment(50, 2.5, 10), 12, 20, CPU)
    other = mixing.draw(8, 5, START, 12, 20, CPU)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first.share, other.share)


def test_drawing_takes_nothing_from_the_run():
    before = torch.get_rng_state()
    draw()
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("alpha", [0.2, 1.0])
def test_shares_are_beta_distributed(alpha):
    shares = draw("mixup", size=20_000, mixup_alpha=alpha).share.double()
    # Beta(a, a) has mean 1/2 and variance 1 / (4 (2 a + 1))
    assert shares.mean().item() == pytest.approx(0.5, abs=0.01)
    assert shares.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.03)


def test_boxes_inside_the_border_have_the_area_drawn():
    shares = np.full(2000, 0.84)
    boxes = draw_boxes(np.random.default_rng(0), shares, 100, 50)
    heights, widths = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    assert (boxes >= 0).all() and (boxes[:, 2] <= 100).all() and (boxes[:, 3] <= 50).all()
    inside = (boxes[:, 0] > 0) & (boxes[:, 2] < 100) & (boxes[:, 1] > 0) & (boxes[:, 3] < 50)
    assert inside.sum() > 500
    assert set(heights[inside]) == {40} and set(widths[inside]) == {20}


def test_boxes_are_cut_at_the_border_and_not_moved_inside():
    boxes = draw_boxes(np.random.default_rng(0), np.full(4000, 0.84), 100, 100)
    for low, high in [(0, 2), (1, 3)]:
        sides = boxes[:, high] - boxes[:, low]
        for touching in (boxes[:, low] == 0, boxes[:, high] == 100):
            # the centre is as often at any of the 20 outermost pixels, and the side from 20 to 40
            assert sides[touching].min() <= 21
            assert sides[touching].mean() == pytest.approx(30, rel=0.05)


def test_mixing_does_not_follow_the_augmentation_of_the_same_seed():
    augmentation = np.random.default_rng(3)
    augmentation.random()
    assert draw(size=64, seed=3).order.tolist() != augmentation.permutation(64).tolist()


def test_probability_is_of_batches_and_cutmix_probability_of_pictures():
    mixed = [draw("both", seed=seed, probability=0.3) is not None for seed in range(2000)]
    assert np.mean(mixed) == pytest.approx(0.3, abs=0.03)
    boxes = draw("both", size=5000, height=64, width=64, cutmix_probability=0.25).boxes
    assert (boxes[:, 2] > boxes[:, 0]).float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert draw(probability=0) is None


def test_last_epochs_are_not_mixed():
    for epoch, is_mixed in [(0, True), (6.99, True), (7.0, False), (9.5, False)]:
        mix = draw(moment=Moment(0, epoch, 10), off_epochs=3)
        assert (mix is not None) == is_mixed


def test_none_mixes_nothing():
    assert NoMixing().draw(8, 0, START, 12, 20, CPU) is None


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"mixup_alpha": -1}, "mixing.mixup_alpha: got -1"),
        ({"cutmix_alpha": "much"}, "mixing.cutmix_alpha: got 'much'"),
        ({"mixup_alpha": 0, "cutmix_alpha": 0}, "mixing=none"),
        ({"probability": 1.5}, "mixing.probability"),
        ({"cutmix_probability": -0.1}, "mixing.cutmix_probability"),
        ({"off_epochs": 2.5}, "mixing.off_epochs: got 2.5"),
        ({"off_epochs": 10}, "leaves no epoch to mix in"),
    ],
)
def test_refuses(changes, words):
    with pytest.raises(ValueError, match=words):
        draw(**changes)
