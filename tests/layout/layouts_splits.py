"""Downloads whose difficulty lies in what belongs together, what validates, what leaks, and which table is meant."""

import numpy as np

from .material import Download, Facts, by_serial, one_each


def drivers(d: Download) -> Facts:
    """Class folders, and a list that tells which driver each frame shows."""
    states = ["c0", "c1", "c2"]
    codes, labels = [f"img_{n}" for n in d.rng.permutation(900)[:45]], d.labels(states, 36)
    frames = [f"{label}/{code}" for label, code in zip(labels, codes, strict=False)]
    train, test = d.pictures("imgs/train/{}.jpg", frames), d.pictures("imgs/test/{}.jpg", codes[36:])
    people = [f"p{n // 6:03d}" for n in range(36)]
    subject, state, image = d.word("subject", "driver"), d.word("classname", "state"), d.word("img", "frame")
    names = [f"{code}.jpg" for code in codes[:36]]
    d.table("driver_imgs_list.csv", {subject: people, state: labels, image: names})
    asked = {f"{code}.jpg": serial for code, serial in test.items()}
    sample = d.sample("sample_submission.csv", image, asked, {name: name for name in states}, 0.1)
    return Facts(
        "multiclass", by_serial(train, labels), one_each(asked), groups=by_serial(train, people), metric="log_loss",
        answers={"group_column": subject}, **sample,
    )  # fmt: skip


def patients_in_another_table(d: Download) -> Facts:
    """Labels in one table; patient, age and site in another, for train and test rows alike; names of the classes in a third."""
    key, person, target = d.word("image", "film_id"), d.word("patient", "chart_no"), d.word("class", "dx")
    train, test = d.pictures("train/{}.png", d.codes(36)), d.pictures("test/{}.png", d.codes(9))
    labels = d.labels(["0", "1", "2"], 36)
    people = [f"P-{n // 3}" for n in range(45)]
    d.table("train_v2.csv", {key: list(train), target: labels})
    d.table("metadata.csv", {key: [*train, *test], person: people, "age": d.rng.integers(20, 80, 45)})
    d.table("class_map.csv", {"class_id": ["0", "1", "2"], "description": ["none", "left", "right"]})
    sample = d.sample("sample_submission.csv", key, test, {target: None}, 0)
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), groups=by_serial(train, people[:36]),
        answers={"task": "multiclass", "group_column": person, "train_join": {"metadata.csv": key}}, **sample,
    )  # fmt: skip


def official_folds(d: Download) -> Facts:
    """A column of folds 0 to 2 in a table of its own."""
    key, target, fold = d.word("clip_id", "id"), d.word("label", "event"), d.word("fold", "cv_split")
    train, test = d.pictures("train/{}.png", d.codes(36)), d.pictures("test/{}.png", d.codes(9))
    labels, parts = d.labels(["dog", "rain"], 36), [str(n % 3) for n in range(36)]
    d.table("train.csv", {key: list(train), target: labels})
    d.table("cv_folds.csv", {key: list(train), fold: parts})
    sample = d.sample("sample_submission.csv", key, test, {target: None}, "rain")
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), folds=by_serial(train, parts), valid=("0", "1", "2"),
        answers={"fold_column": fold, "train_join": {"cv_folds.csv": key}}, **sample,
    )  # fmt: skip


def one_table_for_all(d: Download) -> Facts:
    """A split column with train, val and test; test rows have no label."""
    key, target, split = d.word("image", "uid"), d.word("kind", "label"), d.word("split", "subset")
    made = d.pictures("all/{}.jpg", d.codes(49))
    codes = list(made)
    parts = ["train"] * 28 + ["val"] * 12 + ["test"] * 9
    labels = d.labels(["ash", "elm"], 40)
    d.table("index.csv", {key: codes, split: parts, target: labels + [""] * 9})
    train = {code: made[code] for code in codes[:40]}
    test = {code: made[code] for code in codes[40:]}
    sample = d.sample("sample_submission.csv", key, test, {target: None}, "elm")
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), folds=by_serial(train, parts[:40]), valid=("val",),
        answers={"fold_column": split, "validation_folds": ["val"]}, **sample,
    )  # fmt: skip


def folders_for_train_val_test(d: Download) -> Facts:
    """train/, val/ and test/, each with a folder a class; no table. The classes of test are the solution."""
    names, val_name = ["NORMAL", "PNEUMONIA"], d.word("val", "valid", "validation")
    labels = d.labels(names, 42)
    codes = d.codes(42)
    paths = [f"{label}/{code}" for label, code in zip(labels, codes, strict=True)]
    train = d.pictures("chest/train/{}.jpeg", paths[:28])
    val = d.pictures(f"chest/{val_name}/{{}}.jpeg", paths[28:36])
    test = d.pictures("chest/test/{}.jpeg", paths[36:])
    tests = {f"{path}.jpeg": serial for path, serial in test.items()}
    return Facts(
        "multiclass", by_serial(train, labels[:28]), one_each(tests), told=[val_name],
        optional=by_serial(val, labels[28:36]), folds=by_serial(train | val, ["train"] * 28 + ["val"] * 8),
        valid=(val_name,), answers={"train_images": "chest/train"},
    )  # fmt: skip


def two_training_tables(d: Download) -> Facts:
    """train.csv, and a corrected one whose labels differ in a few rows: which one is a decision."""
    key, target = d.word("id", "image"), d.word("label", "y")
    train, test = d.pictures("train/{}.png", d.codes(30)), d.pictures("test/{}.png", d.codes(9))
    labels = d.labels(["real", "fake"], 30)
    other = [("fake" if label == "real" else "real") if n < 4 else label for n, label in enumerate(labels)]
    names = d.word("train.csv train_v2.csv", "labels_a.csv labels_b.csv").split()
    d.table(names[0], {key: list(train), target: other})
    d.table(names[1], {key: list(train), target: labels})
    sample = d.sample("sample_submission.csv", key, test, {target: None}, "real")
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), answers={"train_table": names[1]},
        must_ask=[("train_table",)], **sample,
    )  # fmt: skip


