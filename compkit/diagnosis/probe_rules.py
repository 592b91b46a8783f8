"""Rules about what probes saw inside the network: gradients, dead and saturated units, and the size of steps."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from compkit.diagnosis.facts import FoldFacts
from compkit.findings import Finding, Status
from compkit.probes import Kind, ProbeRecord

FEWEST = 3  # probes behind the first step, below which nothing is said
SETTLED_STEPS = 50  # before these, steps are large beside fresh weights
VANISHED, ALIVE = 1e-10, 1e-7  # root mean square of gradients
DEAD, SATURATED = 0.4, 0.5
SMALLEST_STEP, LARGEST_STEP = 1e-5, 1e-1  # of the weights


class Seen(NamedTuple):
    """Statistics of the probes behind the first step, each float64 [P, L]; NaN where there is none."""

    names: list[str]  # L layers, in the order in which they run
    kinds: np.ndarray  # str [L]
    steps: np.ndarray  # int64 [P]
    values: dict[str, np.ndarray]

    def of(self, *kinds: Kind) -> np.ndarray:
        """Where a layer is of one of these kinds, bool [L]."""
        return np.isin(self.kinds, [str(kind) for kind in kinds])

    def told(self, found: np.ndarray, values: np.ndarray) -> str:
        """The found layers, bool [L], with their values [L], in words."""
        named = [f"{self.names[place]} ({values[place]:.2g})" for place in np.flatnonzero(found)[:3]]
        more = int(found.sum()) - len(named)
        return ", ".join(named) + (f" and {more} more" if more else "")


def diagnose_probes(record: ProbeRecord, facts: FoldFacts) -> list[Finding]:
    """What the probes of a fold say.

    Args:
        record: what was written.
        facts: of the fold.

    Returns:
        The rules that fired; a PASS when none did, a SKIP when too little was seen.
    """
    seen = behind_first_step(record)
    if len(seen.steps) < FEWEST:
        text = f"{len(seen.steps)} step(s) behind the first were looked at, fewer than the {FEWEST} that rules need."
        found = [Finding("probes", Status.SKIP, text)]
    else:
        fired = [rule(seen) for rule in RULES]
        found = [one for one in fired if one is not None]
        if any(one.check == "dead_units" for one in found):  # nothing flows back through dead units
            found = [one for one in found if one.check != "vanishing_gradient"]
        if not found:
            text = f"{len(RULES)} rules, {len(seen.names)} layers, {len(seen.steps)} steps looked at: nothing is wrong."
            found = [Finding("probes", Status.PASS, text)]
    return [replace(one, evidence={"fold": facts.fold, **one.evidence}) for one in found]


def behind_first_step(record: ProbeRecord) -> Seen:
    """The statistics as arrays; at the very first step much is 0 that is meant to be."""
    frame = record.layers[record.layers["step"] > 0]
    names = list(dict.fromkeys(record.layers["layer"]))
    kinds = record.layers.drop_duplicates("layer")["kind"].to_numpy(str)
    steps = frame["step"].drop_duplicates().to_numpy(np.int64)
    columns = ("activation_mean", "gradient_rms", "update_ratio", "dead_share", "saturated_share")
    values = {
        column: frame.pivot(index="step", columns="layer", values=column)
        .reindex(index=steps, columns=names)
        .to_numpy(np.float64)
        for column in columns
    }
    return Seen(names, kinds, steps, values)


def vanishing_gradient(seen: Seen) -> Finding | None:
    """No gradient arrives at layers that take part, though it arrives at later ones."""
    gradient = seen.values["gradient_rms"][-FEWEST:]
    ran = np.isfinite(seen.values["activation_mean"][-FEWEST:]).all(axis=0)
    flows = (gradient > ALIVE).all(axis=0)
    is_before = np.flip(np.cumsum(np.flip(flows))) > 0  # of a layer that learns
    found = (gradient < VANISHED).all(axis=0) & ran & is_before & seen.of(Kind.WEIGHTS, Kind.ANGULAR)
    if not found.any():
        return None
    least = gradient.max(axis=0)
    return Finding(
        "vanishing_gradient",
        Status.WARN,
        f"No gradient arrives at {int(found.sum())} layer(s) that are to be trained: {seen.told(found, least)}; at "
        f"later layers it does (up to {np.nanmax(gradient):.2g}).",
        value=float(least[found].max()),
        expected=f"root mean square of a layer's gradient above {VANISHED:g}",
        remedy="Look for detach(), no_grad() or a wrong backward in the network's code between these layers and the "
        "loss, or for units that let nothing through; a residual path or norm, and model/initialise=…, help in deep "
        "networks without. What is not to be trained: finetune=freeze.",
        evidence={"layers": _names(seen, found)},
    )


def dead_units(seen: Seen) -> Finding | None:
    """Rectifiers whose units let nothing through, whatever the picture."""
    share = _middle(seen.values["dead_share"])
    found = share > DEAD
    if not found.any():
        return None
    worst = float(share[found].max())
    return Finding(
        "dead_units",
        Status.WARN,
        f"In {int(found.sum())} layer(s) more than {DEAD:.0%} of the units are never above 0: "
        f"{seen.told(found, share)}.",
        value=worst,
        expected=f"at most {DEAD:.0%} of a layer's units",
        remedy="Lower the rate, lr=…, or warm up, schedule.warmup_epochs=1; look at the initial weights and offsets "
        "(model/initialise=…) and at the scale of what enters the network (the report shows it).",
        evidence={"layers": _names(seen, found)},
    )


def saturation(seen: Seen) -> Finding | None:
    """Tanh or sigmoid units that stand at an end of their range, where hardly any gradient passes."""
    share = _middle(seen.values["saturated_share"])
    found = (share > SATURATED) & seen.of(Kind.TANH, Kind.SIGMOID)
    if not found.any():
        return None
    return Finding(
        "saturation",
        Status.WARN,
        f"More than {SATURATED:.0%} of the values of {int(found.sum())} layer(s) are within 3 % of an end of their "
        f"range: {seen.told(found, share)}.",
        value=float(share[found].max()),
        expected=f"at most {SATURATED:.0%} of a layer's values",
        remedy="Lower the rate, lr=…, start from smaller weights, model/initialise=xavier, put a norm in front, or use "
        "rectifiers instead.",
        evidence={"layers": _names(seen, found)},
    )


def not_updated(seen: Seen) -> Finding | None:
    """Weights that get a gradient and never move, while others do."""
    ratio, gradient = seen.values["update_ratio"], seen.values["gradient_rms"]
    trained = np.isfinite(ratio)
    still = ((ratio == 0) | ~trained).all(axis=0) & (trained.sum(axis=0) >= FEWEST)
    found = still & (np.where(trained, gradient, 0) > VANISHED).any(axis=0)
    if not found.any() or not (ratio > 0).any():
        return None
    return Finding(
        "not_updated",
        Status.WARN,
        f"{int(found.sum())} layer(s) have a gradient, and no step has changed them: "
        f"{seen.told(found, np.nan_to_num(gradient).max(axis=0))}.",
        value=0.0,
        expected="steps that change every weight that is to be trained",
        remedy="The optimizer does not hold them, or their rate is 0: give it all parameters that the network returns, "
        "and look at finetune=… and at the table of parameter groups. What is not to be trained: finetune=freeze.",
        evidence={"layers": _names(seen, found)},
    )


def update_ratio(seen: Seen) -> Finding | None:
    """Steps far too small for all of the network, or far too large for a part of it."""
    ratio = np.where(seen.of(Kind.WEIGHTS), seen.values["update_ratio"], np.nan)[seen.steps >= SETTLED_STEPS]
    if np.isfinite(ratio).any(axis=1).sum() < FEWEST:
        return None
    middle = _middle(ratio, last=False)
    too_large = middle > LARGEST_STEP
    if too_large.any():
        return Finding(
            "update_ratio",
            Status.WARN,
            f"A step changes the weights of {int(too_large.sum())} layer(s) by more than a tenth: "
            f"{seen.told(too_large, middle)}.",
            value=float(middle[too_large].max()),
            expected=f"at most {LARGEST_STEP:g}; usual are 1e-4 to 1e-2",
            remedy="Lower the rate to a tenth, lr=…, or warm up, schedule.warmup_epochs=1. scripts/lr_find.py "
            "finds one.",
            evidence={"layers": _names(seen, too_large)},
        )
    largest = float(np.nanmax(ratio))
    if largest >= SMALLEST_STEP:
        return None
    return Finding(
        "update_ratio",
        Status.WARN,
        f"No step has changed the weights of any layer by more than {largest:.2g} of their size.",
        value=largest,
        expected=f"more than {SMALLEST_STEP:g}; usual are 1e-4 to 1e-2",
        remedy="Raise the rate, lr=…; scripts/lr_find.py finds one.",
    )


RULES = (vanishing_gradient, dead_units, saturation, not_updated, update_ratio)


def _middle(values: np.ndarray, last: bool = True) -> np.ndarray:
    """Median of each layer over the probes, or over the last half of them; NaN of layers without values, [L]."""
    some = values[-max(FEWEST, len(values) // 2) :] if last else values
    middle = np.full(values.shape[1], np.nan)
    known = np.isfinite(some).sum(axis=0) >= FEWEST
    middle[known] = np.nanmedian(some[:, known], axis=0)
    return middle


def _names(seen: Seen, found: np.ndarray) -> Sequence[str]:
    return [seen.names[place] for place in np.flatnonzero(found)]
