"""Downloads whose difficulty lies in how ids and class names are written."""

from .material import Download, Facts, by_serial, one_each

LEAF = ["rust", "scab", "healthy"]


def plain_stems(d: Download) -> Facts:
    """String classes; ids without extension; no file is called train or test."""
    key, target = d.word("specimen", "plate", "Id"), d.word("blight", "Finding", "y")
    train = d.pictures("plates/{}.jpg", d.codes(30))
    test = d.pictures("unseen/{}.jpg", d.codes(9))
    labels = d.labels(LEAF, 30)
    d.table("observations.csv", {key: list(train), target: labels}, extras=True)
    sample = d.sample("how_to_answer.csv", key, test, {target: None}, "healthy")
    return Facts("multiclass", by_serial(train, labels), one_each(test), **sample)


def ids_with_extension(d: Download) -> Facts:
    """The ids are file names; extensions in capitals."""
    key, target = d.word("file", "image_name", "Scan"), d.word("species", "whale", "taxon")
    suffix = d.word(".JPG", ".PNG", ".jpeg")
    train = d.pictures("photos_train/{}", [f"{code}{suffix}" for code in d.codes(30)])
    test = d.pictures("photos_test/{}", [f"{code}{suffix}" for code in d.codes(9)])
    labels = d.labels(["orca", "minke", "sei"], 30)
    d.table("train.csv", {key: list(train), target: labels}, extras=True)
    sample = d.sample("sample_submission.csv", key, test, {target: None}, "orca")
    return Facts("multiclass", by_serial(train, labels), one_each(test), **sample)


def numbers_and_prob_columns(d: Download) -> Facts:
    """Class numbers in the table, `prob_3` in the sample, whose order is another one."""
    key, target = d.word("img", "frame", "name"), d.word("state", "activity", "cls")
    head = d.word("prob_", "c", "p.")
    train = d.pictures("imgs/{}.jpg", d.codes(32))
    test = d.pictures("imgs_test/{}.jpg", d.codes(9))
    labels = d.labels(["0", "1", "2", "3"], 32)
    d.table("labels.csv", {key: list(train), target: labels}, extras=True)
    sample = d.sample(
        "sample_submission.csv", key, test, {f"{head}{name}": name for name in ("3", "1", "0", "2")}, 0.25
    )
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), metric="log_loss",
        answers={"submission_names": {name: f"{head}{name}" for name in "0123"}}, **sample,
    )  # fmt: skip


def names_and_numbered_labels(d: Download) -> Facts:
    """Names in the training table, their numbers asked for; a further table tells which is which."""
    key, target = d.word("photo", "item", "pic"), d.word("breed", "category_name", "kind")
    numbers = {"collie": "2", "boxer": "0", "akita": "1"}
    train, test = d.pictures("train/{}.png", d.codes(30)), d.pictures("test/{}.png", d.codes(9))
    labels = d.labels(list(numbers), 30)
    d.table("train.csv", {key: list(train), target: labels})
    d.table("breeds.csv", {"number": list(numbers.values()), "meaning": list(numbers)}, shuffle=False)
    sample = d.sample("sample_submission.csv", key, test, {"answer": None}, 0)
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), written=numbers,
        answers={"submission_names": numbers}, **sample,
    )  # fmt: skip


def padded_ids(d: Download) -> Facts:
    """Ids with leading zeros, integer targets, and a description of each class."""
    key, target = d.word("id", "Number", "doc"), d.word("diagnosis_code", "grade", "label")
    train = d.pictures("train/{}.png", [f"{n:06d}" for n in range(30)])
    test = d.pictures("test/{}.png", [f"{n:06d}" for n in range(30, 39)])
    labels = d.labels(["0", "4", "7"], 30)
    d.table("train.csv", {key: list(train), target: labels})
    d.table("code_names.csv", {"code": ["0", "4", "7"], "description": ["none", "mild", "strong"]})
    sample = d.sample("sample_submission.csv", key, test, {target: None}, 0)
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), answers={"task": "multiclass"}, **sample
    )


