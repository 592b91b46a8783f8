"""Image sizes of training steps: which are drawn, when they grow, and what batches they get."""

from itertools import islice

import numpy as np
import pytest

from compkit.data import FixedScale, MultiScale, ProgressiveScale, batch_size_at
from compkit.data.scale import progressive_factor


def drawn(scale, count=200, epoch=0, epochs=10, seed=0):
    return list(islice(scale.sizes(epoch, epochs, np.random.default_rng(seed)), count))


def test_fixed_is_image_size_always():
    scale = FixedScale((224, 224))
    assert set(drawn(scale)) == {None}
    assert scale.batch_size_at((100, 100), 64) == 64
    scale.check_sampler(whole_batches=True)


@pytest.mark.parametrize("image_size", [(28, 28), (64, 64), (96, 160), (224, 224), (518, 518)])
def test_multi_draws_all_sizes_about_equally(image_size):
    scale = MultiScale(image_size)
    sizes = drawn(scale, 3000)
    small, large = scale.choices[0], scale.choices[2]
    assert small < image_size < large and scale.choices[1] is None
    for size in (small, None, large):
        assert sizes.count(size) == pytest.approx(1000, abs=100)
    for side in (*small, *large):
        assert side % scale.multiple_of == 0
    np.testing.assert_allclose(np.divide(small, image_size), 0.75, rtol=0.2)
    np.testing.assert_allclose(np.divide(large, image_size), 1.25, rtol=0.2)


def test_sizes_depend_on_the_generator_alone():
    scale = MultiScale((224, 224))
    first = drawn(scale)
    assert drawn(scale) == first and drawn(scale, seed=1) != first


def test_explicit_sizes_are_taken_as_they_are():
    scale = MultiScale((224, 224), factors=None, sizes=[161, [100, 200], 224])
    assert scale.choices == [(161, 161), (100, 200), None]


def test_a_patch_size_of_14():
    assert MultiScale((518, 518), factors=[0.5], multiple_of=14).choices == [(252, 252)]


@pytest.mark.parametrize("epochs", [1, 2, 3, 4, 7, 12, 50])
@pytest.mark.parametrize("stages", [2, 4, 8])
def test_progress_grows_evenly_and_ends_at_image_size(epochs, stages):
    factors = [progressive_factor(epoch, epochs, 0.4, stages) for epoch in range(epochs)]
    assert factors == sorted(factors) and factors[-1] == 1
    used = sorted(set(factors))
    assert len(used) == min(stages, epochs)
    if epochs > 1:
        np.testing.assert_allclose(used, np.linspace(0.4, 1, len(used)))
        lengths = [factors.count(factor) for factor in used]
        assert max(lengths) - min(lengths) <= 1


def test_progressive_sizes():
    scale = ProgressiveScale((64, 96), start=0.5, stages=2)
    assert set(drawn(scale, epoch=4)) == {(32, 48)} and set(drawn(scale, epoch=5)) == {None}


@pytest.mark.parametrize(
    "scale", [FixedScale((224, 224)), MultiScale((224, 224)), ProgressiveScale((224, 224), stages=3)]
)
@pytest.mark.parametrize("epochs", [1, 2, 7])
def test_all_sizes_are_those_that_occur(scale, epochs):
    occurring = {size for epoch in range(epochs) for size in drawn(scale, 50, epoch, epochs)}
    assert set(scale.all_sizes(epochs)) == occurring


@pytest.mark.parametrize("size", [(112, 112), (160, 160), (288, 320), (225, 223)])
def test_batches_keep_their_memory(size):
    images = batch_size_at(64, (224, 224), size)
    assert images * size[0] * size[1] == pytest.approx(64 * 224 * 224, rel=0.02)


def test_batches_keep_two_images_for_batch_norm():
    assert batch_size_at(2, (64, 64), (640, 640)) == 2
    assert batch_size_at(1, (64, 64), (640, 640)) == 1


def test_batch_fixed_and_memory():
    assert MultiScale((64, 64), batch="fixed").batch_size_at((32, 32), 8) == 8
    assert MultiScale((64, 64), batch="memory").batch_size_at((32, 32), 8) == 32
    MultiScale((64, 64), batch="fixed").check_sampler(whole_batches=True)
    MultiScale((64, 64), batch="memory").check_sampler(whole_batches=False)


@pytest.mark.parametrize(
    "make, words",
    [
        (
            lambda: MultiScale((64, 64)).check_sampler(whole_batches=True),
            "scale.batch=fixed, or sampler=shuffle",
        ),
        (lambda: MultiScale((64, 64), batch="auto"), "scale.batch: got 'auto'"),
        (lambda: MultiScale((64, 64), multiple_of=0), "scale.multiple_of: got 0"),
        (lambda: MultiScale((64, 64), multiple_of=64), "rounded to image_size=.* such as 16"),
        (lambda: MultiScale((64, 64), sizes=[32]), "expected one of them"),
        (lambda: MultiScale((64, 64), factors=None), "expected one of them"),
        (lambda: MultiScale((64, 64), factors=[]), "scale.factors: got .. ?; expected a list"),
        (lambda: MultiScale((64, 64), factors=[0.5, 0]), "scale.factors: got 0"),
        (lambda: MultiScale((64, 64), factors=None, sizes=32), "scale.sizes: got 32; expected a list"),
        (lambda: MultiScale((64, 64), factors=None, sizes=[0]), "scale.sizes: got 0"),
        (lambda: MultiScale((64, 64), factors=None, sizes=[[1, 2, 3]]), "expected a side in pixels"),
        (lambda: ProgressiveScale((64, 64), start=1), "scale.start: got 1"),
        (lambda: ProgressiveScale((64, 64), stages=1), "scale.stages: got 1"),
        (lambda: ProgressiveScale((64, 64), start=0.9, multiple_of=32), "rounded to image_size"),
    ],
)
def test_refuses(make, words):
    with pytest.raises(ValueError, match=words):
        make()
