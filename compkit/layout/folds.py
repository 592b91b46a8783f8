"""What decides about validation: rows that belong together, time, and folds that somebody has made."""

import numpy as np
import pandas as pd

from compkit.layout.findings import Findings
from compkit.layout.tables import Column, Source
from compkit.layout.views import View

VALID_WORDS = {"val", "valid", "validation", "dev", "holdout", "eval"}
TRAIN_WORDS = {"train", "training", "tr", "trn"}
TEST_WORDS = {"test", "testing", "tst", "private", "public"}
FOLD_NAMES = ("fold", "split", "cv", "part", "subset")
MOST_SHARE = 0.8  # of the ids that share their first part with others, from which it is asked about
SPREAD_OF_FOLDS = 0.2  # largest part of the mean by which official folds differ in size


def decide_folds(
    view: View, targets: list[str], test: Source | None, taken: set[str], found: Findings
) -> list[str]:
    """Write group_column, time_column and fold_column as far as the tables say; ask about the rest.

    Args:
        view: the training table.
        targets: its target columns.
        test: the table of the rows to predict, if there is one.
        taken: columns that have a part already.
        found: where it is written.

    Returns:
        The columns that were used.
    """
    columns = [
        column
        for column in view.table.others(*targets, *taken)
        if not column.is_constant and not column.is_unique and _says_one_thing(column, view)
    ]
    known_later = set() if test is None else set(test.names)
    fold = _official([column for column in columns if column.name not in known_later], view, found)
    columns = [column for column in columns if column.name != fold]
    time = _time(columns, view, test, found)
    columns = [column for column in columns if column.name != time]
    group = _group(columns, view, targets, test, found)
    return [name for name in (fold, time, group) if name]


def _says_one_thing(column: Column, view: View) -> bool:
    """Whether a column says the same in all rows of a picture, where that has several, and is not just its name."""
    ids = view.ids
    if len(ids) == ids.nunique() or len(ids) != len(column.cells):
        return True
    is_same = bool((column.cells.groupby(ids.to_numpy()).nunique() <= 1).all())
    return is_same and len(column.distinct) < ids.nunique()


def _official(columns: list[Column], view: View, found: Findings) -> str | None:
    """A column of folds, or of train and val."""
    for column in columns:
        words = {cell.casefold() for cell in column.distinct}
        valid = sorted(cell for cell in column.distinct if cell.casefold() in VALID_WORDS)
        if valid and words <= VALID_WORDS | TRAIN_WORDS | TEST_WORDS and words & TRAIN_WORDS:
            found.set("fold_column", column.name, f"its cells are {column.distinct[:4]}: an official split")
            found.set("validation_folds", valid, f"the official validation rows of {column.name!r}")
            return column.name
    for column in columns:
        if not _like_folds(column, len(view.table)):
            continue
        sizes = column.cells.value_counts()
        why = f"{len(sizes)} parts of {sizes.min()} to {sizes.max()} rows"
        if any(word in column.name.casefold() for word in FOLD_NAMES):
            found.set("fold_column", column.name, f"{why}, and its name says folds")
            found.set("validation_folds", sorted(column.distinct, key=float), "each of them validates once")
            return column.name
        choices: list[tuple[object, str]] = [
            (None, "it is something else, and folds are made anew"),
            (column.name, why),
        ]
        found.ask("fold_column", f"Is {column.name!r} made of official folds?", choices, None)
        return None
    return None


def _like_folds(column: Column, rows: int) -> bool:
    """Numbers 0.. or 1.. in a few parts of about equal size."""
    count = len(column.distinct)
    if column.missing or not 3 <= count <= 10 or rows < 4 * count:
        return False
    numbers = column.numbers
    if (
        numbers is None
        or not column.is_whole
        or sorted(numbers) not in (list(range(count)), list(range(1, count + 1)))
    ):
        return False
    sizes = column.cells.value_counts()
    return bool((sizes.max() - sizes.min()) <= max(1, SPREAD_OF_FOLDS * sizes.mean() / 2))


def _time(columns: list[Column], view: View, test: Source | None, found: Findings) -> str | None:
    """A column of dates. Later test pictures say that time matters."""
    for column in columns + [one for one in view.table.others() if one.is_unique]:
        times = _dates(column)
        if times is None:
            continue
        later = None
        if test is not None and column.name in test.names:
            of_test = _dates(test.column(column.name))
            later = None if of_test is None else bool(of_test.min() >= times.max())
        if later:
            found.set(
                "time_column", column.name, "dates, those of the test rows all behind those of training"
            )
            return column.name
        if later is None:
            choices: list[tuple[object, str]] = [
                (None, "test pictures are of the same time as training"),
                (
                    column.name,
                    f"dates from {times.min()} to {times.max()}; choose it if test pictures are later",
                ),
            ]
            found.ask(
                "time_column", f"Is {column.name!r} a time that divides training from test?", choices, None
            )
            return column.name
        found.note(f"{column.name!r} holds dates, but those of the test rows lie among those of training")
        return column.name
    return None


