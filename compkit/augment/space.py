"""What a search for a policy chooses among: a policy is a dict of nodes, as in conf/augment/."""

from collections.abc import Sequence
from typing import Any

import optuna

from compkit.augment.operations import DRAWN, WITHOUT_AMOUNT

Policy = dict[str, dict[str, Any]]

MOST_OPERATIONS = 3
FLIPS: dict[str, Policy] = {
    "none": {},
    "horizontal": {"flip": {"_target_": "albumentations.HorizontalFlip", "p": 0.5}},
    "symmetry": {"symmetry": {"_target_": "compkit.augment.Symmetry", "p": 1.0}},
}
CHOICES = (*(name for name in DRAWN if name != "Identity"), "Invert", "Cutout")
"""The operations: those of RandAugment and two more of AutoAugment's."""
NONE: dict[str, Any] = {"flip": "none", "crop": "none", "operations": 0}
"""The choices that make the empty policy: augment=none."""


def suggest(trial: optuna.trial.BaseTrial, choices: Sequence[str] = CHOICES) -> Policy:
    """The policy of a trial: a flip or none, a crop or none, and up to three operations one after another.

    Args:
        trial: chooses.
        choices: names of operations.

    >>> suggest(optuna.trial.FixedTrial(NONE))
    {}
    """
    policy = dict(FLIPS[trial.suggest_categorical("flip", list(FLIPS))])
    if trial.suggest_categorical("crop", ["none", "resized"]) == "resized":
        smallest = round(trial.suggest_float("crop_scale", 0.2, 0.95), 2)
        policy["crop"] = {"_target_": "compkit.augment.ResizedCrop", "scale": [smallest, 1.0], "p": 1.0}
    for number in range(1, trial.suggest_int("operations", 0, MOST_OPERATIONS) + 1):
        key = f"operation_{number}"
        policy[key] = _operation(trial, key, trial.suggest_categorical(key, list(choices)))
    return policy


def _operation(trial: optuna.trial.BaseTrial, key: str, name: str) -> dict[str, Any]:
    node: dict[str, Any] = {"_target_": "compkit.augment.Operation", "name": name}
    if name not in WITHOUT_AMOUNT:
        strongest = round(trial.suggest_float(f"{key}_strength", 0.1, 1.0), 2)
        node |= {"strength": [0.0, strongest]}
    return node | {"p": round(trial.suggest_float(f"{key}_p", 0.1, 1.0), 2)}
