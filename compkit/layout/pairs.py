"""How well two tables go together as labels and sample submission."""

from collections.abc import Sequence
from dataclasses import dataclass

from compkit.layout.from_paths import PathLabels, without_tests
from compkit.layout.labels import is_fraction
from compkit.layout.pictures import Pictures
from compkit.layout.relate import Relation, relate
from compkit.layout.sample_form import SampleForm
from compkit.layout.tables import Column, Source
from compkit.layout.views import View

LOOKED_AT = 100  # ids of a sample of which a share with pictures is counted


@dataclass
class Pair:
    """A training table and a sample submission, either of which may be missing, and how well they go together."""

    score: float
    train: View | None
    sample: SampleForm | None
    relation: Relation


def judge(
    pictures: Pictures,
    view: View | None,
    form: SampleForm | None,
    sources: list[Source],
    views: list[View],
    by_path: list[PathLabels],
) -> Pair:
    """How well two tables go together as labels and sample."""
    if form is None:
        return _without_sample(view)
    score, relation = 0.0, Relation("none")
    if form.is_dummy:
        score += 4
    score += 2 * _hint(form.source.path, "sample", "submission", "submit", "example")
    ids = form.ids.head(LOOKED_AT)
    score += sum(map(pictures.has, ids)) / len(ids)
    if view is None:
        return _from_paths(form, by_path, pictures, score)
    labels = label_columns(view, _same_ids(form, sources, view))
    maps = [source for source in sources if source not in (view.source, form.source)]
    relation = relate(form, view.table, labels, view.long.classes if view.long else (), maps)
    score += relation.strength if relation.strength else -2
    score -= 6 * bool(set(form.names) & set(view.keys))  # it names pictures and asks for nothing
    score -= any(name in view.origin for name in relation.columns)  # the table that is joined says it itself
    own = set(view.ids)
    shared = len(own & set(form.ids)) / max(1, len(form.ids))
    # the same numbers may mean other pictures, but a table of the sample's own rows holds no labels
    score += 2 if shared == 0 else (-2 if relation.strength >= 2 else -4) * shared
    score += min(2, 2 * view.keys[view.key][0].share)
    score += 1 if set(form.source.names) < set(view.table.names) else 0
    score += 1 if _same_ids(form, sources, view) is not None else 0
    score += _hint(view.source.path, "train", "label")
    score -= _hint(view.source.path, "sample", "submission", "test")
    score += _made_up(form, view, relation)
    if not form.is_dummy and any(_is_rival_dummy(form, source, view) for source in sources):
        score -= 4
    if not labels and relation.kind not in ("long", "columns"):
        score -= 6
    return Pair(score, view, form, relation)


def _made_up(form: SampleForm, view: View, relation: Relation) -> float:
    """Whether a sample's cells are other than labels are: probabilities for 0 and 1, fractions for whole numbers."""
    score = 0.0
    shared = (
        [name for name in relation.columns if name in form.source.names] if relation.kind == "columns" else []
    )
    for name in shared:
        given, labels = form.source.column(name), view.table.column(name)
        if labels.is_constant:
            score -= 4
        is_share = is_fraction(given) and labels.is_flag
        is_cut = labels.is_whole and given.is_number and not given.is_whole
        if is_share or is_cut or (given.is_number and not labels.is_number):
            score += 2 / len(shared)
        elif not given.is_constant:
            score -= 1 / len(shared)
    return score


def _is_rival_dummy(form: SampleForm, source: Source, view: View) -> bool:
    """Whether another table has the same ids and says the same in every row."""
    if source is form.source or source is view.source or len(source) < 2:
        return False
    wanted = set(form.ids)
    keys = [column for column in source.others() if column.is_unique and set(column.distinct) == wanted]
    return (
        bool(keys)
        and len(source.names) > 1
        and all(column.is_constant for column in source.others(keys[0].name))
    )


def _without_sample(view: View | None) -> Pair:
    """A training table and no sample, or neither."""
    if view is None:
        return Pair(1.0, None, None, Relation("none"))
    labels = label_columns(view, None)
    if not labels:
        return Pair(-6.0, view, None, Relation("none"))
    score = 1 + min(2, 2 * view.keys[view.key][0].share) + _hint(view.source.path, "train", "label")
    score -= _hint(view.source.path, "sample", "submission", "test")
    return Pair(score, view, None, Relation("none"))


def _from_paths(form: SampleForm, by_path: list[PathLabels], pictures: Pictures, score: float) -> Pair:
    """A sample, and labels that only folders or file names say, of pictures that the sample does not name."""
    labelled = without_tests(by_path, form.ids.head(LOOKED_AT), pictures)
    if not labelled:
        return Pair(score - 6, None, form, Relation("none"))
    classes = {name for one in labelled for name in one.classes}
    cells = {cell for column in form.values for cell in column.distinct}
    if set(form.names) <= classes or (cells and cells <= classes):
        score += 4
    return Pair(score + 2.5, None, form, Relation("none"))


def _hint(path: str, *words: str) -> float:
    """Half a point for a file called so: it settles what the contents leave open, and nothing else."""
    name = path.rsplit("/", 1)[-1].casefold()
    return 0.5 if any(word in name for word in words) else 0.0


def _same_ids(form: SampleForm, sources: Sequence[Source], view: View) -> Source | None:
    """A table of the sample's own rows that asks for nothing: what is known about the test pictures."""
    wanted = set(form.ids)
    for source in sources:
        if source is form.source or source is view.source:
            continue
        for column in source.others():
            if set(column.distinct) == wanted and not set(form.names) <= set(source.names):
                return source
    return None


def label_columns(view: View, test: Source | None) -> list[Column]:
    """Columns that may be labels: not those that name pictures, or stand in the test table too, or never change."""
    known_later = set() if test is None else set(test.names)
    return [
        column
        for column in view.table.others(*view.keys)
        if column.name not in known_later
        and not column.is_constant
        and not (column.is_unique and not column.is_number)
        and not (view.long is not None and column.name == view.long.class_column)
    ]
