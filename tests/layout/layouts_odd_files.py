"""Further downloads whose rows and files find each other only with care."""

import numpy as np

from .material import Download, Facts, by_serial, one_each

SAMPLE = "sample_submission.csv"


def prefix_and_suffix(d: Download) -> Facts:
    """Row 7 is `training pictures/img_7_full.jpg`; folders have spaces in their names."""
    key, target = d.word("id", "number"), d.word("label", "kind")
    train = d.pictures("training pictures/img_{}_full.jpg", [str(n) for n in range(30)])
    test = d.pictures("test pictures/img_{}_full.jpg", [str(n) for n in range(30, 39)])
    labels = d.labels(["mug", "jar"], 30)
    d.table("train.csv", {key: list(train), target: labels})
    sample = d.sample(SAMPLE, key, test, {target: None}, "jar")
    return Facts("multiclass", by_serial(train, labels), one_each(test), **sample)


def one_folder_two_prefixes(d: Download) -> Facts:
    """pics/train_7.jpg and pics/test_7.jpg are different pictures; both tables say 7."""
    key, target = d.word("id", "no"), d.word("label", "kind")
    first, second = d.word("train_ test_", "learn- ask-").split()
    train = d.pictures(f"pics/{first}{{}}.jpg", [str(n) for n in range(1, 31)])
    test = d.pictures(f"pics/{second}{{}}.jpg", [str(n) for n in range(1, 10)])
    labels = d.labels(["mug", "jar"], 30)
    d.table("train.csv", {key: list(train), target: labels})
    sample = d.sample(SAMPLE, key, test, {target: None}, "jar")
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), **sample,
        answers={"train_images": f"pics/{first}{{id}}.jpg", "test_images": f"pics/{second}{{id}}.jpg"},
    )  # fmt: skip


def frames_of_videos(d: Download) -> Facts:
    """The path is put together from two columns: video_3/12.jpg; ids are `3-12`."""
    video, frame, key = d.word("video_id", "clip"), d.word("video_frame", "t"), d.word("image_id", "key")
    target = d.word("behaviour", "label")
    codes = [f"{n // 5}-{10 * (n % 5)}" for n in range(50)]
    files = {code: "video_{}/{}".format(*code.split("-")) for code in codes}
    made = d.pictures("footage/{}.jpg", files.values())
    train, test = ({code: made[files[code]] for code in part} for part in (codes[:40], codes[40:]))
    labels = d.labels(["swim", "rest"], 40)
    parts = [[code.split("-")[k] for code in codes] for k in (0, 1)]
    d.table("train.csv", {video: parts[0][:40], frame: parts[1][:40], key: list(train), target: labels})
    d.table("test.csv", {video: parts[0][40:], frame: parts[1][40:], key: list(test)})
    sample = d.sample(SAMPLE, key, test, {target: None}, "rest")
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), groups=by_serial(train, parts[0][:40]),
        answers={"group_column": video}, **sample,
    )  # fmt: skip


def endings_in_the_sample(d: Download) -> Facts:
    """Train says k3f9, the sample k3f9.jpg."""
    key, target = d.word("id", "image"), d.word("label", "flower")
    train, test = d.pictures("train/{}.jpg", d.codes(30)), d.pictures("test/{}.jpg", d.codes(9))
    labels = d.labels(["rose", "lily", "iris"], 30)
    d.table("train.csv", {key: list(train), target: labels})
    asked = {f"{code}.jpg": serial for code, serial in test.items()}
    sample = d.sample(SAMPLE, key, asked, {target: None}, "lily")
    return Facts("multiclass", by_serial(train, labels), one_each(test), **sample)


def tables_inside(d: Download) -> Facts:
    """train/labels.csv with train/images/, test/ids.csv with test/images/."""
    key, target = d.word("id", "image"), d.word("label", "flower")
    train, test = d.pictures("train/images/{}.jpg", d.codes(30)), d.pictures("test/images/{}.jpg", d.codes(9))
    labels = d.labels(["rose", "lily"], 30)
    d.table("train/labels.csv", {key: list(train), target: labels})
    d.table("test/ids.csv", {key: list(test)})
    sample = d.sample("submit/example.csv", key, test, {target: None}, "lily")
    return Facts("multiclass", by_serial(train, labels), one_each(test), **sample)


def column_of_row_numbers(d: Download) -> Facts:
    """What pandas writes with its index: a first column without name, here and in the test table."""
    key, target = d.word("photo", "img"), d.word("label", "bird")
    train = d.pictures("train/{}", [f"{c}.png" for c in d.codes(30)])
    test = d.pictures("test/{}", [f"{c}.png" for c in d.codes(9)])
    labels = d.labels(["tit", "jay"], 30)
    d.table("train.csv", {"": range(30), key: list(train), target: labels}, shuffle=False)
    d.table("test.csv", {"": range(9), key: list(test)}, shuffle=False)
    sample = d.sample(SAMPLE, key, test, {target: None}, "jay")
    return Facts("multiclass", by_serial(train, labels), one_each(test), **sample)


def equal_twins(d: Download) -> Facts:
    """Two folders of equal pictures under the same names, say before and after registration: which one is a question."""
    key, target = d.word("id", "scan"), d.word("label", "state")
    names = ["view_a", "view_b"]
    codes, tests = d.codes(30), d.codes(9)
    train, test = d.pictures("view_a/{}.png", codes), d.pictures("view_a/{}.png", tests)
    for code, serial in (train | test).items():
        d.picture(f"view_b/{code}.png", serial)
    labels = d.labels(["open", "shut"], 30)
    d.table("train.csv", {key: list(train), target: labels})
    sample = d.sample(SAMPLE, key, test, {target: None}, "shut")
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), must_ask=[("train_images", "channel_files")],
        answers={
            "train_images": f"{names[0]}/{{id}}.png", "test_images": f"{names[0]}/{{id}}.png",
            "channel_files": None, "channels": 3,
        }, **sample,
    )  # fmt: skip


