"""What a search found, as a file of conf/augment/ and as a table."""

import json
from collections.abc import Sequence
from typing import Any

import pandas as pd
import yaml

from compkit.augment.search import Search, Trial
from compkit.augment.space import Policy

MEANINGS = {
    "name": "operation, see compkit/augment/operations.py",
    "strength": "[smallest, largest] share of AutoAugment's furthest",
    "scale": "[smallest, largest] share of the picture's area",
    "p": "share of pictures it is applied to",
}


def finding(search: Search, metric_name: str) -> str:
    """In one or two sentences, what the fresh seeds say about the best policy."""
    best, none = search.candidates[0], search.trials[0]
    scores = [trial.score for trial in search.again if trial.number == none.number]
    with_it, without = sum(best.scores) / len(scores), sum(scores) / len(scores)
    compared = (
        f"{metric_name} {with_it:.5f} with it, {without:.5f} without any, means of {len(scores)} fresh seeds; gain "
        f"{best.gain:+.5f} (the best of {len(search.candidates)}), its spread from seed to seed {best.spread:.5f}."
    )
    if best.convinces:
        return f"Better than augment=none on the proxy: {compared}"
    return f"NOT shown to be better than augment=none, as chance could have made the gain: {compared}"


def policy_page(policy: Policy, option: str, notes: list[str]) -> str:
    """An option of the group augment, every key explained.

    Args:
        policy: its nodes.
        option: its file's name without the suffix.
        notes: lines of the header.

    >>> node = {"_target_": "albumentations.HorizontalFlip", "p": 0.5}
    >>> print(policy_page({"flip": node}, "mine", ["Found at noon."]))
    # A policy searched on the pictures of one competition.   augment=mine
    # Found at noon.
    flip:
      _target_: albumentations.HorizontalFlip
      p: 0.5  # share of pictures it is applied to
    <BLANKLINE>
    """
    lines = [f"# A policy searched on the pictures of one competition.   augment={option}"]
    lines += [f"# {note}" for note in notes]
    for member, node in policy.items():
        lines += [f"{member}:", *(_line(key, value) for key, value in node.items())]
    return "\n".join(lines if policy else [*lines, "{}"]) + "\n"


def _line(key: str, value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True).splitlines()[0]
    return f"  {key}: {text}" + (f"  # {MEANINGS[key]}" if key in MEANINGS else "")


def trials_table(trials: Sequence[Trial], search_seed: int) -> pd.DataFrame:
    """A row an evaluation: number (0 is none), whether it searched or confirmed, seed, score, seconds, policy."""
    return pd.DataFrame(
        [
            {
                "trial": trial.number,
                "stage": "search" if trial.seed == search_seed else "confirm",
                "seed": trial.seed,
                "score": trial.score,
                "seconds": round(trial.seconds, 3),
                "policy": json.dumps(trial.policy),
            }
            for trial in trials
        ]
    )
