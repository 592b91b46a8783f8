"""Downloads in which a row is not a picture: long tables, subjects with several pictures, JSON."""

import json

from .material import Download, Facts, by_serial, one_each


def row_for_image_and_class(d: Download) -> Facts:
    """`scan_k3f9_subdural,1` in train and sample; one class joins the others' names."""
    names = ["any", "epidural", "sub_dural"]
    key, target = d.word("ID", "Id"), d.word("Label", "present")
    train, test = (
        d.pictures("stage_train/scan_{}.png", d.codes(36)),
        d.pictures("stage_test/scan_{}.png", d.codes(9)),
    )
    sets = d.sets(names, 36)
    rows = {
        f"scan_{code}_{name}": int(name in row)
        for code, row in zip(train, sets, strict=True)
        for name in names
    }
    d.table("stage_train.csv", {key: list(rows), target: list(rows.values())})
    ids = [f"scan_{code}_{name}" for code in d.rng.permutation(list(test)) for name in names]
    d.table("stage_sample.csv", {key: ids, target: [0.5] * len(ids)}, shuffle=False)
    tests = {f"scan_{code}": (serial,) for code, serial in test.items()}
    cells = [
        (row, target, id_[: id_.index("_", 5)], id_[id_.index("_", 5) + 1 :]) for row, id_ in enumerate(ids)
    ]
    return Facts(
        "multilabel",
        by_serial(train, map(frozenset, sets)),
        tests,
        cells,
        "stage_sample.csv",
        metric="log_loss",
    )


def row_for_image_and_label(d: Download) -> Facts:
    """Each row says one thing that is in the picture; the sample wants them joined by spaces."""
    key, target = d.word("ImageID", "photo"), d.word("concept", "LabelName")
    names = ["tree", "boat", "dog"]
    train, test = d.pictures("train/{}.jpg", d.codes(36)), d.pictures("test/{}.jpg", d.codes(9))
    sets = [row or ["boat"] for row in d.sets(names, 36)]
    rows = [(code, name) for code, row in zip(train, sets, strict=True) for name in row]
    d.table("annotations.csv", {key: [code for code, _ in rows], target: [name for _, name in rows]})
    sample = d.sample("sample_submission.csv", key, test, {"Labels": None}, "tree dog")
    return Facts(
        "multilabel", by_serial(train, map(frozenset, sets)), one_each(test), metric="f1_samples", **sample
    )


def class_in_a_column(d: Download) -> Facts:
    """Rows of picture, finding and 0 or 1; the sample has the same three columns."""
    key, name_of, target = d.word("scan", "image"), d.word("finding", "structure"), d.word("present", "value")
    names = ["cyst", "stone", "nodule"]
    train, test = d.pictures("train/{}.png", d.codes(36)), d.pictures("test/{}.png", d.codes(9))
    sets = d.sets(names, 36)
    rows = [(code, name, int(name in row)) for code, row in zip(train, sets, strict=True) for name in names]
    d.table("train.csv", dict(zip((key, name_of, target), zip(*rows, strict=True), strict=True)))
    wanted = [(code, name) for code in d.rng.permutation(list(test)) for name in names]
    d.table("sample.csv", {key: [code for code, _ in wanted], name_of: [name for _, name in wanted],
                           target: [0.5] * len(wanted)}, shuffle=False)  # fmt: skip
    cells = [(row, target, code, name) for row, (code, name) in enumerate(wanted)]
    return Facts(
        "multilabel",
        by_serial(train, map(frozenset, sets)),
        one_each(test),
        cells,
        "sample.csv",
        metric="log_loss",
    )


