"""The chapters about what a network looks at: maps over its worst mistakes, and its embeddings."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from compkit.report.embeddings import embedding_sections, read_embeddings
from compkit.report.records import RunRecord
from compkit.report.section import Figure, Section, number
from compkit.types import Task

ENOUGH = 6  # mistakes before their maps are counted
AT_THE_BORDER = 0.7  # share of a map's mass; an even map has 0.36
IN_A_CORNER = 0.6  # share; an even map has 0.06, and maps of few cells 0.4 without any shortcut


def explained_sections(run: RunRecord) -> list[Section]:
    """What scripts/explain.py and the ends of folds have left in a run's folder; nothing where there is nothing.

    What is missing or damaged is told by a sentence, as the rest of a page does not depend on it.
    """
    worst, lost = _read(sorted(run.folder.glob("fold_*/explained/maps.json"), key=_fold_of))
    asked, lost_asked = _read(sorted(run.folder.glob("explained/*/maps.json")))
    sections = []
    if worst or lost:
        sections.append(looks(worst, lost))
    if asked or lost_asked:
        caption = f"{_how(asked)} The first picture of each is what the network gets."
        figures = [Figure(caption, _strips(asked))] if asked else []
        sections.append(Section("asked", "Pictures asked for", lost_asked, figures))
    return [*sections, *embedding_sections(read_embeddings(run.folder))]


def looks(records: Sequence[dict[str, Any]], lost: Sequence[str] = ()) -> Section:
    """The worst mistakes, and which region of each speaks for what.

    Args:
        records: of each fold that has mistakes, its maps.json, see `_read`.
        lost: sentences about what could not be read.
    """
    title = "What the network looked at"
    if not records:
        return Section("looks", title, list(lost))
    cases = [case for record in records for case in record["cases"]]
    sentences = [f"The {len(cases)} worst mistakes{_OF[records[0]['task']]}, fold by fold, worst first."]
    sentences += [*_where(cases), *lost]
    caption = (
        f"{_how(records)} Left the picture as the network gets it; beside it, bright yellow where most speaks for the "
        "answer below, each map relative to its own maximum. A map shows where, not why, and it is as coarse as "
        "its cells."
    )
    return Section("looks", title, sentences, [Figure(caption, _strips(records))])


_OF = {
    Task.MULTICLASS: " (the prediction, and the true class)",
    Task.MULTILABEL: " (the label that is most wrong)",
    Task.REGRESSION: " (by absolute error, in standard deviations of the target)",
}


def _where(cases: Sequence[dict[str, Any]]) -> list[str]:
    """Where the maps of the predictions lie, in numbers, and whether that is suspicious."""
    places = [(case["border"][0], case["corner"][0]) for case in cases if case["border"][0] is not None]
    if not places:
        return ["No map has any mass: no region of these pictures speaks for what was said."]
    border, corner = np.array(places).T
    said = [
        f"Half of the predictions' maps have more than {np.median(border):.0%} of their mass in the outer tenth of "
        f"the sides (36% of the area), and more than {np.median(corner):.0%} in one corner (6% of the area)."
    ]
    odd = int(((border > AT_THE_BORDER) | (corner > IN_A_CORNER)).sum())
    if len(places) >= ENOUGH and odd > len(places) / 2:
        said.append(
            f"Look at the background: {odd} of {len(places)} maps lie at the border or in a corner. The network may "
            "read a frame, a stamp or a scale bar instead of the subject. See whether such a thing is in the "
            "pictures, cut it away or hide it with augment=crop or augment=cutout, and compare the scores."
        )
    return said


def _strips(records: Sequence[dict[str, Any]]) -> list[Markup]:
    return [case["strip"] for record in records for case in record["cases"]]


def _strip(folder: Path, case: dict[str, Any]) -> Markup:
    """One picture with its maps, and what they are in words."""
    data = base64.b64encode((folder / case["file"]).read_bytes()).decode("ascii")
    about = "; ".join(
        question + (" (no region)" if border is None else "")
        for question, border in zip(case["questions"], case["border"], strict=True)
    )
    markup = (
        '<div><img style="display:block;width:100%;max-width:392px" src="data:image/jpeg;base64,{}" alt="{}">'
        '<p style="font-size:12.5px;overflow-wrap:anywhere"><strong>{}</strong> {}. {}.</p></div>'
    )
    alt = f"Image {case['id']}, and beside it the regions {about}"
    return Markup(markup).format(data, alt, case["id"], _said(case), f"Maps: {about}")


def _said(case: dict[str, Any]) -> str:
    """Prediction and truth of a picture, in words."""
    answer = case["prediction"] if isinstance(case["prediction"], str) else number(case["prediction"])
    if case["prediction"] != case["output"]:
        answer = f"{case['output']}: {answer}"
    if case["probability"] is not None:
        answer += f" ({number(case['probability'])})"
    if case["truth"] is None:
        return f"said {answer}, truth not known, fold {case['fold']}"
    truth = case["truth"] if isinstance(case["truth"], str) else number(case["truth"])
    return f"said {answer}, truth {truth}, fold {case['fold']}"


def _how(records: Sequence[dict[str, Any]]) -> str:
    """By which method the maps were made, once where all are alike."""
    found = list(dict.fromkeys(record["how"] for record in records))
    return "; ".join(found) + "."


def _read(paths: Sequence[Path]) -> tuple[list[dict[str, Any]], list[str]]:
    """The records that have cases, each case with its strip; and sentences about what could not be read."""
    records: list[dict[str, Any]] = []
    lost: list[str] = []
    for path in paths:
        try:
            held = json.loads(path.read_text(encoding="utf-8"))
            record: dict[str, Any] = {"task": Task(held["task"]), "how": str(held["how"]), "cases": []}
            for case in held["cases"]:
                try:
                    record["cases"].append(case | {"strip": _strip(path.parent, case)})
                except OSError as error:
                    lost.append(f"The maps of {case['id']} are left out: {error}.")
        # a run's folder may be torn in any way
        except (OSError, LookupError, TypeError, ValueError) as error:
            lost.append(f"{path} is damaged, so its maps are left out ({type(error).__name__}: {error}).")
            continue
        if record["cases"]:
            records.append(record)
    lost = [f"{sentence} python scripts/explain.py run=… makes them anew." for sentence in lost]
    return records, lost


def _fold_of(path: Path) -> int:
    return int(path.parent.parent.name.removeprefix("fold_"))
