"""The image size of each training step: fixed, drawn from a list, or growing over the run."""

from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any

import numpy as np

from compkit.data.order import Size
from compkit.ranges import inside_zero_to_one, one_of, positive, whole


class FixedScale:
    """Every training step at image_size.

    Args:
        image_size: height and width in pixels.
    """

    def __init__(self, image_size: Size):
        self.image_size = image_size

    def sizes(self, epoch: int, epochs: int, rng: np.random.Generator) -> Iterator[Size | None]:
        """The size of each window of an epoch, endless; None is image_size.

        Args:
            epoch: from 0.
            epochs: of the run.
            rng: of the epoch.
        """
        return repeat(None)

    def all_sizes(self, epochs: int) -> list[Size | None]:
        """The sizes that occur in a run, to be tried before it; None is image_size."""
        return [None]

    def batch_size_at(self, size: Size, batch_size: int) -> int:
        """Images a forward pass takes at `size`, `batch_size` being those at image_size."""
        return batch_size

    def check_sampler(self, whole_batches: bool) -> None:
        """Refuse a sampler that composes batches of exactly batch_size where batch_size varies.

        Raises:
            ValueError: it does.
        """


class VaryingScale(FixedScale):
    """What scales of several sizes have in common.

    Evaluation is always at image_size. All micro-batches of a step, on all ranks, have one size.

    Args:
        image_size: height and width in pixels.
        multiple_of: pixels that sides are rounded to a multiple of, image_size itself excepted; auto is 32, less
            for images under 128 px.
        batch: fixed keeps batch_size; memory changes it so that all sizes take about as much memory.

    Raises:
        ValueError: a value outside its range.
    """

    def __init__(self, image_size: Size, multiple_of: int | str = "auto", batch: str = "memory"):
        super().__init__(image_size)
        if multiple_of == "auto":
            self.multiple_of = auto_multiple(image_size)
        else:
            self.multiple_of = whole("scale.multiple_of", multiple_of, 1, "32")
        self.batch = one_of("scale.batch", batch, ("memory", "fixed"))

    def batch_size_at(self, size: Size, batch_size: int) -> int:
        return batch_size if self.batch == "fixed" else batch_size_at(batch_size, self.image_size, size)

    def check_sampler(self, whole_batches: bool) -> None:
        if whole_batches and self.batch != "fixed":
            raise ValueError(
                "scale.batch=memory changes the batch size with the image size, but the sampler composes batches of "
                "exactly batch_size images. Set scale.batch=fixed, or sampler=shuffle."
            )

    def size_at(self, factor: float) -> Size | None:
        """The size of image_size x factor; None where that is image_size itself."""
        size = scaled_size(self.image_size, factor, self.multiple_of)
        return None if factor == 1 or size == self.image_size else size

    def _refuse_one_size(self, factors: Sequence[float]) -> None:
        if all(self.size_at(factor) is None for factor in factors):
            raise ValueError(
                f"scale.multiple_of={self.multiple_of}: every size is rounded to image_size="
                f"{list(self.image_size)}. Set a smaller scale.multiple_of, such as "
                f"{auto_multiple(self.image_size)}, or other sizes."
            )


class MultiScale(VaryingScale):
    """Each step at a size drawn from a list, so that the network meets objects large and small.

    Args:
        image_size, multiple_of, batch: as in `VaryingScale`.
        factors: sizes as factors of image_size.
        sizes: sizes in pixels instead, each a side or [height, width], taken as they are.

    Raises:
        ValueError: neither or both of factors and sizes, an empty list, a value that is no size; every size
            image_size after rounding; see `VaryingScale`.

    Source: Redmon & Farhadi 2017, arXiv:1612.08242, section 2 ("Multi-Scale Training").

    >>> scale = MultiScale((224, 224), factors=[0.75, 1.0, 1.25])
    >>> scale.choices
    [(160, 160), None, (288, 288)]
    >>> scale.batch_size_at((160, 160), batch_size=64)
    125
    """

    def __init__(
        self,
        image_size: Size,
        factors: Sequence[float] | None = (0.75, 1.0, 1.25),
        sizes: Sequence[Any] | None = None,
        multiple_of: int | str = "auto",
        batch: str = "memory",
    ):
        super().__init__(image_size, multiple_of, batch)
        if (factors is None) == (sizes is None):
            raise ValueError(
                f"scale.factors={factors} and scale.sizes={sizes}: expected one of them. "
                "Set scale.sizes=[160,224,288] scale.factors=null, or the other way round."
            )
        given = factors if sizes is None else sizes
        if not isinstance(given, Sequence) or isinstance(given, str) or not given:
            key = "factors" if sizes is None else "sizes"
            raise ValueError(f"scale.{key}: got {given!r}; expected a list that is not empty.")
        self.choices: list[Size | None]
        if sizes is not None:
            self.choices = [None if size == image_size else size for size in map(_size, sizes)]
        else:
            values = [positive("scale.factors", factor, "[0.75,1.0,1.25]") for factor in given]
            self._refuse_one_size(values)
            self.choices = [self.size_at(factor) for factor in values]

    def all_sizes(self, epochs: int) -> list[Size | None]:
        return self.choices

    def sizes(self, epoch: int, epochs: int, rng: np.random.Generator) -> Iterator[Size | None]:
        while True:
            yield self.choices[rng.integers(len(self.choices))]


