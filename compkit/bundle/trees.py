"""Boosted trees of scikit-learn as arrays, and what they say."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Trees:
    """The trees of a histogram gradient boosting, without missing values and categories.

    Attributes:
        first: index of each tree's root among the nodes, int64 [rounds, K].
        left, right: index of the children within the tree, int64 [nodes]; 0 at a leaf, as no child is the root.
        feature: that a node looks at, int64 [nodes].
        threshold: rows with at most so much go left, float64 [nodes].
        value: that a leaf adds, float64 [nodes].
        baseline: what the trees are added to, float64 [K].
    """

    first: np.ndarray
    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    value: np.ndarray
    baseline: np.ndarray

    @classmethod
    def fitted(cls, model: Any) -> "Trees":
        """Those of a fitted HistGradientBoostingClassifier or -Regressor."""
        rounds = [[tree.nodes for tree in of_round] for of_round in model._predictors]
        sizes = np.array([[len(nodes) for nodes in of_round] for of_round in rounds])
        nodes = np.concatenate([one for of_round in rounds for one in of_round])
        ends = np.cumsum(sizes.ravel()).reshape(sizes.shape)
        is_leaf = nodes["is_leaf"].astype(bool)
        return cls(
            first=ends - sizes,
            left=np.where(is_leaf, 0, nodes["left"]).astype(np.int64),
            right=np.where(is_leaf, 0, nodes["right"]).astype(np.int64),
            feature=nodes["feature_idx"].astype(np.int64),
            threshold=nodes["num_threshold"].astype(np.float64),
            value=nodes["value"].astype(np.float64),
            baseline=np.ravel(model._baseline_prediction).astype(np.float64),
        )

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray], prefix: str) -> "Trees":
        """The trees whose arrays begin with a prefix."""
        return cls(**{name: arrays[f"{prefix}{name}"] for name in cls.__dataclass_fields__})

    def arrays(self) -> dict[str, np.ndarray]:
        """As `of` reads them."""
        return asdict(self)

    def raw(self, features: np.ndarray) -> np.ndarray:
        """The sum of all trees before the link function, float64 [T, K], of features [T, F].

        >>> def whole(*numbers):
        ...     return np.array(numbers)
        >>> values = np.array([0.5, 0.0, 0.0]), whole(0, -1, 1), whole(3)
        >>> tree = Trees(np.array([[0]]), whole(1, 0, 0), whole(2, 0, 0), whole(0, 0, 0), *values)
        >>> tree.raw(np.array([[0.2], [0.7]])).ravel().tolist()
        [2.0, 4.0]
        """
        rows = np.arange(len(features))
        raw = np.tile(self.baseline, (len(features), 1)).astype(np.float64)
        for of_round in self.first:
            for column, root in enumerate(of_round.tolist()):
                at = np.full(len(features), root)
                while (inside := self.left[at] > 0).any():
                    goes_left = features[rows, self.feature[at]] <= self.threshold[at]
                    child = np.where(goes_left, self.left[at], self.right[at])
                    at = np.where(inside, root + child, at)
                raw[:, column] += self.value[at]
        return raw
