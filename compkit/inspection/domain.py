"""Do the test pictures look like the training pictures? A classifier tries to tell them apart."""

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold

from compkit.findings import Finding, Status
from compkit.inspection.features import colours, file_formats, looks, picture_sizes
from compkit.pictures.measure import Measured

CHECK = "train against test"
DIFFERENT, MENTIONED = 0.8, 0.6  # AUC whose lower end is told as WARN, as INFO
MOST_ROWS = 5000  # of each part
LEAST_ROWS, LEAST_GROUPS = 30, 10  # of each part


def compare_domains(
    train: Measured, test: Measured | None, train_groups: np.ndarray, test_groups: np.ndarray | None
) -> Finding:
    """A finding on how well train and test are told apart by size, file, colour and sharpness.

    Args:
        train, test: of N and M pictures.
        train_groups, test_groups: rows that show the same (duplicates, patients), int64 [N] and [M].
    """
    if test is None or test_groups is None:
        return Finding(CHECK, Status.SKIP, "there are no test pictures")
    parts = [(train, train_groups), (test, test_groups)]
    chosen = [_drawn(measured) for measured, _ in parts]
    if min(map(len, chosen)) < LEAST_ROWS:
        return Finding(CHECK, Status.SKIP, f"fewer than {LEAST_ROWS} readable pictures in a part")
    different = [len(np.unique(of[rows])) for (_, of), rows in zip(parts, chosen, strict=True)]
    if min(different) < LEAST_GROUPS:
        message = f"too few groups to judge: {different[0]} of training and {different[1]} of test pictures"
        return Finding(CHECK, Status.SKIP, message, expected=f"at least {LEAST_GROUPS} of each")
    formats = _formats(train, test)
    columns = pd.concat(
        [
            _columns(measured, formats[part]).iloc[rows]
            for part, ((measured, _), rows) in enumerate(zip(parts, chosen, strict=True))
        ]
    )
    is_test = np.repeat([0, 1], [len(rows) for rows in chosen])
    groups = np.concatenate([of[rows] for (_, of), rows in zip(parts, chosen, strict=True)])
    return domain_finding(*tell_apart(columns, is_test, groups))


def tell_apart(
    columns: pd.DataFrame, is_test: np.ndarray, groups: np.ndarray
) -> tuple[float, float, str, float]:
    """How well two parts are told apart by small boosted trees, on rows that they have not seen.

    Args:
        columns: numbers, [N, F].
        is_test: 0 or 1, [N].
        groups: rows of one are never learnt from and judged, int64 [N].

    Returns:
        AUC, its standard error, the column that tells most by itself, and that column's AUC.
    """
    columns = columns.loc[:, columns.nunique() > 1]
    if columns.empty:
        return 0.5, 0.0, "none", 0.5
    values, told = columns.to_numpy(float), np.zeros(len(columns))
    for learn, judge in GroupKFold(5, shuffle=True, random_state=0).split(values, groups=groups):
        trees = HistGradientBoostingClassifier(max_iter=40, max_depth=3, min_samples_leaf=10, random_state=0)
        told[judge] = trees.fit(values[learn], is_test[learn]).predict_proba(values[judge])[:, 1]
    alone = {str(name): roc_auc_score(is_test, columns[name]) for name in columns}
    best = max(alone, key=lambda name: abs(alone[name] - 0.5))
    auc = float(roc_auc_score(is_test, told))
    return auc, auc_error(auc, is_test), best, float(max(alone[best], 1 - alone[best]))


def auc_error(auc: float, is_positive: np.ndarray) -> float:
    """Standard error of an AUC.

    Source: Hanley and McNeil 1982, The Meaning and Use of the Area under a ROC Curve, eq. 1.

    >>> round(auc_error(0.5, np.repeat([0, 1], 100)), 3)
    0.041
    """
    positives = int(is_positive.sum())
    negatives = len(is_positive) - positives
    q1, q2 = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    spread = auc * (1 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    return float(np.sqrt(max(spread, 0) / (positives * negatives)))


def domain_finding(auc: float, error: float, column: str, alone: float) -> Finding:
    """What an AUC between train and test means.

    >>> domain_finding(0.99, 0.01, "brightness", 0.98).status, domain_finding(0.52, 0.02, "width", 0.51).status
    (<Status.WARN: 'warn'>, <Status.PASS: 'pass'>)
    """
    low, high = max(0.0, auc - 1.96 * error), min(1.0, auc + 1.96 * error)
    seen = (
        f"AUC {auc:.3f} (95 % interval {low:.3f} to {high:.3f}), most telling: {column} ({alone:.3f} alone)"
    )
    evidence = {"error": round(error, 4), "column": column, "column_auc": round(alone, 4)}
    expected = f"an AUC near 0.5, its lower end below {DIFFERENT}"
    if low <= MENTIONED:
        message = f"train and test pictures look alike: {seen}"
        return Finding(CHECK, Status.PASS, message, auc, expected, evidence=evidence)
    if low <= DIFFERENT:
        message = f"train and test pictures differ a little: {seen}"
        return Finding(CHECK, Status.INFO, message, auc, expected, evidence=evidence)
    remedy = (
        "look at the contact sheet; the validation score will not hold on test. Make them alike: augment=medium or "
        "heavy (colour, blur, scale), another scaling, pseudo_labels, or validate on the training rows that look "
        "like test."
    )
    message = f"test pictures are of another kind: {seen}"
    return Finding(CHECK, Status.WARN, message, auc, expected, remedy, evidence)


def _columns(measured: Measured, formats: np.ndarray) -> pd.DataFrame:
    sizes = picture_sizes(measured).assign(bytes=measured.file_bytes.astype(float))
    return pd.concat(
        [sizes, file_formats(measured).assign(format=formats), colours(measured), looks(measured)], axis=1
    )


def _formats(train: Measured, test: Measured) -> list[np.ndarray]:
    """The files' formats as numbers that mean the same in both parts."""
    codes = np.unique(np.concatenate([train.formats, test.formats]), return_inverse=True)[1].astype(float)
    return [codes[: len(train)], codes[len(train) :]]


def _drawn(measured: Measured) -> np.ndarray:
    """Readable rows, drawn at random where there are many."""
    rows = np.flatnonzero(measured.readable)
    return rows if len(rows) <= MOST_ROWS else np.random.default_rng(0).choice(rows, MOST_ROWS, replace=False)