def two_pictures_a_row(d: Download) -> Facts:
    """A front and a side picture a row, in two columns: using one alone must not happen silently."""
    key, target = d.word("id", "car"), d.word("label", "damage")
    names = d.codes(39)
    front = d.pictures("photos/{}_f.jpg", names)
    d.pictures("photos/{}_s.jpg", names)
    columns = {
        key: range(39),
        "front_photo": [f"{n}_f.jpg" for n in names],
        "side_photo": [f"{n}_s.jpg" for n in names],
    }
    labels = d.labels(["dent", "none"], 30)
    d.table("train.csv", {name: list(cells)[:30] for name, cells in columns.items()} | {target: labels})
    d.table("test.csv", {name: list(cells)[30:] for name, cells in columns.items()})
    sample = d.sample(SAMPLE, key, [str(n) for n in range(30, 39)], {target: None}, "none")
    serials = dict(list(front.items())[:30])
    return Facts(None, by_serial(serials, labels), told=["front_photo", "side_photo"], **sample)


def archives_beside_their_files(d: Download) -> Facts:
    """train.zip is still there though it has been unpacked."""
    key, target = d.word("id", "image"), d.word("label", "flower")
    train, test = d.pictures("train/{}.jpg", d.codes(30)), d.pictures("test/{}.jpg", d.codes(9))
    (d.root / "train.zip").write_bytes(b"PK\5\6" + b"\0" * 18)
    labels = d.labels(["rose", "lily"], 30)
    d.table("train.csv", {key: list(train), target: labels})
    sample = d.sample(SAMPLE, key, test, {target: None}, "lily")
    return Facts("multiclass", by_serial(train, labels), one_each(test), **sample)


def other_case(d: Download) -> Facts:
    """The table says AB12, the files ab12.jpg: no key spells that, so it has to be said."""
    key, target = d.word("id", "image"), d.word("label", "flower")
    train, test = d.pictures("train/{}.jpg", d.codes(30)), d.pictures("test/{}.jpg", d.codes(9))
    d.table("train.csv", {key: [code.upper() for code in train], target: d.labels(["rose", "lily"], 30)})
    sample = d.sample(SAMPLE, key, [code.upper() for code in test], {target: None}, "lily")
    return Facts(None, **sample)


def folders_of_numbers(d: Download) -> Facts:
    """Class folders 0, 1, 2 below another folder; the sample wants numbers, ids are paths."""
    labels = d.labels(["0", "1", "2"], 30)
    paths = [f"{label}/{code}" for label, code in zip(labels, d.codes(30), strict=True)]
    train, test = d.pictures("digits/learn/{}.png", paths), d.pictures("digits/guess/{}.png", d.codes(9))
    asked = {f"{code}.png": serial for code, serial in test.items()}
    sample = d.sample("answer.csv", d.word("file", "id"), asked, {d.word("digit", "class"): None}, 0)
    return Facts(
        "multiclass", by_serial(train, labels), one_each(asked), answers={"task": "multiclass"}, **sample
    )


def patients_and_studies(d: Download) -> Facts:
    """Studies within patients: what must not be torn apart is the patient."""
    key, target = d.word("image", "film"), d.word("finding", "label")
    person, study = d.word("patient", "mrn"), d.word("study", "exam")
    train, test = d.pictures("train/{}.png", d.codes(48)), d.pictures("test/{}.png", d.codes(12))
    labels = d.labels(["yes", "no"], 48)
    people, studies = [f"P{n // 6}" for n in range(60)], [f"S{n // 2}" for n in range(60)]
    d.table("train.csv", {key: list(train), person: people[:48], study: studies[:48], target: labels})
    d.table("test.csv", {key: list(test), person: people[48:], study: studies[48:]})
    sample = d.sample(SAMPLE, key, test, {target: None}, "no")
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), groups=by_serial(train, people[:48]),
        answers={"group_column": person}, **sample,
    )  # fmt: skip


def breasts_of_patients(d: Download) -> Facts:
    """Asked for is patient_side, a column of the test table alone; train has both parts in two columns."""
    sides = [(f"{n:03d}", side) for n in range(20) for side in "LR"]
    rows = [(one, side, f"{one}{side}{k}") for one, side in sides for k in range(2)]
    d.pictures("train/{}.png", [name for _, _, name in rows[:60]])
    d.pictures("test/{}.png", [name for _, _, name in rows[60:]])
    answer = dict(zip(sides, d.rng.integers(0, 2, 40), strict=True))
    columns = dict(zip(("patient_id", "laterality", "image_id"), zip(*rows, strict=True), strict=True))
    first = {name: cells[:60] for name, cells in columns.items()}
    d.table("train.csv", first | {"cancer": [answer[row[:2]] for row in rows[:60]]})
    whole = [f"{one}_{side}" for one, side, _ in rows[60:]]
    d.table("test.csv", {name: cells[60:] for name, cells in columns.items()} | {"prediction_id": whole})
    sample = d.sample(SAMPLE, "prediction_id", np.unique(whole).tolist(), {"cancer": "1"}, 0.02)
    return Facts(None, told=["prediction_id"], metric="auc", **sample)


ODD_FILES = (
    prefix_and_suffix, one_folder_two_prefixes, frames_of_videos, endings_in_the_sample, tables_inside,
    column_of_row_numbers, equal_twins, two_pictures_a_row, archives_beside_their_files, other_case,
    folders_of_numbers, patients_and_studies, breasts_of_patients,
)  # fmt: skip
