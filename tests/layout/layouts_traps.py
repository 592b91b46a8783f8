"""Downloads that invite a wrong guess."""

from .material import Download, Facts, by_serial, one_each


def two_flags_one_answer(d: Download) -> Facts:
    """Two columns of 0 and 1, and a sample whose column is called like neither: which one is meant is a question."""
    key, flags = d.word("id", "frame"), [d.word("weeds", "smoke"), d.word("stones", "fire")]
    train, test = d.pictures("train/{}.jpg", d.codes(36)), d.pictures("test/{}.jpg", d.codes(9))
    columns = {name: d.labels(["0", "1"], 36) for name in flags}
    d.table("train.csv", {key: list(train)} | columns)
    sample = d.sample("sample_submission.csv", key, test, {"prediction": "1"}, 0.5)
    return Facts(
        "multiclass", by_serial(train, columns[flags[0]]), one_each(test), metric="auc",
        answers={"target_column": flags[0], "task": "multiclass"}, must_ask=[("target_column",)], **sample,
    )  # fmt: skip


def pictures_missing(d: Download) -> Facts:
    """Three training rows have no file."""
    key, target = d.word("id", "photo"), d.word("label", "species")
    train, test = d.pictures("train/{}.jpg", d.codes(33)), d.pictures("test/{}.jpg", d.codes(9))
    d.table("train.csv", {key: list(train), target: d.labels(["ivy", "oak", "fir"], 33)})
    for code in list(train)[::12]:
        (d.root / "train" / f"{code}.jpg").unlink()
    sample = d.sample("sample_submission.csv", key, test, {target: None}, "oak")
    return Facts(None, tests=one_each(test), told=["3"], **sample)


def more_pictures_than_rows(d: Download) -> Facts:
    """A third of the training pictures has no row; names of files are mixed .jpg and .png."""
    key, target = d.word("id", "photo"), d.word("label", "species")
    codes = d.codes(45)
    train = d.pictures("train/{}.jpg", codes[:15]) | d.pictures("train/{}.png", codes[15:30])
    d.pictures("train/{}.jpg", codes[30:])
    test = d.pictures("test/{}.png", d.codes(9))
    labels = d.labels(["ivy", "oak"], 30)
    d.table("train.csv", {key: list(train), target: labels})
    sample = d.sample("sample_submission.csv", key, test, {target: None}, "oak")
    return Facts("multiclass", by_serial(train, labels), one_each(test), **sample)


def another_extension_in_cells(d: Download) -> Facts:
    """The table says x.dcm, the files are x.png."""
    key, target = d.word("file", "image"), d.word("side", "view")
    train, test = d.pictures("train/{}.png", d.codes(30)), d.pictures("test/{}.png", d.codes(9))
    labels = d.labels(["L", "R"], 30)
    d.table("train.csv", {key: [f"{code}.dcm" for code in train], target: labels})
    sample = d.sample("sample_submission.csv", key, [f"{code}.dcm" for code in test], {target: None}, "L")
    return Facts("multiclass", by_serial(train, labels), one_each(test), **sample)


def test_rows_without_label(d: Download) -> Facts:
    """One table of all pictures; the labels of those that the sample names are empty."""
    key, target = d.word("id", "shell"), d.word("species", "label")
    made = d.pictures("pics/{}.jpg", d.codes(45))
    train, test = dict(list(made.items())[:36]), dict(list(made.items())[36:])
    labels = d.labels(["cone", "cowrie"], 36)
    d.table("all.csv", {key: list(made), target: [*labels, *[""] * 9]}, extras=True)
    sample = d.sample("sample_submission.csv", key, test, {target: None}, "cone")
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), answers={"unlabelled": "drop"}, **sample
    )


