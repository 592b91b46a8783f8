"""Downloads whose difficulty lies in where the pictures are."""

from .material import Download, Facts, by_serial, one_each

PLANTS = ["Black-grass", "Maize", "Common wheat"]


def class_folders_and_file_names(d: Download) -> Facts:
    """A folder a class, with spaces in names; the sample lists the test pictures' file names."""
    labels = d.labels(PLANTS, 30)
    suffix = d.word(".png", ".PNG", ".jpg")
    names = [f"{label}/{code}{suffix}" for label, code in zip(labels, d.codes(30), strict=True)]
    train = d.pictures("train/{}", names)
    test = d.pictures("test/{}", [f"{code}{suffix}" for code in d.codes(9)])
    target = d.word("species", "Category")
    sample = d.sample("sample_submission.csv", d.word("file", "image"), test, {target: None}, "Maize")
    return Facts("multiclass", by_serial(train, labels), one_each(test), **sample)


def class_folders_alone(d: Download) -> Facts:
    """A folder a class, a flat test folder, and not one table."""
    labels = d.labels(PLANTS, 30)
    names = [f"{label}/{code}.jpg" for label, code in zip(labels, d.codes(30), strict=True)]
    train = d.pictures(f"{d.word('seedlings', 'training_set')}/{{}}", names)
    test = d.pictures(f"{d.word('unknown', 'test_set')}/{{}}", [f"{code}.jpg" for code in d.codes(9)])
    return Facts("multiclass", by_serial(train, labels), one_each(test))


def class_in_file_name(d: Download) -> Facts:
    """cat.0.jpg and dog.0.jpg, test pictures by number; the sample's one column names neither."""
    labels = d.labels(["cat", "dog"], 32)
    joint, column = d.word(".", "_"), d.word("label", "p")
    names = [f"{label}{joint}{place}" for place, label in enumerate(labels)]
    train = d.pictures("train/{}.jpg", names)
    test = d.pictures("test/{}.jpg", [str(number) for number in range(1, 10)])
    sample = d.sample("sample_submission.csv", "id", test, {column: "dog"}, 0.5)
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), metric="log_loss",
        answers={"submission_names": {"dog": column}, "classes": ["cat", "dog"]},
        must_ask=[("submission_names", "classes")], **sample,
    )  # fmt: skip


def table_in_a_folder_of_its_name(d: Download) -> Facts:
    """labels.csv/labels.csv, train/train/x.jpg, test/test/y.jpg: what unpacking each archive beside itself leaves."""
    key, target = d.word("identifier", "plankton"), d.word("group", "taxon")
    train, test = d.pictures("train/train/{}.jpg", d.codes(30)), d.pictures("test/test/{}.jpg", d.codes(9))
    labels = d.labels(["copepod", "diatom"], 30)
    d.table("labels.csv/labels.csv", {key: list(train), target: labels}, extras=True)
    sample = d.sample("sample.csv/sample.csv", key, test, {target: None}, "diatom")
    return Facts("multiclass", by_serial(train, labels), one_each(test), **sample)


def nested_by_a_column(d: Download) -> Facts:
    """Pictures lie in a folder for each station, which both tables name."""
    key, station, target = d.word("id", "shot"), d.word("station", "trap"), d.word("animal", "y")
    codes, places = d.codes(45), [f"st_{n}" for n in range(9)]
    where = dict(zip(codes, [places[n % 9] for n in range(45)], strict=True))
    files = {code: f"{where[code]}/{code}" for code in codes}
    made = d.pictures("captures/{}.jpg", files.values())
    train, test = ({code: made[files[code]] for code in part} for part in (codes[:36], codes[36:]))
    labels = d.labels(["fox", "deer", "empty"], 36)
    d.table("train.csv", {key: list(train), station: [where[code] for code in train], target: labels})
    d.table("test.csv", {key: list(test), station: [where[code] for code in test]})
    sample = d.sample("sample_submission.csv", key, test, {target: None}, "fox")
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), answers={"group_column": station}, **sample
    )


def nested_by_prefix(d: Download) -> Facts:
    """train/k/3/f/k3f9.jpg: folders are the first letters of the id."""
    key, target = d.word("id", "hash"), d.word("landmark_id", "place")
    codes = d.codes(39, 16)
    paths = ["/".join([*code[:3], code]) for code in codes]
    made = [
        d.pictures(f"{part}/{{}}.jpg", some) for part, some in (("train", paths[:30]), ("test", paths[30:]))
    ]
    train, test = ({path[6:]: serial for path, serial in one.items()} for one in made)
    labels = d.labels(["tower", "bridge", "church"], 30)
    d.table("train.csv", {key: list(train), target: labels})
    sample = d.sample("sample_submission.csv", key, test, {target: None}, "tower")
    return Facts("multiclass", by_serial(train, labels), one_each(test), **sample)


