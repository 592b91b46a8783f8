"""What a submission is made of: folds of trained runs, blends and stacks of them, as a tree that JSON holds."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np

from compkit.ensemble import Blending

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")  # of a run, and of its folder in a bundle


class Unit(NamedTuple):
    """One fold of one trained run: what is predicted in one go."""

    run: str
    fold: int


class Level2(Protocol):
    """A level-2 model of a stack."""

    def predict(self, predictions: np.ndarray) -> np.ndarray:
        """Predictions of M runs, float64 [M, T, C], to those of the stack, [T, C]."""
        ...


@dataclass(frozen=True)
class Said:
    """What is known so far.

    Attributes:
        found: what each unit that is done says of the test pictures, float32 [P, C], classes in the bundle's order.
        join: from pictures to what is submitted: the mean over the pictures of a subject, or the same again.
    """

    found: Mapping[Unit, np.ndarray]
    join: Callable[[np.ndarray], np.ndarray] = lambda values: values


@dataclass(frozen=True)
class Trained:
    """A run with weights: the mean of its folds.

    Attributes:
        name: its folder in the bundle, with config.yaml.
        weights_of: the folder whose fold_K hold its weights; another's where it is that run seen by other views.
        folds: rising.
        fold_scores: the metric of each fold, better greater; empty where none is known.
        score: of the run, better greater; None unknown.
    """

    name: str
    weights_of: str
    folds: tuple[int, ...]
    fold_scores: tuple[float, ...] = ()
    score: float | None = None

    @property
    def units(self) -> list[Unit]:
        """Its folds, the best first."""
        scores = self.fold_scores or (0.0,) * len(self.folds)
        order = sorted(range(len(self.folds)), key=lambda place: -scores[place])
        return [Unit(self.name, self.folds[place]) for place in order]

    def predict(self, said: Said) -> np.ndarray | None:
        """The mean of the folds that are done, float32 [T, C]; None of none."""
        parts = [said.found[unit] for unit in sorted(self.units) if unit in said.found]
        return said.join(np.mean(parts, axis=0)) if parts else None

    def predict_fold(self, said: Said, fold: int) -> np.ndarray | None:
        """What one fold says; None while it is not done."""
        values = said.found.get(Unit(self.name, fold))
        return None if values is None else said.join(values)

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it; `node_of` reads it."""
        return {
            "kind": "trained",
            "name": self.name,
            "weights_of": self.weights_of,
            "folds": list(self.folds),
            "fold_scores": list(self.fold_scores),
            "score": self.score,
        }