def integers_for_padded_files(d: Download) -> Facts:
    """The table says 7 and the file is 000007.jpg; the sample says 31."""
    key, target = d.word("num", "picture_no", "Id"), d.word("genus", "type", "answer")
    train = d.pictures("fungi/{}.jpg", [f"{n:06d}" for n in range(1, 31)])
    test = d.pictures("fungi_test/{}.jpg", [f"{n:06d}" for n in range(995, 1004)])
    labels = d.labels(["amanita", "boletus", "russula"], 30)
    d.table("train.csv", {key: [int(n) for n in train], target: labels}, extras=True)
    tests = {str(int(name)): serial for name, serial in test.items()}
    sample = d.sample("sample_submission.csv", key, tests, {target: None}, "amanita")
    return Facts("multiclass", by_serial(train, labels), one_each(tests), **sample)


def ids_with_dots(d: Download) -> Facts:
    """Dots inside ids, of which one looks like an extension; tif files."""
    key, target = d.word("slide", "sample", "identifier"), d.word("tissue", "type", "organ")
    train = d.pictures("slides/{}.tif", [f"s.{n}.v1.jpg" if n % 5 == 0 else f"s.{n}.v2" for n in range(30)])
    test = d.pictures("slides_b/{}.tif", [f"s.{n}.v1" for n in range(30, 39)])
    labels = d.labels(["gland", "stroma"], 30)
    d.table("slides.csv", {key: list(train), target: labels})
    sample = d.sample("submission_format.csv", key, test, {target: None}, "gland")
    return Facts("multiclass", by_serial(train, labels), one_each(test), **sample)


def semicolons_and_byte_order_mark(d: Download) -> Facts:
    """A table from Windows: ; between cells, byte-order mark, CRLF, classes outside ASCII."""
    key, target = d.word("Bild", "Foto", "nom"), d.word("Gewässer", "Größe", "étiquette")
    names = ["Fluß", "Küste", "лес"]
    train, test = d.pictures("bilder/{}.png", d.codes(30)), d.pictures("bilder_test/{}.png", d.codes(9))
    labels, windows = d.labels(names, 30), {"encoding": "utf-8-sig", "newline": "\r\n"}
    d.table("liste.csv", {key: list(train), target: labels}, sep=";", **windows)
    sample = d.sample("abgabe.csv", key, test, {target: None}, "Fluß", **windows)
    return Facts("multiclass", by_serial(train, labels), one_each(test), **sample)


def lists_without_header(d: Download) -> Facts:
    """`train_list.txt`: a path and a class number a line, a space between; the test list has paths alone."""
    train = d.pictures("img/{}", [f"a/{code}.jpg" for code in d.codes(30)])
    test = d.pictures("img/{}", [f"b/{code}.jpg" for code in d.codes(9)])
    labels = d.labels(["1", "2", "3"], 30)
    sep = d.word(" ", "\t")
    d.table("train_list.txt", {"0": list(train), "1": labels}, sep=sep, header=False)
    d.table("test_list.txt", {"0": list(test)}, header=False)
    return Facts("multiclass", by_serial(train, labels), one_each(test), answers={"task": "multiclass"})


def sample_calls_ids_otherwise(d: Download) -> Facts:
    """Three names for the same: image in train, photo_id in the test table, Id in the sample."""
    names = [d.word("image", "uuid"), d.word("photo_id", "filename"), d.word("Id", "row")]
    train, test = d.pictures("train/{}.jpg", d.codes(30)), d.pictures("test/{}.jpg", d.codes(9))
    labels, target = d.labels(LEAF, 30), d.word("category", "Label")
    d.table("train.csv", {names[0]: list(train), target: labels})
    d.table("test.csv", {names[1]: list(test)})
    sample = d.sample("sample_submission.csv", names[2], test, {"Category": None}, "scab")
    return Facts("multiclass", by_serial(train, labels), one_each(test), **sample)


TABLES = (
    plain_stems, ids_with_extension,
    numbers_and_prob_columns, names_and_numbered_labels, padded_ids, integers_for_padded_files,
    ids_with_dots,
    semicolons_and_byte_order_mark, lists_without_header, sample_calls_ids_otherwise,

)  # fmt: skip
