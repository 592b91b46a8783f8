"""Further downloads whose labels and answers are written in ways that invite a wrong task."""

from .material import Download, Facts, by_serial, one_each

SAMPLE = "sample_submission.csv"


def _two_folders(d: Download, count: int = 36) -> tuple[str, dict[str, int], dict[str, int]]:
    """The name of the ids, pictures for train, and nine for test."""
    train, test = d.pictures("train/{}.jpg", d.codes(count)), d.pictures("test/{}.jpg", d.codes(9))
    return d.word("id", "photo", "tree_no"), train, test


def names_of_two_words(d: Download) -> Facts:
    """`red oak`, `white oak`, `red maple`, `white maple`: one class each, no sets of words."""
    key, train, test = _two_folders(d)
    names, target = ["red oak", "white oak", "red maple", "white maple"], d.word("species", "tree")
    labels = d.labels(names, 36)
    d.table("train.csv", {key: list(train), target: labels})
    sample = d.sample(SAMPLE, key, test, {target: None}, "red oak")
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), answers={"task": "multiclass"}, **sample
    )


def names_of_two_words_as_columns(d: Download) -> Facts:
    """The same with a column a class in the sample, which settles it."""
    key, train, test = _two_folders(d)
    names, target = ["red oak", "white oak", "red maple", "white maple"], d.word("species", "tree")
    labels = d.labels(names, 36)
    d.table("train.csv", {key: list(train), target: labels})
    sample = d.sample(SAMPLE, key, test, {name: name for name in reversed(names)}, 0.25)
    return Facts("multiclass", by_serial(train, labels), one_each(test), metric="log_loss", **sample)


def names_with_commas(d: Download) -> Facts:
    """`oak, red` and `oak, white`, in quotes."""
    key, train, test = _two_folders(d)
    target = d.word("species", "tree")
    labels = d.labels(["oak, red", "oak, white", "ash"], 36)
    d.table("train.csv", {key: list(train), target: labels})
    sample = d.sample(SAMPLE, key, test, {target: None}, "ash")
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), answers={"task": "multiclass"}, **sample
    )


def true_and_false(d: Download) -> Facts:
    """True and False in train, a probability in the sample."""
    key, train, test = _two_folders(d)
    target = d.word("is_iceberg", "has_ship")
    labels = d.labels(["True", "False"], 36)
    d.table("train.csv", {key: list(train), target: labels})
    sample = d.sample(SAMPLE, key, test, {target: "True"}, 0.5)
    return Facts(
        "multiclass",
        by_serial(train, labels),
        one_each(test),
        metric="auc",
        answers={"task": "multiclass"},
        **sample,
    )


def open_or_shut(d: Download) -> Facts:
    """Two names in train and one column of probabilities whose name is neither: of which?"""
    key, train, test = _two_folders(d)
    target = d.word("state", "label")
    labels = d.labels(["open", "shut"], 36)
    d.table("train.csv", {key: list(train), target: labels})
    sample = d.sample(SAMPLE, key, test, {target: "shut"}, 0.5)
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), metric="auc",
        answers={"classes": ["open", "shut"], "submission_names": {"shut": target}},
        must_ask=[("classes", "submission_names")], **sample,
    )  # fmt: skip


def age_in_months(d: Download) -> Facts:
    """Whole numbers, a flag beside them in both tables, and 0 as the sample's answer."""
    key, train, test = _two_folders(d)
    target = d.word("boneage", "months")
    ages = [str(age) for age in d.rng.integers(10, 220, 36)]
    d.table("train.csv", {key: list(train), target: ages, "male": d.labels(["True", "False"], 36)})
    d.table("test.csv", {key: list(test), "male": d.labels(["True", "False"], 9)})
    sample = d.sample(SAMPLE, key, test, {target: target}, 0)
    labels = by_serial(train, [{target: float(age)} for age in ages])
    return Facts("regression", labels, one_each(test), metric="mae", answers={"task": "regression"}, **sample)


def many_individuals(d: Download) -> Facts:
    """Class numbers of many individuals, a few pictures each: numbers, yet nothing to measure."""
    key, train, test = _two_folders(d, 60)
    target = d.word("individual", "turtle")
    labels = [str(1000 + 37 * (n // 3)) for n in range(60)]
    d.table("train.csv", {key: list(train), target: labels})
    sample = d.sample(SAMPLE, key, test, {target: None}, 1037)
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), answers={"task": "multiclass"}, **sample
    )


def class_never_seen(d: Download) -> Facts:
    """The sample has a column `other` that no training row is."""
    key, train, test = _two_folders(d)
    target, names = d.word("label", "kind"), ["cup", "pan", "pot"]
    labels = d.labels(names, 36)
    d.table("train.csv", {key: list(train), target: labels})
    sample = d.sample(SAMPLE, key, test, {name: name for name in ("pot", "other", "cup", "pan")}, 0.25)
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), metric="log_loss",
        answers={"classes": ["cup", "other", "pan", "pot"]}, told=["other"], **sample,
    )  # fmt: skip


