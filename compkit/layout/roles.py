"""Which table is what: the labels, the rows to predict, the sample submission; told by how they fit together."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from compkit.layout.findings import Findings
from compkit.layout.from_paths import class_folders, classes_in_names
from compkit.layout.pairs import Pair, judge
from compkit.layout.pictures import Pictures
from compkit.layout.relate import Relation
from compkit.layout.sample_form import SampleForm, read_form
from compkit.layout.tables import Source
from compkit.layout.views import View

CLOSE = 1.2  # a difference of scores that one hint makes; closer ones are asked about


@dataclass
class Roles:
    """The parts that tables play.

    Attributes:
        train: the table of labels; None when folders or file names say them.
        sample: the sample submission; None without.
        test: the table of the rows to predict; None when the sample or a folder lists them.
        relation: what the sample asks for, in the training table.
        rivals: other tables that could be the training table as well.
    """

    train: View | None
    sample: SampleForm | None
    test: Source | None
    relation: Relation
    rivals: list[View] = field(default_factory=list)


def find_roles(sources: list[Source], views: list[View], pictures: Pictures, found: Findings) -> Roles:
    """Try every table as training table with every other one as sample, and take what fits best."""
    by_path = [*class_folders(pictures), *classes_in_names(pictures, ())]
    forms = {}
    for source in sources:
        is_id = _knows(source, sources, pictures)
        wholes = _repeated(source, sources) | _own_pictures(source, views)
        form = read_form(source, is_id, _names(sources, source), pictures.has, wholes)
        if form is not None:
            forms[source.path] = form
    pairs = [
        judge(pictures, view, form, sources, views, by_path)
        for view in [*views, None]
        for form in [*forms.values(), None]
        if view is None or form is None or view.source is not form.source
    ]
    pairs.sort(key=lambda pair: -pair.score)
    best = pairs[0]
    _tell_doubt(best, pairs, found)
    _tell_samples(best, pairs, found)
    train, sample = best.train, best.sample
    rest = [
        source
        for source in sources
        if (train is None or source is not train.source) and (sample is None or source is not sample.source)
    ]
    test = _test_table(best, rest, views)
    rivals = [
        pair.train
        for pair in pairs
        if pair.train is not None
        and train is not None
        and pair.train.source is not train.source
        and pair.sample is sample
        and pair.score > best.score - 2 * CLOSE
        and pair.train.source is not test
        and pair.train.source.path not in train.joins
        and not any(name in pair.train.origin for name in pair.relation.columns)
    ]
    return Roles(train, sample, test, best.relation, rivals)


def _test_table(best: Pair, rest: list[Source], views: list[View]) -> Source | None:
    """The table of the rows to predict."""
    train = best.train
    if best.sample is not None:
        wanted, cells = set(best.sample.ids), set(best.sample.source.frame[best.sample.id_column])
        held = [
            source
            for source in rest
            if any(
                set(column.distinct) >= wanted or set(column.distinct) >= cells for column in source.others()
            )
            and (train is None or not _holds_training(source, train))
            and not _asks_the_same(source, best.sample)
        ]
        return min(held, key=len, default=None)
    if train is None:
        return None
    own = set(train.ids)
    candidates = [
        view.source
        for view in views
        if view.source is not train.source
        and not own & set(view.ids)
        and len(set(view.source.names) - set(train.table.names)) == 0
        and set(view.source.names) < set(train.table.names)
    ]
    return candidates[0] if candidates else None


def _asks_the_same(source: Source, sample: SampleForm) -> bool:
    """Whether a table is another sample submission."""
    return bool(sample.values) and {column.name for column in sample.values} <= set(source.names)


def _holds_training(source: Source, train: View) -> bool:
    """Whether a table has the training rows too."""
    own = set(train.ids)
    return any(
        len(own & set(column.distinct)) > 0.9 * len(own) for column in source.others() if column.is_unique
    )


def _knows(source: Source, sources: list[Source], pictures: Pictures) -> Callable[[str], bool]:
    """Whether a text names a picture, a folder of pictures, or a row of another table."""
    keys = {
        cell
        for other in sources
        if other is not source
        for column in other.others()
        if column.is_unique or (not column.is_number and len(column.distinct) > 20)
        for cell in column.distinct
    }

    def knows(cell: str) -> bool:
        return pictures.has(cell) or cell in keys

    return knows


def _own_pictures(source: Source, views: list[View]) -> set[str]:
    """What stands for a single picture in another table."""
    return {
        cell
        for view in views
        if view.source is not source and view.has_a_picture_a_row
        for column in view.source.others()
        if column.is_unique
        for cell in column.distinct
    }


def _repeated(source: Source, sources: list[Source]) -> set[str]:
    """Cells that stand in several rows of another table: subjects of several pictures."""
    return {
        cell
        for other in sources
        if other is not source
        for column in other.others()
        if not column.is_unique and len(column.distinct) > 2
        for cell in column.distinct
    }


def _names(sources: list[Source], source: Source) -> set[str]:
    """What other tables call columns, or say in columns of few values: perhaps classes."""
    names: set[str] = set()
    for other in sources:
        if other is not source:
            names |= set(other.names)
            for column in other.others():
                if len(column.distinct) <= max(2, len(other) / 2):
                    names |= set(column.distinct)
    return {name for name in names if re.search(r"\w", name)}


def _tell_samples(best: Pair, pairs: list[Pair], found: Findings) -> None:
    """Ask when several tables could be the sample submission."""
    if best.sample is None:
        return
    rivals = [
        pair.sample.source.path
        for pair in pairs[1:]
        if pair.sample is not None
        and pair.sample.source is not best.sample.source
        and pair.train is best.train
        and pair.sample.is_dummy == best.sample.is_dummy
        and pair.score > best.score - CLOSE
    ]
    if rivals:
        own = best.sample.source.path
        choices: list[tuple[object, str]] = [(path, "") for path in (own, *rivals)]
        found.ask("sample_submission", "Several tables could be the sample submission.", choices, own)


def _tell_doubt(best: Pair, pairs: list[Pair], found: Findings) -> None:
    """Ask when the tables could as well have each other's part."""
    if best.train is None or best.sample is None:
        return
    for pair in pairs[1:]:
        if pair.train is None or pair.sample is None or pair.score < best.score - CLOSE:
            continue
        if pair.train.source is best.sample.source and pair.sample.source is best.train.source:
            found.ask(
                "train_table",
                f"{best.train.source.path} and {best.sample.source.path} look alike: either may hold the labels.",
                [(best.train.source.path, "by its name"), (best.sample.source.path, "the other way round")],
                best.train.source.path,
            )