def external_pictures(d: Download) -> Facts:
    """A second, smaller labelled table of pictures from elsewhere, in a folder of their own."""
    key, target = d.word("image_id", "photo"), d.word("label", "disease")
    train, test = d.pictures("train_images/{}.jpg", d.codes(33)), d.pictures("test_images/{}.jpg", d.codes(9))
    other = d.pictures("old_competition/{}.jpg", d.codes(12))
    labels = d.labels(["cbb", "cgm", "ok"], 33)
    d.table("train.csv", {key: list(train), target: labels})
    d.table("old_competition.csv", {key: list(other), target: d.labels(["cbb", "cgm", "ok"], 12)})
    sample = d.sample("sample_submission.csv", key, test, {target: None}, "ok")
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), told=["old_competition.csv"],
        answers={"train_table": "train.csv", "train_images": "train_images/{id}.jpg"}, **sample,
    )  # fmt: skip


def leaks(d: Download) -> Facts:
    """What annotators and doctors knew stands in the training table alone, next to a patient that both have."""
    key, person, target = (
        d.word("image_name", "mole"),
        d.word("patient_id", "who"),
        d.word("target", "malign"),
    )
    train, test = d.pictures("train/{}.jpg", d.codes(36)), d.pictures("test/{}.jpg", d.codes(12))
    labels = d.labels(["0", "1"], 36)
    people = [f"IP_{n // 4}" for n in range(36)]
    late = ["diagnosis", "benign_malignant", "annotator_confidence"]
    d.table("train.csv", {
        key: list(train), person: people, "sex": d.labels(["male", "female"], 36),
        late[0]: [("melanoma" if label == "1" else "nevus") for label in labels],
        late[1]: [("malignant" if label == "1" else "benign") for label in labels],
        late[2]: d.rng.random(36).round(2), target: labels,
    })  # fmt: skip
    d.table("test.csv", {key: list(test), person: [f"IP_{n // 3 + 50}" for n in range(12)],
                         "sex": d.labels(["male", "female"], 12)})  # fmt: skip
    sample = d.sample("sample_submission.csv", key, test, {target: "1"}, 0)
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), groups=by_serial(train, people), told=late,
        metric="auc", answers={"task": "multiclass", "group_column": person}, **sample,
    )  # fmt: skip


def sites_apart(d: Download) -> Facts:
    """Experiments: those of test are others than those of train."""
    key, site, target = (
        d.word("id_code", "well"),
        d.word("experiment", "site", "sequence"),
        d.word("sirna", "label"),
    )
    train, test = d.pictures("train/{}.png", d.codes(36)), d.pictures("test/{}.png", d.codes(9))
    labels = d.labels(["a1", "b2", "c3"], 36)
    places = [f"HUVEC-{n // 6:02d}" for n in range(36)]
    d.table("train.csv", {key: list(train), site: places, target: labels})
    d.table("test.csv", {key: list(test), site: [f"HUVEC-{20 + n // 3}" for n in range(9)]})
    sample = d.sample("sample_submission.csv", key, test, {target: None}, "a1")
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), groups=by_serial(train, places),
        answers={"group_column": site}, **sample,
    )  # fmt: skip


def later_days(d: Download) -> Facts:
    """Dates in both tables; the test set is later."""
    key, day, target = d.word("id", "sky"), d.word("taken_on", "date"), d.word("cloud_type", "label")
    train, test = d.pictures("train/{}.png", d.codes(36)), d.pictures("test/{}.png", d.codes(9))
    labels = d.labels(["cirrus", "cumulus"], 36)
    days = np.datetime_as_string(np.datetime64("2019-03-01") + np.arange(45) * 3).tolist()
    d.table("train.csv", {key: list(train), day: days[:36], target: labels})
    d.table("test.csv", {key: list(test), day: days[36:]})
    sample = d.sample("sample_submission.csv", key, test, {target: None}, "cirrus")
    return Facts(
        "multiclass",
        by_serial(train, labels),
        one_each(test),
        time=day,
        answers={"time_column": day},
        **sample,
    )


def twins_among_targets(d: Download) -> Facts:
    """Three labels a picture, each of several classes, asked for in rows of their own: compkit learns one of them."""
    key, names = d.word("image_id", "glyph"), ["root", "vowel", "consonant"]
    train, test = d.pictures("train/{}.png", d.codes(36)), d.pictures("test/{}.png", d.codes(9))
    columns = {name: d.labels(list("01234")[: 3 + k], 36) for k, name in enumerate(names)}
    d.table("train.csv", {key: list(train)} | columns)
    rows = [f"{code}_{name}" for code in test for name in names]
    d.table("test.csv", {"row_id": rows, key: [row.rsplit("_", 1)[0] for row in rows],
                         "component": [row.rsplit("_", 1)[1] for row in rows]})  # fmt: skip
    d.table("sample_submission.csv", {"row_id": rows, "target": [0] * len(rows)}, shuffle=False)
    return Facts(None, by_serial(train, columns["root"]), one_each(test), told=names)


SPLITS = (
    drivers, patients_in_another_table, official_folds, one_table_for_all, folders_for_train_val_test,
    two_training_tables, external_pictures, leaks, sites_apart, later_days, twins_among_targets,
)  # fmt: skip