@dataclass(frozen=True)
class Blend:
    """Runs blended with given weights; those of which nothing is known yet are left out meanwhile.

    Attributes:
        members: M.
        method: of compkit.ensemble.Blending; what is learned is learned already.
        weights: [M], or [M, C].
        weights_of_folds: those learned without each fold, for a stack above; empty where there are none.
        exclusive: whether exactly one class is true.
    """

    members: tuple["Node", ...]
    method: str
    weights: np.ndarray
    exclusive: bool
    weights_of_folds: dict[int, np.ndarray] = field(default_factory=dict)

    def predict(self, said: Said) -> np.ndarray | None:
        """The blend of the members of which something is known, float32 [T, C]."""
        return self._blend([member.predict(said) for member in self.members], self.weights)

    def predict_fold(self, said: Said, fold: int) -> np.ndarray | None:
        """The blend of what the members' models of this fold say; None while one of them is not done."""
        parts = [member.predict_fold(said, fold) for member in self.members]
        if any(part is None for part in parts):
            return None
        return self._blend(parts, self.weights_of_folds.get(fold, self.weights))

    def _blend(self, parts: Sequence[np.ndarray | None], weights: np.ndarray) -> np.ndarray | None:
        known = [place for place, part in enumerate(parts) if part is not None]
        if not known:
            return None
        if len(known) < len(parts):
            weights = renormalise(weights[known])
        blending = Blending("mean" if self.method in ("hill_climb", "optimize") else self.method)
        values = np.stack([part.astype(np.float64) for part in parts if part is not None])
        return blending.blend(blending.prepare(values), weights, self.exclusive).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it; `node_of` reads it."""
        return {
            "kind": "blend",
            "method": self.method,
            "weights": self.weights.tolist(),
            "weights_of_folds": {str(fold): one.tolist() for fold, one in self.weights_of_folds.items()},
            "exclusive": self.exclusive,
            "members": [member.to_dict() for member in self.members],
        }


@dataclass(frozen=True)
class Stack:
    """A stack with its level-2 models; until these have all they want, the plain mean of its members stands in.

    Attributes:
        name: its folder in the bundle, with level2.npz.
        members: M.
        level2: by the fold that each was not fitted on.
        per_fold: whether the model without fold k gets what the members' models of fold k say, else their means.
    """

    name: str
    members: tuple["Node", ...]
    level2: Mapping[int, Level2]
    per_fold: bool

    def predict(self, said: Said) -> np.ndarray | None:
        """The mean of the level-2 models that can be asked, float32 [T, C]."""
        if self.per_fold:
            parts = [self.predict_fold(said, fold) for fold in sorted(self.level2)]
            known = [part for part in parts if part is not None]
            return np.mean(known, axis=0).astype(np.float32) if known else self._stand_in(said)
        means = [member.predict(said) for member in self.members]
        if any(one is None for one in means):
            return self._stand_in(said)
        inputs = np.stack([one.astype(np.float64) for one in means if one is not None])
        tests = [self.level2[fold].predict(inputs) for fold in sorted(self.level2)]
        return np.mean(tests, axis=0).astype(np.float32)

    def predict_fold(self, said: Said, fold: int) -> np.ndarray | None:
        """What the level-2 model without this fold says; None while a member's model of the fold is not done."""
        parts = [member.predict_fold(said, fold) for member in self.members]
        if any(part is None for part in parts) or fold not in self.level2:
            return None
        inputs = np.stack([part.astype(np.float64) for part in parts if part is not None])
        return self.level2[fold].predict(inputs)

    def _stand_in(self, said: Said) -> np.ndarray | None:
        parts = [member.predict(said) for member in self.members]
        known = [part for part in parts if part is not None]
        return np.mean(known, axis=0) if known else None

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it, without the level-2 models; `node_of` reads it."""
        return {
            "kind": "stack",
            "name": self.name,
            "per_fold": self.per_fold,
            "members": [member.to_dict() for member in self.members],
        }


Node = Trained | Blend | Stack


def trained_runs(node: Node) -> Iterator[Trained]:
    """The runs with weights below a node, from left to right, one of them perhaps several times."""
    if isinstance(node, Trained):
        yield node
        return
    for member in node.members:
        yield from trained_runs(member)


def renormalise(weights: np.ndarray) -> np.ndarray:
    """Weights [M] or [M, C] of some of the members, made to sum to 1 over them; equal ones where all are 0.

    >>> renormalise(np.array([0.1, 0.3])).round(6).tolist(), renormalise(np.array([0.0, 0.0])).tolist()
    ([0.25, 0.75], [0.5, 0.5])
    """
    total = weights.sum(axis=0)
    return np.where(total > 0, weights / np.where(total > 0, total, 1), 1 / len(weights))


def node_of(record: dict[str, Any], level2_of: Callable[[str], Mapping[int, Level2]]) -> Node:
    """The tree that `to_dict` wrote.

    Args:
        record: of a node.
        level2_of: the level-2 models of a stack, by its name.

    Raises:
        ValueError, KeyError, TypeError: it is none.
    """
    for key in {"name", "weights_of"} & set(record):  # they become folders
        if not NAME.fullmatch(record[key]):
            raise ValueError(f"{key} {record[key]!r}; expected letters, digits and . _ -")
    if record["kind"] == "trained":
        name, weights_of = str(record["name"]), str(record["weights_of"])
        folds, scores = tuple(map(int, record["folds"])), tuple(map(float, record["fold_scores"]))
        return Trained(name, weights_of, folds, scores, record["score"])
    members = tuple(node_of(one, level2_of) for one in record["members"])
    if record["kind"] == "stack":
        return Stack(str(record["name"]), members, level2_of(record["name"]), bool(record["per_fold"]))
    if record["kind"] == "blend":
        of_folds = {int(fold): np.array(one) for fold, one in record["weights_of_folds"].items()}
        weights = np.array(record["weights"], dtype=np.float64)
        return Blend(members, str(record["method"]), weights, bool(record["exclusive"]), of_folds)
    raise ValueError(f"kind {record['kind']!r}; expected trained, blend or stack")
