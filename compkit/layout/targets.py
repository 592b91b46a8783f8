"""What is to be predicted: target columns, task, how labels are written; a question wherever files allow two."""

import re
from collections.abc import Sequence

import pandas as pd

from compkit.layout.findings import BLOCKED, Findings
from compkit.layout.labels import is_fraction
from compkit.layout.relate import Relation
from compkit.layout.sample_form import SampleForm
from compkit.layout.tables import Column
from compkit.layout.target_task import TaskOfColumns
from compkit.layout.views import View
from compkit.types import Task


class Targets:
    """Decides about the targets of one training table.

    Args:
        view: the training table.
        sample: the sample submission; None without.
        relation: what the sample asks for.
        labels: columns that may be labels.
        task: given by a person, and then not asked about.
        found: where it is written.
    """

    def __init__(
        self,
        view: View,
        sample: SampleForm | None,
        relation: Relation,
        labels: Sequence[Column],
        task: Task | None,
        found: Findings,
    ) -> None:
        self.view, self.sample, self.relation = view, sample, relation
        self.labels = list(labels)
        self.task, self.found = task, found
        self.tasks = TaskOfColumns(view, sample, relation, task, found)

    def decide(self) -> None:
        """Write target_column, task and how the labels are read.

        Raises:
            ValueError: masks, boxes or other pictures are asked for, which compkit does not predict.
        """
        if self.sample is not None:
            _refuse_other_pictures(self.sample)
        if self.view.long is not None:
            return self._long_table()
        columns = self._columns()
        if not columns:
            self.found.ask("target_column", "No column looks like labels.", [], BLOCKED)
            self.tasks.set_task(self.task or Task.MULTICLASS, "nothing is known of the labels")
            return None
        if not self.view.source.column(self.view.key).is_unique and self._row_a_label(columns):
            return None
        asked = any(question.key == "target_column" for question in self.found.questions)
        if len(columns) == 1:
            if not asked:
                self.found.set("target_column", columns[0], self.relation.why or "the only column of labels")
            self.tasks.one_column(self.view.table.column(columns[0]))
        else:
            if not asked:
                self.found.set("target_column", columns, self.relation.why or "columns of 0 and 1")
            self.tasks.several_columns([self.view.table.column(name) for name in columns])
        return None

    def _columns(self) -> list[str]:
        """The target columns; asks where several could be meant."""
        self._name_categories()
        if self.relation.kind == "columns":
            if not self.relation.is_sure:
                columns = self.relation.columns
                self.tasks.ask_target(f"Others could be meant too: {self.relation.why}.", columns, columns)
            return self.relation.columns
        if self.relation.kind == "classes":
            return self.relation.columns
        candidates = self.relation.columns if self.relation.kind == "value" else _by_likelihood(self.labels)
        if self.relation.kind == "value" and self.relation.is_sure:
            return candidates
        flags = [name for name in candidates if self.view.table.column(name).is_flag]
        if self.relation.kind == "none" and len(flags) > 2:
            what = "The columns of 0 and 1 may be the labels, but no sample submission says so."
            self.tasks.ask_target(what, [*candidates], flags)
            return flags
        if len(candidates) > 1 or (candidates and self.relation.kind == "none" and self.sample is not None):
            asked = f" {self.relation.why}." if self.relation.why else ""
            what = f"Several columns could be the labels.{asked}"
            self.tasks.ask_target(what, candidates, candidates[0])
        return candidates[:1]

    def _name_categories(self) -> None:
        """Take the names of COCO's categories for classes where the sample submission has their numbers."""
        names = self.view.table.names
        if self.relation.columns != ["category_id"] or "category" not in names or self.sample is None:
            return
        pairs = self.view.table.frame[["category", "category_id"]].drop_duplicates()
        pairs = pairs[pairs["category"] != ""]
        if pairs["category"].is_unique and pairs["category_id"].is_unique:
            self.relation.columns = ["category"]
            self.relation.names = dict(zip(pairs["category"], pairs["category_id"], strict=True))
            self.relation.why += "; these are the numbers of its categories"

    def _long_table(self) -> None:
        """Rows of image, class and value."""
        long = self.view.long
        assert long is not None
        values = [
            column.name
            for column in self.view.source.others(self.view.key, self.view.id_column, long.class_column)
            if column.is_number
        ]
        named = [name for name in values if self.sample and name in self.sample.source.names]
        value = (named or values or [BLOCKED])[0]
        if value == BLOCKED or (len(values) > 1 and not named):
            self.tasks.ask_target("Which column holds the value of each image and class?", values, value)
        self.found.set("target_column", value, "the value of each row's image and class")
        if long.class_column is None:
            self.found.set("train_ids", long.pattern, f"every image with each of {len(long.classes)} classes")
            self.found.set("classes", long.classes, "tell where an id ends")
        else:
            self.found.set(
                "class_column", long.class_column, f"every image with each of its {len(long.classes)} cells"
            )
        if value == BLOCKED:
            self.tasks.set_task(Task.MULTILABEL, "several classes an image")
            return
        column = self.view.source.column(value)
        numbers = pd.to_numeric(column.cells, errors="coerce")
        if column.is_flag:
            sums = numbers.groupby(long.ids).sum()
            if (sums == 1).all():
                self.tasks.set_task(Task.MULTICLASS, "exactly one 1 for each image")
            else:
                self.tasks.set_task(
                    Task.MULTILABEL, f"{int((sums != 1).sum())} images with several 1 or none"
                )
        elif is_fraction(column):
            choices: list[tuple[object, str]] = [("multilabel", "soft labels"), ("regression", "quantities")]
            self.tasks.ask_task(
                "Are the numbers from 0 to 1 soft labels or quantities?", choices, Task.MULTILABEL
            )
        else:
            self.tasks.set_task(Task.REGRESSION, "numbers other than 0 and 1")

    def _row_a_label(self, columns: list[str]) -> bool:
        """Several rows an image, each with one of its labels."""
        frame, key = self.view.table.frame, self.view.key
        if len(columns) != 1 or not frame.duplicated(key).any():
            return False
        column = self.view.table.column(columns[0])
        counts = frame.groupby(key)[columns[0]].nunique()
        if frame.duplicated([key, columns[0]]).any():
            return False
        if (counts == 1).all():
            return False
        self.found.set("target_column", column.name, self.relation.why or "the label of each row")
        self.found.set("class_column", column.name, "several rows an image, each with another label")
        if column.is_number and not column.is_flag and self.relation.kind != "classes":
            choices: list[tuple[object, str]] = [
                ("multilabel", "labels that the image has"),
                ("multiclass", "opinions of several people: decide on one label an image first"),
            ]
            self.tasks.ask_task(
                "Several rows an image: are they its labels, or opinions?", choices, Task.MULTILABEL
            )
        else:
            self.tasks.set_task(Task.MULTILABEL, f"up to {counts.max()} rows an image")
        return True


def _refuse_other_pictures(sample: SampleForm) -> None:
    """Refuse samples that ask which pictures belong together.

    Raises:
        ValueError: its cells name pictures to predict.
    """
    ids = set(sample.ids)
    for column in sample.values:
        names = [set(re.split(r"[ ,;|]+", cell)) for cell in column.distinct[:200]]
        if names and all(row <= ids for row in names):
            raise ValueError(
                f"{sample.source.path}: column {column.name!r} holds ids of pictures: it asks which ones match. "
                "Retrieval is not trained by compkit (yet)."
            )


def _by_likelihood(labels: Sequence[Column]) -> list[str]:
    """Label columns, those first whose values occur most often, and the later ones of equals."""
    shares = [len(column.distinct) / max(1, len(column.filled)) for column in labels]
    order = sorted(range(len(labels)), key=lambda place: (shares[place] > 0.5, -place))
    return [labels[place].name for place in order]