def nested_anyhow(d: Download) -> Facts:
    """Pictures lie in batches that no table mentions, train and test mixed in the same folders."""
    key, target = d.word("asset_id", "name"), d.word("material", "label")
    codes = d.codes(39)
    batches = d.rng.integers(0, 5, 39)
    made = d.pictures(
        "scans/{}.png", [f"batch_{b:02d}/part{b % 2}/{c}" for b, c in zip(batches, codes, strict=True)]
    )
    serials = {path.rsplit("/", 1)[1]: serial for path, serial in made.items()}
    train, test = ({code: serials[code] for code in part} for part in (codes[:30], codes[30:]))
    labels = d.labels(["wood", "steel"], 30)
    d.table("train.csv", {key: list(train), target: labels}, extras=True)
    sample = d.sample("sample_submission.csv", key, test, {target: None}, "wood")
    return Facts("multiclass", by_serial(train, labels), one_each(test), **sample)


def channel_suffixes(d: Download) -> Facts:
    """Four grey files a row, <id>_red.png and so on; numbers of compartments separated by spaces."""
    key, target = d.word("Id", "cell"), d.word("Target", "Predicted")
    colours = ["_blue", "_green", "_red", "_yellow"]
    names = ["0", "2", "16", "25"]
    train, test = (
        {code: serial for code, serial in zip(d.codes(n), d.serials(n), strict=True)} for n in (36, 9)
    )
    for folder, serials in (("train", train), ("test", test)):
        for code, serial in serials.items():
            for kind, colour in enumerate(colours, start=1):
                d.picture(f"{folder}/{code}{colour}.png", serial, kind)
    sets = [row or ["25"] for row in d.sets(names, 36)]
    d.table("train.csv", {key: list(train), target: [" ".join(row) for row in sets]})
    sample = d.sample("sample_submission.csv", key, test, {"Predicted": None}, "0")
    return Facts(
        "multilabel", by_serial(train, map(frozenset, sets)), one_each(test), channels=4, metric="f1_macro",
        answers={"channel_files": colours}, **sample,
    )  # fmt: skip


def channel_folders(d: Download) -> Facts:
    """Three grey files a row, in a folder for each band: bands/nir/<id>.png."""
    key, target = d.word("scene", "patch"), d.word("cover", "class")
    bands = ["nir", "red", "swir"]
    train, test = (
        {code: serial for code, serial in zip(d.codes(n), d.serials(n), strict=True)} for n in (30, 9)
    )
    for part, serials in (("train", train), ("test", test)):
        for code, serial in serials.items():
            for kind, band in enumerate(bands, start=1):
                d.picture(f"{part}/{band}/{code}.png", serial, kind)
    labels = d.labels(["water", "sand"], 30)
    d.table("train.csv", {key: list(train), target: labels})
    sample = d.sample("sample_submission.csv", key, test, {target: None}, "sand")
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), channels=3,
        answers={"channel_files": bands}, **sample,
    )  # fmt: skip


def paths_in_cells(d: Download) -> Facts:
    """The id column holds paths below the download, and train and test call their files alike."""
    key, target = d.word("filepath", "image", "path"), d.word("part", "defect")
    train = d.pictures("{}", [f"steel/train/{n}.jpg" for n in range(30)])
    test = d.pictures("{}", [f"steel/test/{n}.jpg" for n in range(9)])
    labels = d.labels(["scratch", "pit"], 30)
    d.table("train.csv", {key: list(train), target: labels})
    sample = d.sample("sample_submission.csv", key, test, {target: None}, "pit")
    return Facts("multiclass", by_serial(train, labels), one_each(test), **sample)


def same_numbers_in_train_and_test(d: Download) -> Facts:
    """1.jpg to 30.jpg in train, 1.jpg to 9.jpg in test; ids of both overlap and mean different pictures."""
    key, target = d.word("id", "n"), d.word("label", "sign")
    train = d.pictures("train/{}.jpg", [str(n) for n in range(1, 31)])
    test = d.pictures("test/{}.jpg", [str(n) for n in range(1, 10)])
    labels = d.labels(["stop", "yield", "turn"], 30)
    d.table("train.csv", {key: list(train), target: labels})
    sample = d.sample("sample_submission.csv", key, test, {target: None}, "stop")
    return Facts("multiclass", by_serial(train, labels), one_each(test), **sample)


FOLDERS = (
    class_folders_and_file_names, class_folders_alone, class_in_file_name, table_in_a_folder_of_its_name,
    nested_by_a_column, nested_by_prefix, nested_anyhow, channel_suffixes, channel_folders, paths_in_cells,
    same_numbers_in_train_and_test,

)  # fmt: skip
