"""Further downloads whose tables or samples come in another form, or not at all."""

from .material import Download, Facts, by_serial, one_each

SAMPLE = "sample_submission.csv"
NAMES = ["larch", "birch", "alder"]


def tabs(d: Download) -> Facts:
    """A .tsv of labels; free text with commas beside them."""
    key, target = d.word("id", "leaf"), d.word("tree", "label")
    train, test = d.pictures("a/{}.webp", d.codes(30)), d.pictures("b/{}.webp", d.codes(9))
    labels = d.labels(NAMES, 30)
    remarks = [f"seen by day {n}, dry" for n in range(30)]
    d.table("labels.tsv", {key: list(train), "remarks": remarks, target: labels}, sep="\t")
    sample = d.sample(SAMPLE, key, test, {target: None}, "birch")
    return Facts("multiclass", by_serial(train, labels), one_each(test), **sample)


def empty_sample(d: Download) -> Facts:
    """The sample lists ids and leaves the answers empty."""
    key, target = d.word("id", "leaf"), d.word("tree", "label")
    train, test = d.pictures("train/{}.bmp", d.codes(30)), d.pictures("test/{}.bmp", d.codes(9))
    labels = d.labels(NAMES, 30)
    d.table("train.csv", {key: list(train), target: labels})
    sample = d.sample(SAMPLE, key, test, {target: None}, "")
    return Facts("multiclass", by_serial(train, labels), one_each(test), **sample)


def json_records(d: Download) -> Facts:
    """{"k3f9": {"tree": …, "spot": …}, …} for train, a list of records for test."""
    key, target, spot = d.word("leaf_id", "uid"), d.word("tree", "label"), d.word("spot", "plot")
    train, test = d.pictures("pics/{}.jpg", d.codes(36)), d.pictures("pics/{}.jpg", d.codes(9))
    labels, spots = d.labels(NAMES, 36), [f"plot-{n // 4}" for n in range(36)]
    rows = {code: {target: label, spot: s} for code, label, s in zip(train, labels, spots, strict=True)}
    d.json("train.json", rows)
    d.json("test.json", [{key: code, spot: f"plot-{20 + n // 3}"} for n, code in enumerate(test)])
    sample = d.sample(SAMPLE, key, test, {target: None}, "birch")
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), groups=by_serial(train, spots),
        answers={"group_column": spot}, **sample,
    )  # fmt: skip


def coco_sets(d: Download) -> Facts:
    """Several categories an image and no boxes; a picture without annotation shows none of them."""
    train, test = d.pictures("train/{}.jpg", d.codes(36)), d.pictures("test/{}.jpg", d.codes(9))
    sets = d.sets(NAMES, 36)
    images = [{"id": n, "file_name": f"{code}.jpg"} for n, code in enumerate(train)]
    pairs = [(n, NAMES.index(name)) for n, row in enumerate(sets) for name in row]
    notes = [{"id": k, "image_id": n, "category_id": kind} for k, (n, kind) in enumerate(pairs)]
    kinds = [{"id": n, "name": name} for n, name in enumerate(NAMES)]
    d.json("annotations.json", {"images": images, "annotations": notes, "categories": kinds})
    asked = {f"{code}.jpg": serial for code, serial in test.items()}
    sample = d.sample(SAMPLE, d.word("image", "file"), asked, {name: name for name in reversed(NAMES)}, 0.5)
    return Facts(
        "multilabel",
        by_serial(train, map(frozenset, sets)),
        one_each(asked),
        metric="mean_columnwise_auc",
        **sample,
    )


def two_endings(d: Download) -> Facts:
    """Every picture lies there twice in one folder, as .jpg and as .png."""
    key, target = d.word("id", "leaf"), d.word("tree", "label")
    train, test = d.pictures("train/{}.jpg", d.codes(30)), d.pictures("test/{}.jpg", d.codes(9))
    for part, serials in (("train", train), ("test", test)):
        for code, serial in serials.items():
            d.picture(f"{part}/{code}.png", serial)
    labels = d.labels(NAMES, 30)
    d.table("train.csv", {key: list(train), target: labels})
    sample = d.sample(SAMPLE, key, test, {target: None}, "birch")
    answers = {"train_images": "train/{id}.png", "test_images": "test/{id}.png"}
    return Facts("multiclass", by_serial(train, labels), one_each(test), answers=answers, **sample)


def no_test(d: Download) -> Facts:
    """Pictures and labels, nothing to predict."""
    key, target = d.word("id", "leaf"), d.word("tree", "label")
    train = d.pictures("pics/{}.jpg", d.codes(30))
    labels = d.labels(NAMES, 30)
    d.table("labels.csv", {key: list(train), target: labels}, extras=True)
    return Facts("multiclass", by_serial(train, labels), answers={"target_column": target})


FORMS = (tabs, empty_sample, json_records, coco_sets, two_endings, no_test)