class ProgressiveScale(VaryingScale):
    """Small images first, image_size in the last stage: cheap epochs while the network is still coarse.

    Args:
        image_size, multiple_of, batch: as in `VaryingScale`.
        start: size of the first stage, as a factor of image_size.
        stages: equal parts of the run, at sizes that grow evenly; >= 2.

    Raises:
        ValueError: start not in (0, 1), stages below 2; every size image_size after rounding; see `VaryingScale`.

    Source: Tan & Le 2021, arXiv:2104.00298, section 4 (without its growing regularisation).

    >>> scale = ProgressiveScale((224, 224), start=0.5, stages=3)
    >>> [next(scale.sizes(epoch, 6, np.random.default_rng(0))) for epoch in range(6)]
    [(128, 128), (128, 128), (160, 160), (160, 160), None, None]
    """

    def __init__(
        self,
        image_size: Size,
        start: float = 0.5,
        stages: int = 4,
        multiple_of: int | str = "auto",
        batch: str = "fixed",
    ):
        super().__init__(image_size, multiple_of, batch)
        self.start = inside_zero_to_one("scale.start", start, "0.5")
        self.stages = whole("scale.stages", stages, 2, "4")
        self._refuse_one_size([self.start])

    def all_sizes(self, epochs: int) -> list[Size | None]:
        factors = {progressive_factor(epoch, epochs, self.start, self.stages) for epoch in range(epochs)}
        return [self.size_at(factor) for factor in sorted(factors)]

    def sizes(self, epoch: int, epochs: int, rng: np.random.Generator) -> Iterator[Size | None]:
        return repeat(self.size_at(progressive_factor(epoch, epochs, self.start, self.stages)))


def progressive_factor(epoch: int, epochs: int, start: float, stages: int) -> float:
    """The factor of image_size in an epoch (from 0): from `start` to 1 in as many stages as there are epochs for.

    >>> [progressive_factor(epoch, 4, 0.5, stages=2) for epoch in range(4)]
    [0.5, 0.5, 1.0, 1.0]
    """
    last = min(stages, epochs) - 1
    stage = epoch * (last + 1) // epochs
    return 1.0 if stage == last else start + (1 - start) * stage / last


def scaled_size(nominal: Size, factor: float, multiple_of: int) -> Size:
    """Both sides times the factor, rounded to a multiple, at least one of it.

    >>> scaled_size((224, 320), 0.75, 32)
    (160, 256)
    """
    height, width = (max(1, round(side * factor / multiple_of)) * multiple_of for side in nominal)
    return height, width


def auto_multiple(nominal: Size) -> int:
    """32, the stride of most networks; for small images the largest power of two up to a quarter of the side.

    >>> auto_multiple((224, 320)), auto_multiple((64, 64)), auto_multiple((28, 28))
    (32, 16, 4)
    """
    return min(32, 1 << max(min(nominal) // 4, 1).bit_length() - 1)


def batch_size_at(batch_size: int, nominal: Size, size: Size) -> int:
    """Images that take at `size` about the memory `batch_size` images take at `nominal`.

    Never below 2, which batch norm needs, unless batch_size is 1.

    >>> batch_size_at(64, (224, 224), (112, 112)), batch_size_at(4, (224, 224), (896, 896))
    (256, 2)
    """
    area = nominal[0] * nominal[1] / (size[0] * size[1])
    return max(min(2, batch_size), round(batch_size * area))


def _size(value: Any) -> Size:
    """A side, or [height, width], in pixels."""
    sides = list(value) if isinstance(value, list | tuple) else [value]
    if len(sides) not in (1, 2):
        raise ValueError(f"scale.sizes: got {value!r}; expected a side in pixels or [height, width].")
    pixels = [whole("scale.sizes", side, 1, "[160,224,288]") for side in sides]
    return pixels[0], pixels[-1]
