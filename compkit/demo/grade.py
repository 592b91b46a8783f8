"""The score of a submission to an embedded competition, against its hidden solution."""

from pathlib import Path
from typing import Any

import pandas as pd

from compkit.demo.contest import Embedded
from compkit.demo.folder import ensure_competition, find_embedded, solution_path


def grade(competition: str, submission: Path, data_dir: Path) -> tuple[str, float]:
    """Score a submission as the competition's leaderboard would.

    Args:
        competition: digits, mosaic or tilt; made if it is not there yet.
        submission: a CSV with the columns of the sample submission, its rows in any order.
        data_dir: where the competitions and their solutions lie.

    Returns:
        Name of the metric, and the score.

    Raises:
        FileNotFoundError: there is no such submission.
        ValueError: no such embedded competition; columns, ids or values that it cannot accept.
    """
    embedded = find_embedded(competition)
    ensure_competition(competition, data_dir)
    solution = read_values(solution_path(competition, data_dir), embedded)
    given = read_values(submission, embedded)
    missing, extra = sorted(solution.keys() - given.keys()), sorted(given.keys() - solution.keys())
    if missing or extra:
        raise ValueError(
            f"{submission}: {len(missing)} ids are missing {missing[:3]} and {len(extra)} are not in the "
            f"test set {extra[:3]}; expected the {len(solution)} ids of sample_submission.csv. Keep ids as "
            "text: leading zeros count."
        )
    return embedded.metric, embedded.score(list(solution.values()), [given[one] for one in solution])


def hidden_solution(competition: str, data_dir: Path) -> dict[str, Any]:
    """The true value of each test id of an embedded competition, which only its makers would know."""
    ensure_competition(competition, data_dir)
    return read_values(solution_path(competition, data_dir), find_embedded(competition))


def read_values(path: Path, embedded: Embedded) -> dict[str, Any]:
    """Each id with its value.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no CSV, has other columns, an id twice or a value that cannot be read.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; expected a submission. Set submission=FILE.csv.")
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except ValueError as error:
        raise ValueError(f"{path}: is no CSV ({error}). Write it like sample_submission.csv.") from error
    columns = ["id", embedded.target]
    if list(table.columns) != columns:
        raise ValueError(f"{path}: has the columns {list(table.columns)}; expected {columns}. Rename them.")
    repeated = table["id"][table["id"].duplicated()].tolist()
    if repeated:
        raise ValueError(f"{path}: {len(repeated)} ids are repeated {repeated[:3]}; expected each id once.")
    values = {}
    for one, cell in zip(table["id"], table[embedded.target], strict=True):
        try:
            values[one] = embedded.parse(cell)
        except ValueError as error:
            raise ValueError(f"{path}: {embedded.target} of id {one}: {error}. Correct that cell.") from error
    return values