def row_for_image_and_number(d: Download) -> Facts:
    """`k3f9__green_g,2.5`: five numbers a picture in long form, whose picture's path stands in a column."""
    key, path_of = d.word("sample_id", "row_id"), d.word("image_path", "file")
    name_of, target = d.word("target_name", "part"), d.word("target", "grams")
    names = ["dry_green_g", "dry_dead_g", "total_g"]
    train, test = d.pictures("train/{}.jpg", d.codes(30)), d.pictures("test/{}.jpg", d.codes(9))
    numbers = [{name: round(float(d.rng.normal(20, 5)), 2) for name in names} for _ in train]
    rows = [
        (f"{code}__{name}", f"train/{code}.jpg", name, one[name], round(10 * one[name]))
        for code, one in zip(train, numbers, strict=True)
        for name in names
    ]
    d.table(
        "train.csv",
        dict(zip((key, path_of, name_of, target, "height_measured"), zip(*rows, strict=True), strict=True)),
    )
    ids = [(code, name) for code in d.rng.permutation(list(test)) for name in names]
    full = [f"{code}__{name}" for code, name in ids]
    d.table(
        "test.csv",
        {key: full, path_of: [f"test/{code}.jpg" for code, _ in ids], name_of: [name for _, name in ids]},
    )
    d.table("sample_submission.csv", {key: full, target: [0.0] * len(full)}, shuffle=False)
    cells = [(row, target, code, name) for row, (code, name) in enumerate(ids)]
    return Facts(
        "regression", by_serial(train, numbers), one_each(test), cells, "sample_submission.csv", metric="rmse",
        told=["height_measured"],
    )  # fmt: skip


def _patients(count: int, start: int) -> dict[str, list[str]]:
    """Patients with two to four picture names each."""
    people = [f"{n:05d}" for n in range(start, start + count)]
    return {one: [f"slice_{k}" for k in range(2 + n % 3)] for n, one in enumerate(people)}


def folder_for_each_patient(d: Download) -> Facts:
    """train/<patient>/slice_0.png …; the table and the sample name patients alone."""
    key, target = d.word("patient", "case"), d.word("cancer", "MGMT")
    train, test = _patients(16, 0), _patients(6, 100)
    made = {
        part: {one: d.pictures(f"{part}/{one}/{{}}.png", slices) for one, slices in people.items()}
        for part, people in (("train", train), ("test", test))
    }
    labels = dict(zip(train, d.labels(["0", "1"], 16), strict=True))
    d.table("train_labels.csv", {key: list(labels), target: list(labels.values())})
    sample = d.sample("sample_submission.csv", key, test, {target: "1"}, 0.5)
    of = {serial: one for one, slices in made["train"].items() for serial in slices.values()}
    tests = {one: tuple(slices.values()) for one, slices in made["test"].items()}
    return Facts(
        "multiclass", {serial: labels[one] for serial, one in of.items()}, tests, groups=of, metric="auc",
        answers={"task": "multiclass"}, **sample,
    )  # fmt: skip


def table_of_patients_pictures(d: Download) -> Facts:
    """Tables of pictures with their patient; one probability a patient is asked for."""
    key, patient, target = d.word("image", "view_id"), d.word("patient_id", "breast"), d.word("cancer", "y")
    people = {one: [f"{one}{k}" for k in "abc"] for one in d.codes(24)}
    images = [(name, one) for one, names in people.items() for name in names]
    train = d.pictures("films/{}.png", [name for name, _ in images[:48]])
    test = d.pictures("films_test/{}.png", [name for name, _ in images[48:]])
    labels = dict(zip(people, d.labels(["0", "1"], 24), strict=True))
    d.table("train.csv", {key: list(train), patient: [one for _, one in images[:48]],
                          target: [labels[one] for _, one in images[:48]],
                          "biopsy_done": [labels[one] for _, one in images[:48]]})  # fmt: skip
    d.table("test.csv", {key: list(test), patient: [one for _, one in images[48:]]})
    tests = {one: tuple(test[name] for name in names) for one, names in list(people.items())[16:]}
    sample = d.sample("sample_submission.csv", patient, tests, {target: "1"}, 0.01)
    groups = {train[name]: one for name, one in images[:48]}
    return Facts(
        "multiclass", {train[name]: labels[one] for name, one in images[:48]}, tests, groups=groups, metric="auc",
        told=["biopsy_done"], answers={"task": "multiclass"}, **sample,
    )  # fmt: skip


