"""The chapters about what happened inside the networks: what entered them, a few predictions, and the layers."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np
import pandas as pd
import torch
import yaml
from markupsafe import Markup

from compkit.probes import Kind, ProbeRecord, read_probes
from compkit.probes.filters import tiles
from compkit.report.contact_sheet import label_texts, visible
from compkit.report.layer_map import MOST_COLUMNS, MOST_LAYERS, layer_map
from compkit.report.pictures import thumbnail
from compkit.report.plots import Line, line_chart
from compkit.report.records import RunRecord
from compkit.report.section import Figure, Number, Picture, Section, Table
from compkit.types import Targets, Task

Value = TypeVar("Value")
MOST_FOLDS = 5  # whose charts are drawn
MAPS = (  # a statistic, what it is, in two words, and whether it spans decades
    ("gradient_rms", "gradient (root mean square, before clipping)", "gradient", True),
    ("update_ratio", "size of a step, as a share of the weights", "step / weights", True),
    ("dead_share", "share of units that let nothing through", "dead units", False),
)
MERITS = {
    Task.MULTICLASS: "probability of the true class",
    Task.MULTILABEL: "mean probability of the true labels",
    Task.REGRESSION: "first predicted value",
}


def probe_sections(run: RunRecord) -> list[Section]:
    """What the probes of a run's folds saw; no section without any.

    Raises:
        ValueError: a file of a fold is not what a run writes.
    """
    found = {fold: read_probes(run.folder / f"fold_{fold}") for fold in run.histories}
    records = {fold: one for fold, one in found.items() if one is not None}
    if not records:
        return []
    return [*saw(run, records), *followed(run, records), layers(records)]


def saw(run: RunRecord, records: Mapping[int, ProbeRecord]) -> list[Section]:
    """The pictures of the first step and the numbers of the tensors; none where no step was seen."""
    entered = {fold: one.arrays for fold, one in records.items() if "input_pictures" in one.arrays}
    if not entered:
        return []
    fold, arrays = next(iter(entered.items()))
    shape = " x ".join(map(str, arrays["input_shape"]))
    images = visible(arrays["input_pictures"])
    names = _ids(run, arrays["input_rows"])
    pictures = [
        Picture(name, thumbnail(image), [("label", label)])
        for name, image, label in zip(names, images, _labels(run, arrays), strict=True)
    ]
    rows: list[list[object]] = [
        [
            f"fold {one}",
            channel,
            *(Number(some[f"input_{what}"][channel]) for what in ("min", "mean", "max", "std")),
        ]
        for one, some in entered.items()
        for channel in range(min(len(some["input_mean"]), 8))
    ]
    sentences = [
        f"These are the first pictures of the tensor, {shape}, that entered the network of fold {fold} at its first "
        "step: augmented, mixed, normalised, and here made visible again by undoing mean and standard deviation.",
        "Normalised with the statistics of its own data a channel has mean 0 and standard deviation 1; pictures of "
        "another kind may well lie apart, but 0 to 255, a spread near 0, or all alike is a mistake.",
    ]
    table = Table("The tensor's numbers, by channel", ["fold", "channel", "min", "mean", "max", "std"], rows)
    return [Section("seen", "What the network saw", sentences, tables=[table], pictures=pictures)]


def followed(run: RunRecord, records: Mapping[int, ProbeRecord]) -> list[Section]:
    """How the predictions of a few rows moved from epoch to epoch; none before the first has ended."""
    drawn = [(fold, one.arrays) for fold, one in records.items() if "followed_rows" in one.arrays][
        :MOST_FOLDS
    ]
    if not drawn:
        return []
    what = MERITS[_task(run)]
    figures = []
    for fold, arrays in drawn:
        merit, change = arrays["followed_merit"], arrays["followed_change"]
        epochs = arrays["followed_epoch"].astype(np.float64)
        lines = [Line("", epochs, one, faint=True) for one in merit.T]
        middle = np.median(merit, axis=1)
        words = (
            f"Fold {fold}: the {what} of {merit.shape[1]} rows after each epoch, each a thin line; their median went "
            f"from {middle[0]:.3g} to {middle[-1]:.3g}."
        )
        charts = [line_chart(f"Fold {fold}: {what}", [Line("median", epochs, middle), *lines])]
        if np.isfinite(change).any():
            words += f" In the last epoch predictions moved by {change[-1]:.3g} on average."
            charts.append(line_chart(f"Fold {fold}: change an epoch", [Line("mean change", epochs, change)]))
        figures.append(Figure(words, charts, folded=fold != drawn[0][0]))
    sentences = [
        "The same few rows of validation (of training, where nothing validates) are predicted after each epoch. Lines "
        "that rise and settle are learning; lines that jump to the end ask for a smaller rate; lines that never part "
        "belong to a network that says the same of every picture."
    ]
    return [Section("followed", "Fixed batch", sentences, figures=figures)]


def layers(records: Mapping[int, ProbeRecord]) -> Section:
    """Maps of gradients, steps and dead units over layers and epochs, the last numbers, and the first filters."""
    drawn = list(records.items())[:MOST_FOLDS]
    figures = [
        Figure(_words(fold, one), _maps(fold, one.layers), folded=fold != drawn[0][0]) for fold, one in drawn
    ]
    fold, first = drawn[0]
    sentences = [
        "Some training steps were looked at from inside, see trainer.probe_every. Usual are steps of 1e-4 to 1e-2 of "
        "the weights, few dead units, and gradients that do not fall by many decades towards the first layers.",
    ]
    if first.arrays["is_compiled"]:
        sentences.append("The network was compiled, so what its layers said (activations) could not be seen.")
    pictures = [
        Picture(f"first filters, {when}", thumbnail(tiles(first.arrays[name].astype(np.float32))), facts)
        for when, name, facts in (
            ("at the start", "filters_first", []),
            ("now", "filters_last", _smoothness(first)),
        )
        if name in first.arrays
    ]
    return Section(
        "layers", "Layers", sentences, figures=figures, tables=[_last(fold, first.layers)], pictures=pictures
    )


def _maps(fold: int, frame: pd.DataFrame) -> list[Markup]:
    charts = []
    columns = _columns(frame)
    for name, what, heading, log in MAPS:
        known = frame[
            frame[name].notna() & (frame["kind"] != Kind.VECTOR)
        ]  # scales and offsets start at 0 or 1
        names = _some(list(dict.fromkeys(known["layer"])), MOST_LAYERS)
        if names:
            grid = known.pivot(index="layer", columns="step", values=name).reindex(
                index=names, columns=columns
            )
            moments = [_moment(frame, columns[0]), _moment(frame, columns[-1])]
            title = f"Fold {fold}: {what}"
            charts.append(
                layer_map(title, grid.to_numpy(np.float64), names, moments[: len(columns)], heading, log)
            )
    return charts


def _words(fold: int, record: ProbeRecord) -> str:
    """The maps in words: where the last probe saw the extremes."""
    frame = record.layers
    last = frame[frame["step"] == frame["step"].max()]
    said = []
    for name, what, *_ in MAPS:
        known = last[last[name].notna() & (last["kind"] != Kind.VECTOR)]
        if len(known):
            low, high = known.loc[known[name].idxmin()], known.loc[known[name].idxmax()]
            said.append(f"{what} from {low[name]:.2g} ({low['layer']}) to {high[name]:.2g} ({high['layer']})")
    count = frame["step"].nunique()
    return (
        f"Fold {fold}, {count} step(s) looked at, layers from the first down. At the last: {'; '.join(said)}."
    )


def _last(fold: int, frame: pd.DataFrame) -> Table:
    """The numbers of the last probe."""
    last = frame[frame["step"] == frame["step"].max()].drop(columns=["epoch", "step", "not_finite"])
    last = last[last["layer"].isin(_some(list(last["layer"]), MOST_LAYERS))]
    rows: list[list[object]] = [
        [str(row[0]), str(row[1]), *("" if np.isnan(value) else f"{value:.3g}" for value in row[2:])]
        for row in last.itertuples(index=False)
    ]
    title = f"Layers of fold {fold} at the last step that was looked at"
    return Table(title, [str(name).replace("_", " ") for name in last], rows)


def _columns(frame: pd.DataFrame) -> list[int]:
    return _some(list(dict.fromkeys(frame["step"])), MOST_COLUMNS)


def _some(values: Sequence[Value], most: int) -> list[Value]:
    """At most so many, evenly spread, the first and the last among them.

    >>> _some(range(100), 4)
    [0, 33, 66, 99]
    """
    if len(values) <= most:
        return list(values)
    return [values[place] for place in np.linspace(0, len(values) - 1, most).round().astype(int)]


def _moment(frame: pd.DataFrame, step: int) -> str:
    epoch = frame.loc[frame["step"] == step, "epoch"].iloc[0]
    return f"epoch {epoch}, step {step}"


def _smoothness(record: ProbeRecord) -> list[tuple[str, str]]:
    """How alike neighbouring pixels of the filters are."""
    values = record.arrays.get("followed_smoothness", np.array([]))
    known = values[np.isfinite(values)]
    return [("neighbouring pixels correlate", f"{known[-1]:.2f}")] if len(known) else []


def _ids(run: RunRecord, rows: np.ndarray) -> list[str]:
    """Names of rows; of those that models have labelled, which stand behind the table's own, their number."""
    ids = [] if run.folds is None else run.folds["id"].tolist()
    return [str(ids[row]) if row < len(ids) else f"row {row}" for row in rows]


def _labels(run: RunRecord, arrays: Mapping[str, np.ndarray]) -> list[str]:
    """The labels of the pictures, in words once the run has finished and its classes are written."""
    labels = torch.from_numpy(arrays["input_labels"])
    if "input_share" in arrays:
        other, share = (torch.from_numpy(arrays[f"input_{name}"]) for name in ("other", "share"))
        targets = Targets(labels, other=other, share=share)
    else:
        targets = Targets(labels)
    task = _task(run)
    if task == Task.MULTICLASS and labels.ndim > 1:  # soft ones
        task = Task.MULTILABEL
    count = labels.shape[1] if labels.ndim > 1 else int(labels.max()) + 1
    return label_texts(targets, run.metrics.get("classes") or [str(number) for number in range(count)], task)


def _task(run: RunRecord) -> Task:
    return Task(yaml.safe_load(run.config)["task"])
