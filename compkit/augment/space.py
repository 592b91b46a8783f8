"""What a search for a policy chooses among: a policy is a dict of nodes, as in conf/augment/."""

from collections.abc import Sequence
from typing import Any

import optuna

from compkit.augment.operations import DRAWN, WITHOUT_AMOUNT

Policy = dict[str, dict[str, Any]]

SLOTS = 3  # operations of a policy at most, one after another
FLIPS: dict[str, Policy] = {
    "none": {},
    "horizontal": {"flip": {"_target_": "albumentations.HorizontalFlip", "p": 0.5}},
    "symmetry": {"symmetry": {"_target_": "compkit.augment.Symmetry", "p": 1.0}},
}
CHOICES = ("none", *(name for name in DRAWN if name != "Identity"), "Invert", "Cutout")
"""Operations of a slot: those of RandAugment and two of AutoAugment's."""
NONE: dict[str, Any] = {"flip": "none", "crop": "none"} | {f"slot_{slot}": "none" for slot in range(SLOTS)}
"""The choices that make the empty policy: augment=none."""


def suggest(trial: optuna.trial.BaseTrial, choices: Sequence[str] = CHOICES) -> Policy:
    """The policy of a trial: a flip or none, a crop or none, and up to three operations.

    Args:
        trial: chooses.
        choices: names of operations, "none" among them.

    >>> suggest(optuna.trial.FixedTrial(NONE))
    {}
    """
    policy = dict(FLIPS[trial.suggest_categorical("flip", list(FLIPS))])
    if trial.suggest_categorical("crop", ["none", "resized"]) == "resized":
        smallest = round(trial.suggest_float("crop_scale", 0.2, 0.95), 2)
        policy["crop"] = {"_target_": "compkit.augment.ResizedCrop", "scale": [smallest, 1.0], "p": 1.0}
    for slot in range(SLOTS):
        name = trial.suggest_categorical(f"slot_{slot}", list(choices))
        if name != "none":
            policy[f"{name}_{slot}"] = _operation(trial, slot, name)
    return policy


def _operation(trial: optuna.trial.BaseTrial, slot: int, name: str) -> dict[str, Any]:
    node: dict[str, Any] = {"_target_": "compkit.augment.Operation", "name": name}
    if name not in WITHOUT_AMOUNT:
        strongest = round(trial.suggest_float(f"slot_{slot}_strength", 0.1, 1.0), 2)
        node |= {"strength": [0.0, strongest]}
    return node | {"p": round(trial.suggest_float(f"slot_{slot}_p", 0.1, 1.0), 2)}