def shards(d: Download) -> Facts:
    """Training pictures are spread over part_1 to part_3 beside the test folder."""
    key, target = d.word("filename", "painting"), d.word("genre", "artist")
    names = [f"{code}.jpg" for code in d.codes(30)]
    train = {}
    for part in range(3):
        train |= d.pictures(f"part_{part + 1}/{{}}", names[part::3])
    test = d.pictures("part_test/{}", [f"{code}.jpg" for code in d.codes(9)])
    labels = d.labels(["portrait", "still life"], 30)
    d.table("paintings.csv", {key: list(train), target: labels})
    sample = d.sample("answers.csv", key, test, {target: None}, "portrait")
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), **sample,
        answers={"train_images": "**/{id}"},
    )  # fmt: skip


def two_stages(d: Download) -> Facts:
    """Samples of two stages; only the pictures of the first are here."""
    key, target = d.word("id", "tile"), d.word("label", "type")
    train, test = d.pictures("train/{}.jpg", d.codes(30)), d.pictures("test/{}.jpg", d.codes(9))
    labels = d.labels(["a", "b", "c"], 30)
    d.table("train_labels.csv", {key: list(train), target: labels})
    columns = {name: name for name in "abc"}
    d.sample("sample_stage2.csv", key, d.codes(20), columns, 0.33)
    sample = d.sample("sample_stage1.csv", key, test, columns, 0.33)
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), metric="log_loss",
        answers={"sample_submission": "sample_stage1.csv"}, **sample,
    )  # fmt: skip


def columns_spelt_otherwise(d: Download) -> Facts:
    """`Black-grass` in train is `black_grass` in the sample."""
    key, target = d.word("id", "plant"), d.word("species", "label")
    spelt = {"Black-grass": "black_grass", "Common wheat": "common_wheat", "Maize": "maize"}
    train, test = d.pictures("train/{}.jpg", d.codes(30)), d.pictures("test/{}.jpg", d.codes(9))
    labels = d.labels(list(spelt), 30)
    d.table("train.csv", {key: list(train), target: labels})
    columns = {other: name for name, other in reversed(spelt.items())}
    sample = d.sample("sample_submission.csv", key, test, columns, 0.33)
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), metric="log_loss",
        answers={"submission_names": spelt}, **sample,
    )  # fmt: skip


def two_names_of_a_picture(d: Download) -> Facts:
    """A running number and a file name; the sample goes by the number, the files by the name."""
    number, file, target = d.word("row_id", "no"), d.word("filename", "jpg"), d.word("label", "fish")
    train, test = d.pictures("train/{}.jpg", d.codes(30)), d.pictures("test/{}.jpg", d.codes(9))
    labels = d.labels(["cod", "eel"], 30)
    d.table("train.csv", {number: range(30), file: [f"{code}.jpg" for code in train], target: labels})
    d.table("test.csv", {number: range(30, 39), file: [f"{code}.jpg" for code in test]})
    tests = dict(zip(map(str, range(30, 39)), test.values(), strict=True))
    sample = d.sample("sample_submission.csv", number, tests, {target: None}, "cod")
    return Facts("multiclass", by_serial(train, labels), one_each(tests), **sample)


def annotators(d: Download) -> Facts:
    """Who labelled a picture is no group; whether a second reader agreed is known for train alone."""
    key, target = d.word("id", "smear"), d.word("cell", "label")
    train, test = d.pictures("train/{}.png", d.codes(36)), d.pictures("test/{}.png", d.codes(9))
    labels = d.labels(["lymph", "mono", "baso"], 36)
    asides = {"labelled_by": d.labels(["anna", "ben", "cleo"], 36), "agreed": d.labels(["0", "1"], 36)}
    d.table("train.csv", {key: list(train), target: labels} | asides)
    d.table("test.csv", {key: list(test)})
    sample = d.sample("sample_submission.csv", key, test, {target: None}, "lymph")
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), told=list(asides),
        answers={"group_column": None}, **sample,
    )  # fmt: skip


TRAPS = (
    two_flags_one_answer, pictures_missing, more_pictures_than_rows, another_extension_in_cells,
    test_rows_without_label, shards, two_stages, columns_spelt_otherwise, two_names_of_a_picture, annotators,
)  # fmt: skip
