"""The operations that policies draw from, by the names of their papers, and how far each may go."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from compkit.augment import colour, geometry

Colour = Callable[[np.ndarray, float], np.ndarray]
Move = Callable[[np.ndarray, float, float], np.ndarray]

MOVES: dict[str, Move] = {
    "ShearX": geometry.shear_x,
    "ShearY": geometry.shear_y,
    "TranslateX": geometry.translate_x,
    "TranslateY": geometry.translate_y,
    "Rotate": geometry.rotate,
}
COLOURS: dict[str, Colour] = {
    "Brightness": colour.brightness,
    "Color": colour.color,
    "Contrast": colour.contrast,
    "Sharpness": colour.sharpness,
    "Posterize": colour.posterize,
    "Solarize": colour.solarize,
}
WITHOUT_AMOUNT: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "Identity": lambda image: image,
    "AutoContrast": colour.autocontrast,
    "Equalize": colour.equalize,
    "Invert": colour.invert,
}
OPERATIONS = (*MOVES, *COLOURS, *WITHOUT_AMOUNT, "Cutout")
DRAWN = tuple(name for name in OPERATIONS if name not in ("Invert", "Cutout"))
"""The 14 that RandAugment and TrivialAugment draw from."""


class Extent(NamedTuple):
    """How far an operation goes: its amount at strength 0 and at strength 1."""

    weakest: float
    strongest: float
    signed: bool = False  # the amount's sign is drawn

    def amount(self, strength: float, sign: int) -> float:
        """The amount at a strength in [0, 1].

        >>> Extent(0.0, 30.0, signed=True).amount(0.5, sign=-1)
        -15.0
        """
        value = self.weakest + strength * (self.strongest - self.weakest)
        return value * sign if self.signed else value


class Step(NamedTuple):
    """One operation, with everything about it drawn."""

    name: str
    strength: float  # 0 to 1
    sign: int  # 1 or -1
    place: tuple[float, float]  # (x, y) as shares of width and height


NOTHING = Extent(0.0, 0.0)


def extents(height: int, width: int) -> dict[str, Extent]:
    """RandAugment's: lengths in pixels of a picture of this size, angles in degrees.

    Colours differ from 1 by 0 to 0.9 in either direction, so strength 0 is no change throughout.

    Source: Cubuk et al. 2019, arXiv:1805.09501, table 6 (the ranges); arXiv:1909.13719 (the scale).
    """
    factor = Extent(0.0, 0.9, signed=True)
    return {
        "ShearX": Extent(0.0, 0.3, signed=True),
        "ShearY": Extent(0.0, 0.3, signed=True),
        "TranslateX": Extent(0.0, 150 / 331 * width, signed=True),
        "TranslateY": Extent(0.0, 150 / 331 * height, signed=True),
        "Rotate": Extent(0.0, 30.0, signed=True),
        **dict.fromkeys(("Brightness", "Color", "Contrast", "Sharpness"), factor),
        "Posterize": Extent(8.0, 4.0),
        "Solarize": Extent(255.0, 0.0),
        "Cutout": Extent(0.0, 60 / 331),
    }


def paper_extents(height: int, width: int) -> dict[str, Extent]:
    """AutoAugment's: its colour factors run from 0.1 to 1.9, so that a middling strength is no change.

    Source: Cubuk et al. 2019, arXiv:1805.09501, table 6.
    """
    factor = Extent(-0.9, 0.9)
    return extents(height, width) | dict.fromkeys(("Brightness", "Color", "Contrast", "Sharpness"), factor)


def wide_extents(height: int, width: int) -> dict[str, Extent]:
    """TrivialAugment's, the same for every size of picture.

    Source: Müller and Hutter 2021, arXiv:2103.10158, the "wide" augmentation space.
    """
    far = Extent(0.0, 0.99, signed=True)
    return extents(height, width) | {
        **dict.fromkeys(("ShearX", "ShearY", "Brightness", "Color", "Contrast", "Sharpness"), far),
        "TranslateX": Extent(0.0, 32.0, signed=True),
        "TranslateY": Extent(0.0, 32.0, signed=True),
        "Rotate": Extent(0.0, 135.0, signed=True),
        "Posterize": Extent(8.0, 2.0),
    }


def apply_step(image: np.ndarray, step: Step, extent: Extent, fill: float) -> np.ndarray:
    """The picture after one operation, of the same size, dtype and channels.

    Args:
        image: uint8 or float32 in [0, 1], [H, W, C].
        step: what is done.
        extent: how far it may go.
        fill: value of what comes in from outside, as a share of white.
    """
    amount = extent.amount(step.strength, step.sign)
    if step.name in MOVES:
        return MOVES[step.name](image, amount, fill)
    if step.name in COLOURS:
        return COLOURS[step.name](image, amount)
    if step.name == "Cutout":
        return geometry.cutout(image, amount, fill, step.place)
    return WITHOUT_AMOUNT[step.name](image)


def possible(names: Sequence[str], channels: int) -> list[str]:
    """Those that change a picture of so many channels: Color needs red, green and blue.

    >>> possible(["Color", "Rotate"], channels=1)
    ['Rotate']
    """
    return [name for name in names if name != "Color" or channels == 3]


def check_names(key: str, names: Sequence[str]) -> list[str]:
    """The names as a list.

    Raises:
        ValueError: one is no operation.
    """
    for name in names:
        if name not in OPERATIONS:
            raise ValueError(f"{key}: got {name!r}; expected some of {', '.join(OPERATIONS)}.")
    return list(names)
