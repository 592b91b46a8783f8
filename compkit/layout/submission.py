"""How predictions fill the sample submission: names of classes, format, and the metric that goes with it."""

from compkit.layout.findings import Findings
from compkit.layout.labels import is_fraction, set_form
from compkit.layout.metrics import decide_metric, kind_of
from compkit.layout.roles import Roles
from compkit.layout.sample_form import SampleForm
from compkit.layout.tables import Column
from compkit.layout.views import View
from compkit.types import Task


def decide_submission(roles: Roles, train: View | None, metric: str | None, found: Findings) -> None:
    """Write classes' names, submission_format and metric."""
    task = Task(str(found.keys["task"]))
    sample = roles.sample
    if sample is None:
        decide_metric(task, _likeliest(task, [], None, False), metric, found)
        return
    if roles.relation.names:
        found.set("submission_names", roles.relation.names, "the sample submission's names of the classes")
    classes = _classes(train, found)
    unseen = [name for name in sample.names if name not in classes]
    if (
        roles.relation.kind == "classes"
        and not roles.relation.names
        and classes
        and unseen
        and len(sample.names) > 1
    ):
        found.set(
            "classes", sample.names, f"the sample submission's; no training row has {', '.join(unseen[:3])}"
        )
    fraction = all(is_fraction(column) for column in sample.values) and bool(sample.values)
    several = len(sample.names) > 1 or sample.is_long
    ranking = 0
    if not several and sample.values and train is not None:
        ranking = _one_column(sample, classes, task, metric, fraction, found)
    decide_metric(task, _likeliest(task, classes, sample, fraction, ranking), metric, found)
    if ranking and found.keys["metric"] == "map_at_k":
        found.metric_k = ranking


def _classes(train: View | None, found: Findings) -> list[str]:
    """The classes as far as one column says them."""
    target = found.keys.get("target_column")
    if train is None or not isinstance(target, str) or target not in train.table.names:
        return []
    column = train.table.column(target)
    form = set_form(column) if found.keys.get("task") == Task.MULTILABEL else None
    return column.distinct if form is None else form.classes


def _one_column(
    sample: SampleForm, classes: list[str], task: Task, metric: str | None, fraction: bool, found: Findings
) -> int:
    """One value a row: a class, several, or a probability. Returns how many classes a ranking has, else 0."""
    value = sample.values[0]
    names = set(map(str, found.keys.get("submission_names", {}).values()))  # type: ignore[attr-defined]
    if task == Task.MULTICLASS and len(classes) == 2:
        _two_classes(value, classes, metric, fraction, found)
        return 0
    if task != Task.REGRESSION and fraction:
        text = f"The sample submission has one probability in {value.name!r}, but there are {len(classes)} classes."
        choices: list[tuple[object, str]] = [("auto", "by the metric"), ("labels", "the name of the class")]
        found.ask("submission_format", text, choices, "auto")
    if task != Task.MULTICLASS or fraction:
        return 0
    for separator in (" ", ",", ";", "|"):
        rows = [cell.split(separator) for cell in value.distinct]
        longest = max(map(len, rows), default=0)
        if longest > 1 and not set(value.distinct) & set(classes) and len({*classes} & {*rows[0]}) > 1:
            found.set("submission_format", "ranking", f"its cells name {longest} classes")
            found.set("separator", separator, "between the classes in a cell of the sample submission")
            return longest
    strangers = [cell for cell in value.distinct if cell not in classes and cell not in names]
    if strangers and classes and not names:
        ask_names(value, sorted(classes), found)
    return 0


def _two_classes(
    value: Column, classes: list[str], metric: str | None, fraction: bool, found: Findings
) -> None:
    """One number for two classes: whose probability is it, or what does it call them?"""
    if fraction:
        found.set("submission_format", "probabilities", f"cells such as {value.distinct[0]}")
    elif set(value.distinct) <= set(classes) or set(classes) <= {"0", "1"}:
        return
    elif not fraction and kind_of(metric) != "probabilities":
        ask_names(value, sorted(classes), found)
        return
    if value.name in classes or set(classes) <= {"0", "1"} or _is_flags(classes):
        return
    ordered = sorted(classes)
    choices: list[tuple[object, str]] = [
        (ordered, f"{value.name!r} is the probability of {ordered[1]!r}"),
        (ordered[::-1], f"{value.name!r} is the probability of {ordered[0]!r}"),
    ]
    found.ask(
        "classes", f"Which class's probability does {value.name!r} hold? The last one's.", choices, ordered
    )


def ask_names(value: Column, classes: list[str], found: Findings) -> None:
    """Ask what the sample submission calls classes that its cells do not name."""
    if not value.distinct or found.keys.get("submission_names"):
        return
    numbers = {name: str(place) for place, name in enumerate(classes)}
    choices: list[tuple[object, str]] = [({}, "as training does")]
    if value.is_number:
        choices.insert(0, (numbers, "by numbers, in sorted order"))
    else:
        choices.append(({classes[0]: value.distinct[0]}, "for example"))
    shown = value.distinct[0]
    text = f"The sample submission says {shown!r}, which no training row does: what does it call the classes?"
    found.ask("submission_names", text, choices, choices[0][0])


def _is_flags(classes: list[str]) -> bool:
    """Whether two classes are no and yes in numbers or words, which sort in this order."""
    plain = {name.casefold().removesuffix(".0") for name in classes}
    return plain in ({"0", "1"}, {"false", "true"}, {"no", "yes"})


def _likeliest(
    task: Task, classes: list[str], sample: SampleForm | None, fraction: bool, ranking: int = 0
) -> str:
    """The metric that goes best with a sample's cells."""
    several = sample is not None and (len(sample.names) > 1 or sample.is_long)
    if task == Task.REGRESSION:
        return "rmse"
    if task == Task.MULTILABEL:
        return "mean_columnwise_auc" if several else "f1_samples"
    if ranking:
        return "map_at_k"
    if fraction and not several:
        return "auc"
    return "log_loss" if several else "accuracy"