def sets_and_columns(d: Download) -> Facts:
    """Sets of names in one training column, a probability a name in the sample."""
    key, train, test = _two_folders(d)
    target, names = d.word("labels", "diseases"), ["rust", "scab", "frog_eye"]
    sets = [row or ["rust"] for row in d.sets(names, 36)]
    d.table("train.csv", {key: list(train), target: [" ".join(row) for row in sets]})
    sample = d.sample(SAMPLE, key, test, {name: name for name in reversed(names)}, 0.3)
    return Facts(
        "multilabel",
        by_serial(train, map(frozenset, sets)),
        one_each(test),
        metric="mean_columnwise_auc",
        **sample,
    )


def one_hot_and_one_answer(d: Download) -> Facts:
    """A column a class in train, the class's name in the sample."""
    key, train, test = _two_folders(d)
    names = ["mel", "nv", "bcc"]
    labels = d.labels(names, 36)
    d.table(
        "train.csv",
        {key: list(train)} | {name: [f"{label == name:.1f}" for label in labels] for name in names},
    )
    sample = d.sample(SAMPLE, key, test, {d.word("diagnosis", "dx"): None}, "nv")
    return Facts("multiclass", by_serial(train, labels), one_each(test), **sample)


def long_answers_for_one_label(d: Download) -> Facts:
    """One label a training row; the sample has a row for each picture and class."""
    key, train, test = _two_folders(d)
    target, names = d.word("label", "kind"), ["cup", "pan", "pot"]
    labels = d.labels(names, 36)
    d.table("train.csv", {key: list(train), target: labels})
    rows = [(code, name) for code in test for name in names]
    d.table(SAMPLE, {key: [f"{code}-{name}" for code, name in rows], "p": [0.3] * 27}, shuffle=False)
    cells = [(row, "p", code, name) for row, (code, name) in enumerate(rows)]
    return Facts("multiclass", by_serial(train, labels), one_each(test), cells, SAMPLE, metric="log_loss")


def test_with_answers(d: Download) -> Facts:
    """The test table holds labels as well: it is still the test table."""
    key, train, test = _two_folders(d)
    target = d.word("label", "kind")
    labels = d.labels(["cup", "pan"], 45)
    d.table("train.csv", {key: list(train), target: labels[:36]})
    d.table("test.csv", {key: list(test), target: labels[36:]})
    sample = d.sample(SAMPLE, key, test, {target: None}, "pan")
    return Facts(
        "multiclass",
        by_serial(train, labels[:36]),
        one_each(test),
        answers={"train_table": "train.csv"},
        **sample,
    )


def same_labels_twice(d: Download) -> Facts:
    """The labels as names in one table and as columns of 0 and 1 in another."""
    key, train, test = _two_folders(d)
    names, target = ["cup", "pan", "pot"], d.word("label", "kind")
    labels = d.labels(names, 36)
    d.table("labels.csv", {key: list(train), target: labels})
    d.table(
        "labels_onehot.csv",
        {key: list(train)} | {name: [int(one == name) for one in labels] for name in names},
    )
    sample = d.sample(SAMPLE, key, test, {name: name for name in names}, 0.3)
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), metric="log_loss",
        answers={"train_table": "labels.csv", "target_column": target}, **sample,
    )  # fmt: skip


def repeated_rows(d: Download) -> Facts:
    """Two pictures have two rows that contradict each other: neither may win silently."""
    key, train, test = _two_folders(d)
    target = d.word("label", "kind")
    labels = d.labels(["cup", "pan"], 36)
    codes = [*train, *list(train)[:2]]
    other = ["pan" if label == "cup" else "cup" for label in labels[:2]]
    d.table("train.csv", {key: codes, target: [*labels, *other]})
    sample = d.sample(SAMPLE, key, test, {target: None}, "pan")
    return Facts(None, by_serial(train, labels), **sample)


def a_number_and_its_logarithm(d: Download) -> Facts:
    """price and log_price in train: the one that the sample names is the target, the other would tell it."""
    key, train, test = _two_folders(d)
    target = d.word("price", "mass")
    numbers = d.rng.uniform(5, 90, 36).round(1)
    d.table("train.csv", {key: list(train), f"log_{target}": (numbers**0.5).round(3), target: numbers})
    sample = d.sample(SAMPLE, key, test, {target: target}, 20.5)
    labels = by_serial(train, [{target: float(number)} for number in numbers])
    return Facts("regression", labels, one_each(test), metric="rmse", told=[f"log_{target}"], **sample)


ODD_ANSWERS = (
    names_of_two_words, names_of_two_words_as_columns, names_with_commas, true_and_false, open_or_shut, age_in_months,
    many_individuals, class_never_seen, sets_and_columns, one_hot_and_one_answer, long_answers_for_one_label,
    test_with_answers, same_labels_twice, repeated_rows, a_number_and_its_logarithm,
)  # fmt: skip
