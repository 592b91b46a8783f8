"""The leaderboard of a competition's runs: their order, the final selection, and how it is put into rows and words."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from compkit.report.final_selection import (
    Agreement,
    Pick,
    agreement,
    correlation_of_tests,
    select,
    warnings,
)
from compkit.report.section import Right, duration, number
from compkit.report.standings import Standing, read_standings

# by each, None last; scores with the better one first
SORTS: dict[str, Callable[[Standing], float | str | None]] = {
    "cv": lambda one: _better_first(one, one.score),
    "mean": lambda one: _better_first(one, one.mean),
    "lb": lambda one: _better_first(one, one.public),
    "gap": lambda one: None if one.gap is None else abs(one.gap),
    "time": lambda one: one.seconds,
    "speed": lambda one: None if one.images_per_second is None else -one.images_per_second,
    "name": lambda one: one.name,
}


@dataclass(frozen=True)
class Leaderboard:
    """What the terminal and the page show.

    Attributes:
        title: name of the competition.
        standings: of all runs, in order.
        picks: final submissions.
        agreement: of CV and LB.
        warnings: what speaks against the order.
    """

    title: str
    standings: Sequence[Standing]
    picks: Sequence[Pick]
    agreement: Agreement
    warnings: Sequence[str]


def read_leaderboard(folder: Path, sort: str = "cv") -> Leaderboard:
    """The runs of a competition in order: finished comparable ones first, then finished others, then the rest."""
    standings = read_standings(folder)

    def place(one: Standing) -> tuple[object, ...]:
        value = SORTS[sort](one)
        last = sort != "name" and (not one.comparable, one.state != "finished", value is None)
        return last, value or 0, one.name

    ordered = sorted(standings, key=place)
    picks = select(ordered, correlation_of_tests)
    return Leaderboard(folder.resolve().name, ordered, picks, agreement(ordered), warnings(ordered))


def rows_of(board: Leaderboard) -> tuple[list[str], list[list[object]]]:
    """Headings and a row a run, the note last; a column that is blank in all rows is left out."""
    metric = next((one.metric for one in board.standings if one.comparable), "score")
    scores = [f"CV {metric}", "mean ± std", "nested (in sample)", "LB", "private", "CV − LB"]
    columns = ["run", "#", "kind", *scores, "time", "img/s", "note"]
    rows: list[list[object]] = []
    for place, one in enumerate(board.standings, start=1):
        cells = [
            _cell(one.cv),
            _beside(one.mean, one.std, "{} ± {}"),
            _beside(one.nested, one.in_sample, "{} ({})"),
            _cell(one.public),
            _cell(one.private),
            "" if one.gap is None else f"{one.gap:+.4f}",
            "" if one.seconds is None else duration(one.seconds),
            "" if one.images_per_second is None else f"{one.images_per_second:,.0f}",
        ]
        rows.append([one.name, place, one.kind, *map(Right, cells), _note(one, board)])
    used = [at for at, _ in enumerate(columns) if at == len(columns) - 1 or any(str(row[at]) for row in rows)]
    return [columns[at] for at in used], [[row[at] for at in used] for row in rows]


def _note(one: Standing, board: Leaderboard) -> str:
    """Why a run's line is not to be taken like the others."""
    if one.state != "finished":
        return f"{one.state}: {one.why}" if one.why else one.state
    notes = [f"LB {one.lb_note}"] if one.lb_note else []
    main = next((other for other in board.standings if other.comparable), None)
    if one.scores_of:
        notes.append(f"scores of {one.scores_of}")
    elif main is not None and not one.comparable:
        if one.score is None:
            notes.append("no score")
        elif one.metric != main.metric:
            notes.append(f"another metric: {one.metric}")
        elif one.fold_hash != main.fold_hash:
            notes.append(f"other folds ({one.fold_hash[:12]})")
        else:
            notes.append(f"{len(one.folds)} of {len(main.folds)} folds")
    return ", ".join(notes)


def about(board: Leaderboard) -> list[str]:
    """What is compared, and how."""
    main = next((one for one in board.standings if one.comparable), None)
    if main is None:
        return ["No run has a score yet."]
    better = "higher" if main.greater_is_better else "lower"
    return [
        f"{main.metric}, {better} is better. CV is pooled over all out-of-fold rows; nested, where something was "
        "learned on those rows, is the honest one, by which runs are ranked. Runs with the fold hash "
        f"{main.fold_hash[:12]} are compared; others are marked."
    ]


def agreement_sentence(found: Agreement) -> str:
    """How well CV foretells LB, in words."""
    if found.pearson is None:
        return f"CV and LB of {found.count} runs are known: too few, or too much alike, for a correlation."
    return (
        f"CV and LB of {found.count} runs: Pearson correlation {number(found.pearson)}, of their ranks (Spearman) "
        f"{number(found.spearman)}."
    )


def differs(one: Standing) -> str:
    """What sets a run apart, as one line."""
    against = f" (against {one.parent})" if one.parent else ""
    return f"{', '.join(one.changes) or 'no difference'}{against}"


def _better_first(one: Standing, value: float | None) -> float | None:
    if value is None:
        return None
    return -value if one.greater_is_better else value


def _cell(value: float | None) -> str:
    return "" if value is None else number(value)


def _beside(value: float | None, other: float | None, both: str) -> str:
    return _cell(value) if value is None or other is None else both.format(number(value), number(other))
