"""Downloads whose difficulty lies in how labels are written."""

import numpy as np

from .material import Download, Facts, by_serial, one_each

LEAF = ["rust", "scab", "healthy"]


def one_hot_exclusive(d: Download) -> Facts:
    """A column a class with exactly one 1 in each row; train and test pictures in one folder."""
    key = d.word("image_id", "leaf", "ID")
    everything = d.codes(39)
    train, test = d.pictures("images/{}.jpg", everything[:30]), d.pictures("images/{}.jpg", everything[30:])
    labels = d.labels(LEAF, 30)
    flags = {name: [int(label == name) for label in labels] for name in LEAF}
    d.table("train.csv", {key: list(train)} | flags)
    d.table("test.csv", {key: list(test)})
    sample = d.sample("sample_submission.csv", key, test, {name: name for name in reversed(LEAF)}, 0.33)
    return Facts("multiclass", by_serial(train, labels), one_each(test), metric="log_loss", **sample)


def one_hot_multilabel(d: Download) -> Facts:
    """A column a finding, any number of ones; a patient has several films."""
    key, patient = d.word("StudyUID", "film", "uid"), d.word("PatientID", "subject", "person")
    names = ["tube_high", "tube_low", "line_ok", "line_bad"]
    train, test = d.pictures("train/{}.jpg", d.codes(36)), d.pictures("test/{}.jpg", d.codes(9))
    sets = d.sets(names, 36)
    people = [f"p{place // 3}" for place in range(36)]
    flags = {name: [int(name in row) for row in sets] for name in names}
    d.table("train.csv", {key: list(train)} | flags | {patient: people})
    sample = d.sample("sample_submission.csv", key, test, {name: name for name in names}, 0)
    labels = by_serial(train, map(frozenset, sets))
    return Facts(
        "multilabel", labels, one_each(test), groups=by_serial(train, people),
        answers={"group_column": patient}, metric="mean_columnwise_auc", **sample,
    )  # fmt: skip


def labels_with_spaces(d: Download) -> Facts:
    """Several names a cell, a space between them; a word of its own says that there is none."""
    key, target = d.word("image", "photo", "tile"), d.word("labels", "tags", "seen")
    names = ["cloud", "river", "road", "crop"]
    train, test = d.pictures("train-jpg/{}.jpg", d.codes(36)), d.pictures("test-jpg/{}.jpg", d.codes(9))
    sets = d.sets(names, 36)
    d.table("train_tags.csv", {key: list(train), target: [" ".join(row) or "nothing" for row in sets]})
    sample = d.sample("sample_submission.csv", key, test, {target: None}, "nothing")
    return Facts(
        "multilabel", by_serial(train, map(frozenset, sets)), one_each(test), metric="f1_samples",
        answers={"empty_token": "nothing"}, written={"": "nothing"}, **sample,
    )  # fmt: skip


def labels_with_bars(d: Download) -> Facts:
    """Findings with spaces inside their names, joined by |, and `No finding`."""
    key, target = d.word("Image Index", "scan", "file"), d.word("Finding Labels", "disease", "codes")
    names = ["Pleural effusion", "Edema", "Mass"]
    train = d.pictures("xray/{}", [f"{code}.png" for code in d.codes(36)])
    test = d.pictures("xray_hidden/{}", [f"{code}.png" for code in d.codes(9)])
    sets = d.sets(names, 36)
    d.table("Data_Entry.csv", {key: list(train), target: ["|".join(row) or "No finding" for row in sets]})
    sample = d.sample("stub.csv", key, test, {target: None}, "No finding")
    return Facts(
        "multilabel", by_serial(train, map(frozenset, sets)), one_each(test), metric="f1_samples",
        answers={"empty_token": "No finding"}, written={"": "No finding"}, **sample,
    )  # fmt: skip