def _dates(column: Column) -> pd.Series | None:
    """Cells as moments; None when some are none, or plain numbers."""
    if column.missing or column.is_number:
        return None
    head = pd.to_datetime(column.cells.head(50), format="ISO8601", utc=True, errors="coerce")
    if head.isna().any():
        return None
    times = pd.to_datetime(column.cells, format="ISO8601", utc=True, errors="coerce")
    return None if times.isna().any() else times


def _group(
    columns: list[Column], view: View, targets: list[str], test: Source | None, found: Findings
) -> str | None:
    """The column of what several pictures show: a patient, a driver, a place."""
    scored = []
    for column in columns:
        score, why = _group_score(column, view, test)
        if score > 0:
            scored.append((score, why, column))
    scored.sort(key=lambda one: (-one[0], len(one[2].distinct)))
    if not scored:
        return None
    best, why, column = scored[0]
    rivals = [other for score, _, other in scored[1:] if score > best - 1.5]
    known = best >= 3 and not [other for other in rivals if not _nested(column, other)]
    if known:
        found.set("group_column", column.name, why)
        return column.name
    choices: list[tuple[object, str]] = [(one.name, reason) for _, reason, one in scored[:5]]
    choices.append((None, "pictures of test share them with training"))
    written = column.name if best >= 2 else None
    text = (
        "Which column says what pictures have in common, such as a patient, that test pictures do not share?"
    )
    found.ask("group_column", text, choices, written)
    return written


def ask_groups_in_ids(ids: pd.Series, found: Findings) -> None:
    """Ask about ids such as 10_left and 10_right, which no column tells to be of one patient."""
    if found.keys.get("group_column") or found.keys.get("subject_column"):
        return
    for joint in ("_", "-"):
        heads = ids.drop_duplicates().str.rpartition(joint)[0]
        sizes = heads[heads != ""].value_counts()
        if len(sizes) >= 5 and sizes[sizes > 1].sum() > MOST_SHARE * len(heads):
            example = sizes.index[0]
            pair = ids[ids.str.startswith(f"{example}{joint}")].head(2).to_list()
            choices: list[tuple[object, str]] = [(None, f"{pair[0]} and {pair[1]} have nothing in common")]
            found.ask(
                "group_column",
                f"Ids share their first part, such as {' and '.join(pair)}: if they show the same thing, add a column "
                "that says it to the training table, so that they never lie in two folds.",
                choices,
                None,
            )
            return


def _group_score(column: Column, view: View, test: Source | None) -> tuple[float, str]:
    """How much a column looks like the name of something that several pictures show."""
    count, rows = len(column.distinct), len(column.filled)
    if column.missing or column.is_flag or count < 3 or (column.is_number and not column.is_whole):
        return 0.0, ""
    several = f"{count} different cells in {rows} rows"
    score = 1.0 if count >= max(5, rows / 60) else 0.0
    if count > 0.9 * rows:
        score -= 1
    if not column.is_number and any(letter.isdigit() for letter in column.distinct[0]):
        score += 1  # a name with a number: p017
    elif column.is_number and count > 0.6 * (max(column.numbers) - min(column.numbers) + 1):  # type: ignore[arg-type]
        score -= 0.5 if count < 200 else 0  # numbers without gaps: an age, a count
    if test is None or column.name not in test.names:
        return (score if score > 0 else 0.0), several
    shared = set(column.distinct) & set(test.column(column.name).distinct)
    if shared:
        return 0.0, ""
    theirs = len(test.column(column.name).distinct)
    chance = _chance_disjoint(column, theirs)
    if chance > 0.01:
        return (score if score > 0 else 0.0), f"{several}, none of the test rows'"
    return score + 3, f"{several}, none of them among the {theirs} of the test rows"


def _chance_disjoint(column: Column, drawn: int) -> float:
    """The chance that as many cells drawn at random would share none with training, were they of the same kind."""
    if column.is_number:
        low, high = min(column.numbers), max(column.numbers)  # type: ignore[arg-type]
        share = len(column.distinct) / max(1.0, high - low + 1)
        return float((1 - min(1.0, share)) ** drawn)
    repeats = 1 - len(column.distinct) / max(1, len(column.filled))
    return float((1 - repeats) ** drawn)


def _nested(inner: Column, outer: Column) -> bool:
    """Whether each value of one column has always the same value of the other, or the other way round."""
    pairs = pd.DataFrame({"a": inner.cells.to_numpy(), "b": outer.cells.to_numpy()}).drop_duplicates()
    return bool(len(pairs) <= np.max([len(inner.distinct), len(outer.distinct)]))
