"""What the target columns' cells say about the task: names, sets of names, flags, grades or numbers."""

from compkit.competition.table import MISSING
from compkit.layout.findings import BLOCKED, Findings
from compkit.layout.labels import FEW_GRADES, is_boxes, is_contiguous, is_run_lengths, set_form
from compkit.layout.relate import Relation
from compkit.layout.sample_form import SampleForm
from compkit.layout.tables import Column
from compkit.layout.views import View
from compkit.types import Task

MOSTLY = 0.8  # part of the rows: where more of them have a text of their own, these are no classes


class TaskOfColumns:
    """Decides about the task by the cells of the target columns. The arguments are those of `Targets`."""

    def __init__(
        self, view: View, sample: SampleForm | None, relation: Relation, task: Task | None, found: Findings
    ) -> None:
        self.view, self.sample, self.relation = view, sample, relation
        self.task, self.found = task, found

    def ask_target(self, text: str, candidates: list[str], written: object) -> None:
        """Ask which columns hold the labels."""
        columns = [self.view.table.column(name) for name in candidates]
        choices: list[tuple[object, str]] = [(column.name, _cells(column)) for column in columns]
        self.found.ask("target_column", text, choices, written)

    def set_task(self, task: Task, why: str) -> None:
        """Write the task that cells settle, or the given one."""
        self.found.set("task", str(self.task or task), "given" if self.task else why)

    def ask_task(self, text: str, choices: list[tuple[object, str]], written: Task) -> None:
        """Ask about the task, unless it was given."""
        if self.task is None:
            self.found.ask("task", text, choices, str(written))
        else:
            self.set_task(self.task, "given")

    def one_column(self, column: Column) -> None:
        """Names, sets of names, grades or a number."""
        wanted = self.sample.names if self.sample and self.relation.kind == "classes" else ()
        names = set(wanted) | set(self.relation.names)
        form = set_form(column, names)
        if is_run_lengths(column) or is_boxes(column):
            what = "run lengths of masks" if is_run_lengths(column) else "boxes"
            text = f"column {column.name!r} holds {what}; segmentation and detection are not trained by compkit (yet)"
            raise ValueError(
                f"{self.view.source.path}: {text}. Choose another target_column, if there is one."
            )
        if all(cell[:1] in "[(" and cell[-1:] in "])" for cell in column.distinct[:50]):
            self._ask_lists(column)
            return
        if form is not None and self.task in (None, Task.MULTILABEL):
            self._sets(column, form.separator, form.classes, form.empty_token, form.is_sure)
        elif self.task is not None and (
            column.is_number or len(column.distinct) <= MOSTLY * len(column.filled)
        ):
            self.set_task(self.task, "given")
        elif not column.is_number and len(column.distinct) > MOSTLY * len(column.filled):
            text = (
                f"Nearly every row of {column.name!r} says something else, such as {column.distinct[0]!r}. compkit "
                "learns classes, sets of them, or numbers."
            )
            choices: list[tuple[object, str]] = [(column.name, f"{len(column.distinct)} different cells")]
            self.found.ask("target_column", text, choices, BLOCKED)
            self.set_task(Task.MULTICLASS, "names")
        elif not column.is_number:
            self.set_task(Task.MULTICLASS, f"one of {len(column.distinct)} names in each row")
        elif column.is_flag:
            self.set_task(Task.MULTICLASS, "0 or 1 in each row: two classes")
        elif self.relation.kind == "classes":
            self.set_task(Task.MULTICLASS, "the sample submission has a column for each of its numbers")
        else:
            self._number(column)
        if column.missing and self.found.keys.get("task") != Task.MULTILABEL:
            rows = round(column.missing * len(column.cells))
            asked = set() if self.sample is None else set(self.sample.ids)
            if self.view.ids[column.cells.isin(MISSING).to_numpy()].isin(asked).all():
                self.found.set("unlabelled", "drop", f"the {rows} rows to predict have no label")
                return
            readings: list[tuple[object, str]] = [
                ("drop", f"nobody has labelled these {rows} of {len(column.cells)} rows"),
                (
                    "error",
                    "an empty cell means something, such as none of the classes: write that into the table first",
                ),
            ]
            self.found.ask(
                "unlabelled", f"{rows} rows have an empty cell in {column.name!r}.", readings, "drop"
            )

    def _ask_lists(self, column: Column) -> None:
        """Cells such as ['a', 'b'], which are read as one name with brackets."""
        text = (
            f"{column.name!r} holds lists in brackets, such as {column.distinct[0]}, which are not taken apart. Write "
            "them with one separator and without brackets and quotes into a new table, and set train_table."
        )
        self.found.ask("target_column", text, [(column.name, "once it is rewritten")], BLOCKED)
        self.set_task(Task.MULTILABEL, "lists of names")

    def _sets(
        self, column: Column, separator: str, classes: list[str], empty_token: str, is_sure: bool
    ) -> None:
        """Several names in a cell."""
        why = f"cells hold several of {len(classes)} names, {separator!r} between them"
        if is_sure:
            self.set_task(Task.MULTILABEL, why)
        else:
            choices: list[tuple[object, str]] = [
                ("multilabel", why),
                (
                    "multiclass",
                    f"each of the {len(column.distinct)} different cells is one name of several words",
                ),
            ]
            self.ask_task("Are cells sets of labels, or names of several words?", choices, Task.MULTILABEL)
        self.found.set("separator", separator, f"between names in {column.name!r}")
        if empty_token:
            choices = [
                (empty_token, f"{empty_token!r} never stands beside another label"),
                ("", "it is a label like the others, which a picture may have beside them"),
            ]
            text = f"Does {empty_token!r} mean that a picture has none of the labels?"
            self.found.ask("empty_token", text, choices, empty_token)
        if column.missing:
            rows = round(column.missing * len(column.cells))
            if empty_token or (self.sample and any(value.missing for value in self.sample.values)):
                self.found.set("unlabelled", "drop", f"{rows} rows have no label")
                return
            choices = [
                ("error", "an empty cell means that none of the labels fits (as it is read now)"),
                ("drop", "nobody has labelled these rows: set empty_token to a text that no cell has, too"),
            ]
            self.found.ask(
                "unlabelled", f"{rows} rows have an empty cell in {column.name!r}.", choices, "error"
            )

    def _number(self, column: Column) -> None:
        """Whole numbers may be classes, grades or counts; nothing in a file tells."""
        if not column.is_whole:
            self.set_task(Task.REGRESSION, "numbers with fractions")
            return
        dummies = [] if self.sample is None else [value for value in self.sample.values if value.is_number]
        count = len(column.distinct)
        few = count <= FEW_GRADES or (is_contiguous(column) and count < len(column.cells) / 3)
        fractions = any(not value.is_whole for value in dummies)
        choices: list[tuple[object, str]] = [
            ("multiclass", f"{count} different whole numbers; metric=quadratic_kappa if they are grades"),
            ("regression", "counts, or grades whose distance is what matters"),
        ]
        likely = Task.REGRESSION if fractions or not few else Task.MULTICLASS
        told = "; the sample submission holds fractions" if fractions else ""
        self.ask_task(
            f"Are the whole numbers in {column.name!r} classes or quantities{told}?", choices, likely
        )

    def several_columns(self, columns: list[Column]) -> None:
        """A column a class, or several numbers."""
        path = self.view.source.path
        filled = self.view.table.frame[[column.name for column in columns]]
        missing = filled.isin(("", "nan", "NaN"))
        if missing.all(axis=1).any():
            rows = int(missing.all(axis=1).sum())
            self.found.set("unlabelled", "drop", f"{rows} of {len(filled)} rows have no label")
        if all(column.is_flag for column in columns):
            flags = filled[~missing.any(axis=1)].replace(
                {"True": "1", "False": "0", "true": "1", "false": "0"}
            )
            sums = flags.astype("float64").sum(axis=1)
            if (sums == 1).all():
                self.set_task(Task.MULTICLASS, f"exactly one 1 in each row of {len(columns)} columns")
            else:
                several, none = int((sums > 1).sum()), int((sums == 0).sum())
                self.set_task(Task.MULTILABEL, f"{several} rows with several 1, {none} with none")
        elif any(not column.is_number for column in columns):
            text = f"{path}: {[one.name for one in columns]} hold names; compkit trains one target of names a run."
            self.ask_target(text, [column.name for column in columns], BLOCKED)
            self.set_task(Task.MULTICLASS, "names")
        elif any(not column.is_whole for column in columns):
            inside = all(
                column.numbers is not None and ((column.numbers >= 0) & (column.numbers <= 1)).all()
                for column in columns
            )
            if not inside:
                self.set_task(Task.REGRESSION, f"numbers with fractions in {len(columns)} columns")
                return
            choices: list[tuple[object, str]] = [
                ("regression", "shares or measurements, scored by their distance"),
                ("multilabel", "soft labels, scored as probabilities"),
            ]
            self.ask_task("Are the numbers from 0 to 1 quantities or soft labels?", choices, Task.REGRESSION)
        else:
            choices = [
                ("regression", "several whole numbers, each a quantity"),
                ("multiclass", "classes: then train a run for each column, with target_column set to it"),
            ]
            self.ask_task(
                "Are the whole numbers in several columns quantities or classes?", choices, Task.REGRESSION
            )


def _cells(column: Column) -> str:
    """What a column's cells are like, in a few words."""
    shown = ", ".join(column.distinct[:4])
    more = ", …" if len(column.distinct) > 4 else ""
    return f"{len(column.distinct)} different cells: {shown}{more}"
