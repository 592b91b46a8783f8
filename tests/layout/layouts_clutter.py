"""Downloads in which more lies than is needed, or less, or in unusual files."""

import zipfile

import cv2
import numpy as np

from .material import DECOY, PICTURE, Download, Facts, by_serial, draw, one_each


def paths_of_another_machine(d: Download) -> Facts:
    """A column of absolute paths from the organisers' disk, beside the ids that do name the files."""
    key, target = d.word("image_id", "scan"), d.word("condition", "label")
    train, test = d.pictures("train/{}.png", d.codes(30)), d.pictures("test/{}.png", d.codes(9))
    labels = d.labels(["dry", "wet"], 30)
    paths = [f"/mnt/nas7/export/{n}/{code}.dcm" for n, code in enumerate(train)]
    d.table("train.csv", {"path": paths, key: list(train), target: labels})
    sample = d.sample("sample_submission.csv", key, test, {target: None}, "dry")
    return Facts("multiclass", by_serial(train, labels), one_each(test), **sample)


def clutter(d: Download) -> Facts:
    """Thumbnails, the same pictures as dicom and tfrec, masks, and what operating systems leave behind."""
    key, target = d.word("image_name", "lesion"), d.word("target", "malignant")
    train, test = d.pictures("jpeg/train/{}.jpg", d.codes(30)), d.pictures("jpeg/test/{}.jpg", d.codes(9))
    for part, serials in (("train", train), ("test", test)):
        for code, serial in serials.items():
            d.picture(f"thumbnails/{part}/{code}.jpg", serial, DECOY, side=16)
            d.picture(f"__MACOSX/jpeg/{part}/._{code}.jpg", serial, DECOY, side=16)
            (d.root / part).mkdir(exist_ok=True)
            (d.root / part / f"{code}.dcm").write_bytes(b"\0" * 128 + b"DICM")
    for code, serial in train.items():
        d.picture(f"masks/{code}.png", serial, DECOY)
    (d.root / "tfrecords").mkdir()
    (d.root / "tfrecords" / "train00-30.tfrec").write_bytes(b"\1" * 64)
    (d.root / "jpeg" / "train" / "Thumbs.db").write_bytes(b"\1" * 64)
    (d.root / ".DS_Store").write_bytes(b"\1" * 64)
    labels = d.labels(["0", "1"], 30)
    d.table("train.csv", {key: list(train), target: labels})
    d.table("test.csv", {key: list(test)})
    sample = d.sample("sample_submission.csv", key, test, {target: "1"}, 0)
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), metric="auc",
        answers={"task": "multiclass"}, **sample,
    )  # fmt: skip


def two_sizes(d: Download) -> Facts:
    """images_16/ and images_32/ hold the same pictures: the larger ones are meant."""
    key, target = d.word("uid", "drawing"), d.word("artist", "style")
    names = [f"images_{size}" for size in (32, 16)] if d.seed % 2 == 0 else ["small_is_b", "small"]
    train, test = (
        d.pictures(f"{names[0]}/{{}}.png", d.codes(30)),
        d.pictures(f"{names[0]}/{{}}.png", d.codes(9)),
    )
    for code, serial in (train | test).items():
        d.picture(f"{names[1]}/{code}.png", serial, DECOY, side=16)
    labels = d.labels(["ink", "oil"], 30)
    d.table("train.csv", {key: list(train), target: labels})
    sample = d.sample("sample_submission.csv", key, test, {target: None}, "oil")
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test),
        answers={
            "train_images": f"{names[0]}/{{id}}.png", "test_images": f"{names[0]}/{{id}}.png"
        }, **sample,
    )  # fmt: skip


def deep_grey(d: Download) -> Facts:
    """16-bit grey PNG files."""
    key, target = d.word("uid", "film"), d.word("side", "view")
    train = d.pictures("train/{}.png", d.codes(30), deep=True)
    test = d.pictures("test/{}.png", d.codes(9), deep=True)
    labels = d.labels(["left", "right"], 30)
    d.table("train.csv", {key: list(train), target: labels})
    sample = d.sample("sample_submission.csv", key, test, {target: None}, "left")
    return Facts("multiclass", by_serial(train, labels), one_each(test), **sample)


def arrays_of_four_bands(d: Download) -> Facts:
    """NumPy files [H, W, 4]."""
    key, target = d.word("uid", "chip"), d.word("needle", "label")
    train, test = d.pictures("train/{}.npy", d.codes(30)), d.pictures("test/{}.npy", d.codes(9))
    labels = d.labels(["0", "1"], 30)
    d.table("train_labels.csv", {key: list(train), target: labels})
    sample = d.sample("sample_submission.csv", key, test, {target: "1"}, 0.5)
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), metric="auc",
        answers={"task": "multiclass"}, **sample,
    )  # fmt: skip


def not_unpacked(d: Download) -> Facts:
    """Pictures lie in train.zip and test.zip beside the tables."""
    key, target = d.word("id", "stone"), d.word("mineral", "label")
    train, test = (dict(zip(d.codes(n), d.serials(n), strict=True)) for n in (30, 9))
    for part, serials in (("train", train), ("test", test)):
        d.root.mkdir(exist_ok=True)
        with zipfile.ZipFile(d.root / f"{part}.zip", "w") as archive:
            for code, serial in serials.items():
                archive.writestr(f"{part}/{code}.png", _png(serial))
    labels = d.labels(["quartz", "mica"], 30)
    d.table("train.csv", {key: list(train), target: labels})
    sample = d.sample("sample_submission.csv", key, test, {target: None}, "mica")
    return Facts(
        "multiclass", by_serial(train, labels), one_each(test), told=["train.zip", "unpack=true"], **sample
    )


def hidden_test(d: Download) -> Facts:
    """The sample names three of the 41 test pictures."""
    key, target = d.word("id", "recording"), d.word("bird", "label")
    train, test = d.pictures("train/{}.jpg", d.codes(30)), d.pictures("test/{}.jpg", d.codes(41))
    labels = d.labels(["tit", "jay", "owl"], 30)
    d.table("train.csv", {key: list(train), target: labels})
    few = dict(list(test.items())[:3])
    sample = d.sample("sample_submission.csv", key, few, {name: name for name in ("owl", "jay", "tit")}, 0.33)
    return Facts(
        "multiclass",
        by_serial(train, labels),
        one_each(few),
        metric="log_loss",
        told=["41"],
        **sample,
    )


def _png(serial: int) -> bytes:
    return cv2.imencode(".png", np.dstack([draw(serial, PICTURE)] * 3))[1].tobytes()


CLUTTER = (
    paths_of_another_machine, clutter, two_sizes, deep_grey, arrays_of_four_bands, not_unpacked, hidden_test,
)  # fmt: skip
