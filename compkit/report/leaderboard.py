"""The leaderboard shown: on the terminal, and as a page."""

from pathlib import Path

from compkit.engine import Console
from compkit.files import write_text
from compkit.ranges import one_of
from compkit.report.agreement_chart import agreement_chart, time_chart
from compkit.report.board import (
    SORTS,
    Leaderboard,
    about,
    agreement_sentence,
    differs,
    read_leaderboard,
    rows_of,
)
from compkit.report.details import details
from compkit.report.final_selection import best_lb, rank
from compkit.report.page import render, require_own_page
from compkit.report.section import Card, Figure, Number, Section, Table, number

_CHART = (
    "CV across, public LB up; the numbers are those of the table, the two runs to select have another colour, and on "
    "the dashed line LB is CV."
)
_TIME = "Score up, time of training across; the numbers are those of the table."
_DETAILS = (
    "Gains are those over the parent, fold by fold; above 0 is better, ▲ and ▼ mark what is beyond two standard errors "
    "(SE) of the folds' differences. With two or three folds that is a rough guess. Runs of another split have none: "
    "their folds are other pictures.",
    "Checks are the worst of what the doctor said before training and the curves after it. Parameters are of one fold.",
)


class _Standings(Table):
    """A table that is never folded away: it is what the page is for."""

    @property
    def long(self) -> bool:
        return False


def show_leaderboard(folder: Path, sort: str, html: Path | None, console: Console) -> Path:
    """Print the leaderboard of a competition's runs and write it as a page.

    Args:
        folder: outputs/<competition>.
        sort: one of `SORTS`.
        html: the page; None is leaderboard.html in the folder.
        console: where it is shown.

    Returns:
        path of the page.

    Raises:
        FileNotFoundError: no such folder, or no runs in it.
        ValueError: an unknown order, a damaged ledger, or `html` names a file that is no leaderboard.
    """
    one_of("sort", sort, tuple(SORTS))
    path = html or folder / "leaderboard.html"
    require_own_page(path, "leaderboard")
    board = read_leaderboard(folder, sort)
    tell(board, console)
    write_text(path, page(board))
    return path


def tell(board: Leaderboard, console: Console) -> None:
    """Print it."""
    columns, rows = rows_of(board)
    # numbers are for the page's chart, and notes would wrap
    lines = [[f"{name} *" if note else name, *cells] for name, _, *cells, note in rows]
    console.table(f"{board.title}: {len(rows)} runs", [columns[0], *columns[2:-1]], lines)
    for name, *_, note in rows:
        if note:
            console.say(f"* {name}: {note}")
    console.say("\nwhat sets them apart")
    for one in board.standings:
        if one.changes or one.parent:
            console.say(f"{one.name}: {differs(one)}")
    console.say("")
    for sentence in (*about(board), agreement_sentence(board.agreement)):
        console.say(sentence)
    for place, pick in enumerate(board.picks, start=1):
        console.say(f"submission {place}: {pick.run.name}: {pick.why}")
    for text in board.warnings:
        console.warn(text)


def page(board: Leaderboard) -> str:
    """The leaderboard as HTML that needs nothing but itself."""
    columns, rows = rows_of(board)
    table = _Standings("Every run, in order", columns, rows)
    differences: list[list[object]] = [
        [one.name, one.parent or "-", ", ".join(one.changes) or "-"]
        for one in board.standings
        if one.changes or one.parent
    ]
    final: list[list[object]] = [
        [str(place), pick.run.name, Number(pick.run.score or 0), pick.why]
        for place, pick in enumerate(board.picks, start=1)
    ]
    picked = [pick.run.name for pick in board.picks]
    chart, of_time = agreement_chart(board.standings, picked), time_chart(board.standings, picked)
    figures = [Figure(_CHART, [chart])] if chart else []
    times = [Figure(_TIME, [of_time])] if of_time else []
    of_runs = details(board.standings)
    sections = [
        Section("runs", "Runs", about(board), tables=[table]),
        *(
            [Section("details", "Folds, steps and checks", _DETAILS, times, [of_runs])]
            if of_runs.rows
            else []
        ),
        Section("agreement", "CV and LB", [agreement_sentence(board.agreement)], figures),
        Section(
            "final",
            "Final selection",
            [] if final else ["No comparable run has a submission.csv yet."],
            tables=[Table("Two submissions", ["#", "run", "CV", "why"], final)] if final else [],
        ),
        Section(
            "changes",
            "What sets runs apart",
            ["Against the run each was made of, else against the oldest one; its own overrides for that."],
            tables=[Table("Settings", ["run", "against", "differs in"], differences)] if differences else [],
        ),
    ]
    return render(f"{board.title} / leaderboard", _cards(board), sections, board.warnings)


def _cards(board: Leaderboard) -> list[Card]:
    states = [one.state for one in board.standings]
    rest = ", ".join(
        f"{states.count(state)} {state}" for state in ("unfinished", "damaged") if state in states
    )
    cards = [Card("Runs", str(len(states)), rest or "all finished")]
    if ranked := rank(board.standings):
        best, nested = ranked[0], ", nested" if ranked[0].nested is not None else ""
        cards.append(Card(f"Best CV, {best.metric}", number(best.score), best.name + nested))
    if (top := best_lb(board.standings)) is not None:
        cards.append(Card("Best LB", number(top.public), top.name))
    if board.agreement.spearman is not None:
        cards.append(Card("CV and LB", number(board.agreement.spearman), "rank correlation (Spearman)"))
    return cards