def labels_with_commas(d: Download) -> Facts:
    """Numbers of attributes joined by commas in quoted cells; an empty cell is none of them."""
    key, target = d.word("id", "object", "asset"), d.word("attribute_ids", "attrs", "Predicted")
    names = ["0", "3", "11", "20"]
    train, test = d.pictures("train/{}.png", d.codes(36)), d.pictures("test/{}.png", d.codes(9))
    sets = [row or ["11"] for row in d.sets(names, 36)]
    d.table("train.csv", {key: list(train), target: [",".join(row) for row in sets]})
    sample = d.sample("sample_submission.csv", key, test, {target: None}, "0,3")
    return Facts(
        "multilabel", by_serial(train, map(frozenset, sets)), one_each(test), metric="f1_samples", **sample
    )


def ordinal_grades(d: Download) -> Facts:
    """Grades 0 to 4, asked for as numbers."""
    key, target = d.word("image", "eye", "id_code"), d.word("level", "diagnosis", "severity")
    train = d.pictures("retina/{}.png", d.codes(35))
    test = d.pictures("retina_test/{}.png", d.codes(9))
    labels = d.labels(list("01234"), 35)
    d.table("trainLabels.csv", {key: list(train), target: labels})
    d.table("testIds.csv", {key: list(test)})
    sample = d.sample("sampleSubmission.csv", key, test, {target: None}, 0)
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), metric="quadratic_kappa",
        answers={"task": "multiclass"}, **sample,
    )  # fmt: skip


def score_beside_flags(d: Download) -> Facts:
    """A number to predict, and flags of the picture in train and test that are no labels."""
    key, target = d.word("Id", "pet", "photo"), d.word("Charm", "score", "value")
    flags = ["Eyes", "Face", "Blur", "Human"]
    train, test = d.pictures("train/{}.jpg", d.codes(36)), d.pictures("test/{}.jpg", d.codes(9))
    numbers = [str(number) for number in d.rng.choice(np.arange(2, 99), 36, replace=False)]
    columns = {name: d.rng.integers(0, 2, 36) for name in flags}
    d.table("train.csv", {key: list(train)} | columns | {target: numbers})
    d.table("test.csv", {key: list(test)} | {name: d.rng.integers(0, 2, 9) for name in flags})
    sample = d.sample("sample_submission.csv", key, test, {target: target}, 38.5)
    labels = by_serial(train, [{target: float(number)} for number in numbers])
    return Facts("regression", labels, one_each(test), metric="rmse", **sample)


def several_numbers(d: Download) -> Facts:
    """Three measurements an image; the training table also measured what nobody asks for."""
    key = d.word("plot_id", "image", "core")
    targets = [d.word("clay", "protein", "n_pct"), d.word("sand", "fat", "k_pct"), d.word("pH", "ash", "c")]
    train, test = d.pictures("cores/{}.png", d.codes(36)), d.pictures("cores_test/{}.png", d.codes(9))
    numbers = {name: [f"{value:.3f}" for value in d.rng.normal(5, 2, 36)] for name in targets}
    asides = {"moisture_lab": [f"{value:.2f}" for value in d.rng.normal(20, 3, 36)]}
    d.table("train.csv", {key: list(train)} | numbers | asides)
    sample = d.sample("sample_submission.csv", key, test, {name: name for name in reversed(targets)}, 1.5)
    rows = [dict(zip(targets, map(float, row), strict=True)) for row in zip(*numbers.values(), strict=True)]
    return Facts(
        "regression", by_serial(train, rows), one_each(test), metric="rmse", told=["moisture_lab"], **sample
    )


def counts(d: Download) -> Facts:
    """Whole numbers of many values, asked for as a fraction: 12.7 in the sample."""
    key, target = d.word("tile", "image_id", "frame"), d.word("pups", "n_cells", "count")
    train, test = d.pictures("tiles/{}.png", d.codes(36)), d.pictures("tiles_test/{}.png", d.codes(9))
    numbers = [str(number) for number in d.rng.integers(0, 400, 36)]
    d.table("train.csv", {key: list(train), target: numbers}, extras=True)
    sample = d.sample("sample_submission.csv", key, test, {target: target}, 12.7)
    labels = by_serial(train, [{target: float(number)} for number in numbers])
    return Facts(
        "regression", labels, one_each(test), metric="rmse", answers={"task": "regression"}, **sample
    )


