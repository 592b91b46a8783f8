"""The chapter about embeddings: pictures as points by their features, and what their neighbourhoods say."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from markupsafe import Markup

from compkit.report.embedding_chart import MOST_CLASSES, SCALE, Group, embedding_chart
from compkit.report.section import Figure, Number, Section, Table, number

FARTHEST = 8  # pictures told by id


def embedding_sections(tables: dict[int, pd.DataFrame]) -> list[Section]:
    """The drawings of the folds beside each other, with numbers; no section without any.

    Args:
        tables: fold -> its embedding.parquet.
    """
    if not tables:
        return []
    is_scale = all(pd.api.types.is_float_dtype(table["class"]) for table in tables.values())
    sentences = [
        "Each point is a validation picture by what the network's head sees of it, brought down to two dimensions "
        "(PCA, then t-SNE; below 50 pictures PCA alone): neighbours are alike to the network. The distance between "
        "groups and their size mean nothing. The table's numbers are of the features themselves, by cosine distance."
    ]
    if len(tables) > 1:
        sentences.append(
            "Each fold's network has a space of its own: a place in one drawing means nothing in another."
        )
    sentences.append(_MEANING[is_scale])
    charts = [_chart(fold, table, is_scale) for fold, table in tables.items()]
    summary = Table(
        "Nearest neighbours",
        _COLUMNS[is_scale],
        [_summary(fold, one, is_scale) for fold, one in tables.items()],
    )
    caption = "Coloured by the target, low to high." if is_scale else _class_caption(tables)
    figures = [Figure(caption, charts)]
    return [Section("embeddings", "Embeddings", sentences, figures, [summary, _farthest(tables, is_scale)])]


_MEANING = {
    False: "A picture far inside a group of another class is a candidate for a wrong label; classes that mix are what "
    "the network cannot tell apart.",
    True: "Where colours run smoothly, the features hold the target.",
}
_COLUMNS = {
    False: [
        "fold",
        "pictures",
        "neighbour of the same class",
        "by chance",
        "classes most often side by side",
    ],
    True: ["fold", "pictures", "correlation with the neighbour's target"],
}


def read_embeddings(folder: Path) -> dict[int, pd.DataFrame]:
    """Fold -> its embedding.parquet, of a run's folder."""
    paths = {
        int(path.parent.name.removeprefix("fold_")): path for path in folder.glob("fold_*/embedding.parquet")
    }
    return {fold: pd.read_parquet(paths[fold]) for fold in sorted(paths)}


def _chart(fold: int, table: pd.DataFrame, is_scale: bool) -> Markup:
    groups = _ranges(table["class"]) if is_scale else _classes(table)
    wrong = np.zeros(len(table), bool) if is_scale else (table["class"] != table["predicted"]).to_numpy()
    title = f"Embeddings of fold {fold}: {len(table)} pictures"
    return embedding_chart(title, table[["x", "y"]].to_numpy(), groups, wrong, is_scale)


def _classes(table: pd.DataFrame) -> list[Group]:
    """The classes with colours of their own, in the order of their names; with many those of most mistakes."""
    names, counts = np.unique(table["class"].astype(str), return_counts=True)
    wrong = table[table["class"] != table["predicted"]]
    mistakes = pd.concat([wrong["class"], wrong["predicted"]]).value_counts()
    order = np.lexsort((-counts, -np.array([mistakes.get(name, 0) for name in names])))
    chosen = sorted(names[order[:MOST_CLASSES]].tolist())
    return [Group(name, np.flatnonzero(table["class"] == name)) for name in chosen]


def _ranges(values: pd.Series) -> list[Group]:
    """Ranges of a value that hold as many points each."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, len(SCALE) + 1)))
    if len(edges) < 2:
        return [Group(number(edges[0]), np.arange(len(values)))]
    which = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    return [
        Group(f"{low:.3g} to {high:.3g}", np.flatnonzero(which == place))
        for place, (low, high) in enumerate(pairwise(edges))
    ]


def _class_caption(tables: dict[int, pd.DataFrame]) -> str:
    many = max(table["class"].nunique() for table in tables.values())
    text = "Coloured by true class, named (or lettered) in the middle of its points; rings mark what is called wrong."
    if many > MOST_CLASSES:
        text += f" Of {many} classes the {MOST_CLASSES} with most mistakes have colours, the others are grey."
    return text


def _summary(fold: int, table: pd.DataFrame, is_scale: bool) -> list[object]:
    own, near = table["class"].to_numpy(), _neighbour_classes(table)
    if is_scale:
        known = len(table) > 2 and np.ptp(own) > 0 and np.ptp(near) > 0
        return [str(fold), len(table), Number(np.corrcoef(own, near)[0, 1] if known else np.nan)]
    shares = table["class"].value_counts(normalize=True)
    pairs = pd.Series(
        [" / ".join(sorted(pair)) for pair in zip(own, near, strict=True) if pair[0] != pair[1]]
    )
    often = "none" if pairs.empty else f"{pairs.mode()[0]} ({int((pairs == pairs.mode()[0]).sum())})"
    return [str(fold), len(table), Number((own == near).mean()), Number((shares**2).sum()), often]


def _farthest(tables: dict[int, pd.DataFrame], is_scale: bool) -> Table:
    """The pictures with the largest mean distance to their nearest neighbours, in the fold's own unit."""
    joined = pd.concat(
        [
            table.assign(fold=fold, times=table["distance"] / max(float(table["distance"].median()), 1e-12))
            for fold, table in tables.items()
        ]
    )
    first = joined.sort_values("times", ascending=False, kind="stable").head(FARTHEST)
    rows: list[list[object]] = [
        [id, str(fold), *((number(truth), number(called)) if is_scale else (truth, called)), Number(times)]
        for id, fold, truth, called, times in first[["id", "fold", "class", "predicted", "times"]].to_numpy(
            object
        )
    ]
    columns = ["id", "fold", "truth", "prediction", "distance / the fold's median"]
    return Table("Farthest from their five nearest neighbours", columns, rows)


def _neighbour_classes(table: pd.DataFrame) -> np.ndarray:
    return table.set_index("id")["class"].loc[table["neighbour"]].to_numpy()
