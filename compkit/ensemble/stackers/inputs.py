"""What a level-2 model sees: the predictions of other models, and columns of the table."""

from dataclasses import dataclass

import numpy as np

from compkit.types import Task

CLIP = 1e-4  # nearer to 0 or 1 says "sure" and no more: one model alone must not outweigh all others
TOLERANCE = 1e-4  # float32 probabilities may end a rounding error outside 0..1


@dataclass(frozen=True)
class Inputs:
    """What is known of N rows before a level-2 model predicts them.

    Attributes:
        predictions: of M models, float64 [M, N, C]: probabilities, or values in the target's unit.
        extra: columns of the table as numbers, none missing, float64 [N, E].
        task: of the competition.
    """

    predictions: np.ndarray
    extra: np.ndarray
    task: Task

    def __len__(self) -> int:
        return self.predictions.shape[1]

    @property
    def num_classes(self) -> int:
        return self.predictions.shape[2]

    def take(self, rows: np.ndarray) -> "Inputs":
        """Some of the rows, by position or as a mask."""
        return Inputs(self.predictions[:, rows], self.extra[rows], self.task)


def check_inputs(inputs: Inputs) -> None:
    """Refuse what no stacker can learn from.

    Raises:
        ValueError: NaN or infinite values; of classes, predictions that are no probabilities.
    """
    predictions, extra = inputs.predictions, inputs.extra
    for what, values in (("predictions", predictions), ("extra columns", extra)):
        if not np.isfinite(values).all():
            raise ValueError(
                f"stacker: {what} are NaN or infinite in {(~np.isfinite(values)).sum()} of {values.size} places; "
                "expected finite numbers. Leave the run or the column out that they come from."
            )
    is_probability = (predictions >= -TOLERANCE) & (predictions <= 1 + TOLERANCE)
    if inputs.task != Task.REGRESSION and not is_probability.all():
        raise ValueError(
            f"stacker: predictions run from {predictions.min():.4g} to {predictions.max():.4g}; expected "
            "probabilities from 0 to 1. Leave the run out that they come from."
        )


def to_scores(inputs: Inputs) -> np.ndarray:
    """The predictions on a scale where evidence adds up, float64 [M, N, C].

    Log-probabilities for multiclass, logits for multilabel, values as they are for regression; clipped, so that
    one model's absolute certainty does not outweigh all others.

    >>> to_scores(Inputs(np.array([[[0.5, 0.0]]]), np.zeros((1, 0)), Task.MULTILABEL)).round(1).tolist()
    [[[0.0, -9.2]]]
    """
    if inputs.task == Task.REGRESSION:
        return inputs.predictions
    probs = inputs.predictions.clip(CLIP, 1 - CLIP)
    return np.log(probs) if inputs.task == Task.MULTICLASS else np.log(probs) - np.log1p(-probs)


def side_by_side(predictions: np.ndarray, extra: np.ndarray) -> np.ndarray:
    """One row of features an image, [N, M * C + E], from predictions [M, N, C] and columns [N, E].

    >>> side_by_side(np.array([[[1, 2]], [[3, 4]]]), np.array([[5]])).tolist()
    [[1, 2, 3, 4, 5]]
    """
    by_row = predictions.transpose(1, 0, 2)
    return np.concatenate([by_row.reshape(len(by_row), -1), extra], axis=1)


@dataclass(frozen=True)
class Scale:
    """Scores and columns brought to a spread of about 1, by what the training rows say of them.

    All scores share one spread: a model that says nearly the same of every picture stays quiet. With a spread of its
    own, how its constant answer differs from fold to fold would be as loud as what others know.
    """

    mean: float  # of the scores
    std: float
    extra_mean: np.ndarray  # [E]
    extra_std: np.ndarray

    @classmethod
    def of(cls, scores: np.ndarray, extra: np.ndarray) -> "Scale":
        """As these rows have it, [M, N, C] and [N, E]; what never varies is left as it is."""
        extra_std = extra.std(axis=0)
        spread = np.where(extra_std > 0, extra_std, 1.0)
        return cls(float(scores.mean()), float(scores.std()) or 1.0, extra.mean(axis=0), spread)

    def apply(self, scores: np.ndarray, extra: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores [M, N, C] and columns [N, E], scaled.

        >>> scores, extra = np.array([[[0.0], [4.0]]]), np.array([[1.0], [1.0]])
        >>> [part.ravel().tolist() for part in Scale.of(scores, extra).apply(scores, extra)]
        [[-1.0, 1.0], [0.0, 0.0]]
        """
        return (scores - self.mean) / self.std, (extra - self.extra_mean) / self.extra_std

    def unscaled(self, coef: np.ndarray, intercept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The same linear model for features that are not scaled: coef [..., F] and intercept [...], F = M * C + E.

        >>> scale = Scale(1.0, 2.0, np.array([3.0]), np.array([4.0]))
        >>> coef, intercept = scale.unscaled(np.array([6.0, 8.0]), np.array(0.0))  # 6 (x - 1) / 2 + 8 (y - 3) / 4
        >>> coef.tolist(), intercept.tolist()
        ([3.0, 2.0], -9.0)
        """
        scores = coef.shape[-1] - len(self.extra_std)
        mean = np.concatenate([np.full(scores, self.mean), self.extra_mean])
        coef = coef / np.concatenate([np.full(scores, self.std), self.extra_std])
        return coef, intercept - coef @ mean