def photos_of_a_business(d: Download) -> Facts:
    """One table says whose a photo is, another what a business is like; asked for are businesses' labels."""
    photo, owner, target = (
        d.word("photo_id", "pic"),
        d.word("business_id", "shop"),
        d.word("labels", "attributes"),
    )
    names = ["1", "4", "8"]
    shops = {str(n): [str(100 * n + k) for k in range(3)] for n in range(1, 25)}
    pairs = [(name, one) for one, photos in shops.items() for name in photos]
    train = d.pictures("train_photos/{}.jpg", [name for name, _ in pairs[:54]])
    test = d.pictures("test_photos/{}.jpg", [name for name, _ in pairs[54:]])
    sets = dict(zip(shops, [row or ["4"] for row in d.sets(names, 24)], strict=True))
    d.table("train_photo_to_biz.csv", {photo: list(train), owner: [one for _, one in pairs[:54]]})
    d.table("test_photo_to_biz.csv", {photo: list(test), owner: [one for _, one in pairs[54:]]})
    known = list(shops)[:18]
    d.table("train.csv", {owner: known, target: [" ".join(sets[one]) for one in known]})
    tests = {one: tuple(test[name] for name in photos) for one, photos in list(shops.items())[18:]}
    sample = d.sample("sample_submission.csv", owner, tests, {target: None}, "1 4")
    groups = {train[name]: one for name, one in pairs[:54]}
    return Facts(
        "multilabel", {train[name]: frozenset(sets[one]) for name, one in pairs[:54]}, tests, groups=groups,
        metric="f1_samples", **sample,
    )  # fmt: skip


def coco_classes(d: Download) -> Facts:
    """Annotations without boxes: images, categories, and where the camera stood."""
    names = {3: "bobcat", 7: "empty", 9: "raccoon"}
    train, test = d.pictures("cams/{}.jpg", d.codes(36)), d.pictures("cams/{}.jpg", d.codes(9))
    labels = d.labels(list(map(str, names)), 36)
    spots = [n // 4 for n in range(36)]
    record = [
        {"id": code, "file_name": f"{code}.jpg", "location": spot, "width": 32, "height": 32}
        for code, spot in zip(train, spots, strict=True)
    ]
    notes = [
        {"id": f"a{n}", "image_id": code, "category_id": int(label)}
        for n, (code, label) in enumerate(zip(train, labels, strict=True))
    ]
    categories = [{"id": number, "name": name, "count": 12} for number, name in names.items()]
    d.json(
        d.word("cams_train_annotations.json", "labels.json"),
        {"info": {"year": 2020}, "images": record, "annotations": notes, "categories": categories},
    )
    shots = [{"id": code, "file_name": f"{code}.jpg", "location": 90 + n // 3} for n, code in enumerate(test)]
    d.json("cams_test_information.json", {"images": shots, "categories": categories})
    sample = d.sample("sample_submission.csv", "Id", test, {"Category": None}, 3)
    return Facts(
        "multiclass", by_serial(train, [names[int(label)] for label in labels]), one_each(test),
        groups=by_serial(train, map(str, spots)), written={name: str(number) for number, name in names.items()},
        answers={"group_column": "location", "submission_names": {name: number for number, name in names.items()}},
        **sample,
    )  # fmt: skip


def json_of_labels(d: Download) -> Facts:
    """{"k3f9.jpg": "rust", …} and a sample in CSV."""
    train, test = (d.pictures("photos/{}", [f"{code}.jpg" for code in d.codes(n)]) for n in (30, 9))
    labels = d.labels(["rust", "scab", "healthy"], 30)
    d.json(d.word("truth.json", "train/labels.json"), dict(zip(train, labels, strict=True)))
    sample = d.sample("sample_submission.csv", d.word("image", "file"), test, {"disease": None}, "scab")
    return Facts("multiclass", by_serial(train, labels), one_each(test), **sample)


def json_lines(d: Download) -> Facts:
    """A JSON record a line."""
    key, target = d.word("uid", "n"), d.word("grape", "variety")
    train, test = d.pictures("bunches/{}.jpg", d.codes(30)), d.pictures("bunches/{}.jpg", d.codes(9))
    labels = d.labels(["merlot", "syrah"], 30)
    lines = [{key: code, target: label} for code, label in zip(train, labels, strict=True)]
    (d.root / "vines.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    sample = d.sample("sample_submission.csv", key, test, {target: None}, "syrah")
    return Facts("multiclass", by_serial(train, labels), one_each(test), **sample)


ROWS = (
    row_for_image_and_class, row_for_image_and_label, class_in_a_column, row_for_image_and_number,
    folder_for_each_patient, table_of_patients_pictures, photos_of_a_business, coco_classes, json_of_labels,
    json_lines,
)  # fmt: skip