def soft_labels(d: Download) -> Facts:
    """Shares of votes, three columns that sum to one."""
    key, names = d.word("GalaxyID", "asset", "object_id"), ["Class1.1", "Class1.2", "Class1.3"]
    everything = d.rng.choice(np.arange(100000, 999999), 45, replace=False).astype(str)
    train = d.pictures("images_training/{}.jpg", everything[:36])
    test = d.pictures("images_test/{}.jpg", everything[36:])
    votes = d.rng.dirichlet([1, 1, 1], 36).round(4)
    d.table(
        "training_solutions.csv", {key: list(train)} | {name: votes[:, k] for k, name in enumerate(names)}
    )
    sample = d.sample("central_benchmark.csv", key, test, {name: name for name in names}, 0.3)
    labels = by_serial(train, [dict(zip(names, row, strict=True)) for row in votes.tolist()])
    return Facts(
        "regression", labels, one_each(test), metric="rmse", answers={"task": "regression"}, **sample
    )


def five_best_names(d: Download) -> Facts:
    """The sample lists several names in a cell, likeliest first; each training row has one."""
    key, target = d.word("Image", "fluke"), d.word("Id", "individual")
    names = [f"w_{code}" for code in d.codes(6, 5)] + ["new_whale"]
    train = d.pictures("train/{}", [f"{c}.jpg" for c in d.codes(42)])
    test = d.pictures("test/{}", [f"{c}.jpg" for c in d.codes(9)])
    labels = d.labels(names, 42)
    d.table("train.csv", {key: list(train), target: labels})
    sample = d.sample("sample_submission.csv", key, test, {target: None}, " ".join(["new_whale", *names[:4]]))
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), metric="map_at_k",
        answers={"submission_format": "ranking"}, **sample,
    )  # fmt: skip


def some_without_label(d: Download) -> Facts:
    """A fifth of the training rows has an empty label."""
    key, target = d.word("clip", "image", "key"), d.word("gesture", "label", "what")
    train, test = d.pictures("train/{}.jpg", d.codes(40)), d.pictures("test/{}.jpg", d.codes(9))
    labels = d.labels(["wave", "point"], 32) + [""] * 8
    d.table("train.csv", {key: list(train), target: labels})
    sample = d.sample("sample_submission.csv", key, test, {target: None}, "wave")
    known = {serial: label for serial, label in by_serial(train, labels).items() if label}
    return Facts(
        "multiclass", known, one_each(test), unlabelled=list(train.values())[32:],
        answers={"unlabelled": "drop"}, **sample,
    )  # fmt: skip


def one_probability(d: Download) -> Facts:
    """0 or 1 in the table, a probability in the sample: that of 1."""
    key, target = d.word("id", "patch"), d.word("tumour", "has_cactus", "target")
    train, test = d.pictures("train/{}.tif", d.codes(30)), d.pictures("test/{}.tif", d.codes(9))
    labels = d.labels(["0", "1"], 30)
    d.table("train_labels.csv", {key: list(train), target: labels}, extras=True)
    sample = d.sample("sample_submission.csv", key, test, {target: "1"}, 0.5)
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), metric="auc",
        answers={"task": "multiclass"}, **sample,
    )  # fmt: skip


def python_lists(d: Download) -> Facts:
    """Cells such as ['rust', 'scab'], which no separator takes apart: never silently classes with brackets."""
    key, target = d.word("photo", "img"), d.word("labels", "species_list")
    train, test = d.pictures("train/{}.jpg", d.codes(36)), d.pictures("test/{}.jpg", d.codes(9))
    sets = [row or ["scab"] for row in d.sets(["rust", "scab", "mildew"], 36)]
    d.table("train.csv", {key: list(train), target: [str(row) for row in sets]})
    sample = d.sample("sample_submission.csv", key, test, {target: None}, "['rust']")
    return Facts(None, by_serial(train, map(frozenset, sets)), one_each(test), told=[target], **sample)


LABELS = (
    one_hot_exclusive, one_hot_multilabel, labels_with_spaces, labels_with_bars, labels_with_commas, ordinal_grades, score_beside_flags, several_numbers, counts, soft_labels, five_best_names, some_without_label, one_probability, python_lists,
)  # fmt: skip
