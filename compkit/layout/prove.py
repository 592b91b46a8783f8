"""The keys that were found, tried out: the competition is read with them before anybody trains."""

from pathlib import Path

from compkit.competition import Competition, submission_shape
from compkit.layout.findings import BLOCKED, Findings
from compkit.layout.metrics import kind_of
from compkit.types import Table, Task

MOST_ROWS = 100_000  # whose files are looked for


def prove(found: Findings) -> None:
    """Read training and test rows and the sample; what fails becomes a question in the reader's own words."""
    if found.is_blocked:
        return
    arguments = {key: value for key, value in found.keys.items() if key != "metric"}
    try:
        competition = Competition(**arguments)  # type: ignore[arg-type]
        table = competition.read_train(MOST_ROWS)
    except (ValueError, OSError) as error:
        block(found, "train_images" if "train_images" in str(error) else "train_table", error)
        return
    found.note(_told(table, competition))
    if competition.test_images is None:
        return
    try:
        test = competition.read_test(MOST_ROWS)
    except (ValueError, OSError) as error:
        block(found, "test_images" if "test_images" in str(error) else "test_table", error)
        return
    found.note(f"{len(test)} test pictures are there")
    _tell_shared(table, test, found)
    if competition.sample_submission is None:
        return
    try:
        shape = submission_shape(competition, kind_of(str(found.keys["metric"])))
        assert shape is not None, "a competition with test pictures and a sample"
        shape.check()
    except (ValueError, OSError) as error:
        block(found, "submission_format", error)


def block(found: Findings, key: str, error: Exception) -> None:
    """Ask about a key that does not work, in the reader's words; nothing can be trained before it is answered."""
    found.ask(
        key, f"Reading with these keys failed: {error}", [(found.keys.get(key), "does not work")], BLOCKED
    )


def _told(table: Table, competition: Competition) -> str:
    """The training rows in a sentence."""
    what = (
        f"{len(competition.classes)} numbers"
        if competition.task == Task.REGRESSION
        else f"{len(competition.classes)} classes"
    )
    groups = "" if table.subjects is None else f" of {len(set(table.subjects.tolist()))} subjects"
    return f"{len(table)} training pictures{groups}, {what}: read as the keys say"


def _tell_shared(table: Table, test: Table, found: Findings) -> None:
    """Training pictures that are test pictures too."""
    shared = set(map(bytes, table.files[:, 0])) & set(map(bytes, test.files[:, 0]))
    if not shared:
        return
    name = Path(sorted(shared)[0].decode(errors="replace")).name
    found.ask(
        "test_images",
        f"{len(shared)} test pictures are training pictures too, such as {name}: is the sample submission one of the "
        "training set, or a column of labels not what it seems?",
        [(found.keys.get("test_images"), f"{len(test)} rows")],
        found.keys.get("test_images"),
    )
