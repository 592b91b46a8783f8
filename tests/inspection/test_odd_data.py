"""Odd files and odd tables: each is found, or refused with a message, or simply inspected; never a crash."""

import io

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from compkit.findings import Status
from compkit.inspection import inspect
from compkit.inspection.page import inspection_page, inspection_record

from .planted import LOUD, healthy, plan_of, scene, write

RNG = np.random.default_rng(0)


def noise(mode="RGB", side=40):
    """A picture of Pillow's in some mode."""
    channels = {"L": 1, "RGB": 3, "RGBA": 4, "CMYK": 4}[mode]
    values = RNG.integers(0, 256, (side, side, channels), dtype=np.uint8)
    return Image.fromarray(values.squeeze(), mode)


def saved(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def turned():
    exif = Image.Exif()
    exif[274] = 6
    return saved(noise(), "JPEG", exif=exif)


def deep():
    return cv2.imencode(".png", RNG.integers(0, 65536, (40, 40), dtype=np.uint16))[1].tobytes()


ODD = {
    "truncated": (lambda: saved(noise(), "JPEG")[:700], "readable pictures, train", Status.FAIL),
    "empty": (lambda: b"", "readable pictures, train", Status.FAIL),
    "no picture": (lambda: b"<html>404</html>", "readable pictures, train", Status.FAIL),
    "other extension": (lambda: saved(noise(), "PNG"), "kinds of files, train", Status.INFO),
    "CMYK": (lambda: saved(noise("CMYK"), "JPEG"), "kinds of files, train", Status.INFO),
    "16 bits": (deep, "depth of pictures, train", Status.WARN),
    "palette": (lambda: saved(noise().convert("P"), "PNG"), "kinds of files, train", Status.INFO),
    "turned": (turned, "orientation and transparency, train", Status.INFO),
    "transparent": (lambda: saved(noise("RGBA"), "PNG"), "orientation and transparency, train", Status.INFO),
    "animated": (
        lambda: saved(noise(), "WEBP", save_all=True, append_images=[noise(), noise()]),
        "kinds of files, train",
        Status.INFO,
    ),
    "animated PNG": (
        lambda: saved(noise(), "PNG", save_all=True, append_images=[noise()]),
        "kinds of files, train",
        Status.INFO,
    ),
    "one colour": (
        lambda: saved(Image.new("RGB", (40, 40), (9, 9, 9)), "PNG"),
        "empty pictures, train",
        Status.WARN,
    ),
}


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_file_is_told_by_its_id(tmp_path, kind):
    make, check, status = ODD[kind]
    contest = healthy(rows=24, test=4)
    write(contest, tmp_path)
    (tmp_path / "train" / f"{contest.names[7]}.jpg").write_bytes(make())
    found = inspect(plan_of(tmp_path, "folds=2"), None, threads=1)
    [finding] = [one for one in found.findings if one.check == check]
    assert finding.status == status and contest.names[7] in finding.message, finding.message


@pytest.mark.parametrize(
    "change, message",
    [
        (
            lambda frame: frame.assign(id=frame["id"].where(frame.index > 0, frame["id"][1])),
            "occur more than once",
        ),
        (lambda frame: frame.assign(label=frame["label"].where(frame.index > 0, "")), "have no label"),
        (lambda frame: frame.assign(label="cat"), "only 1 classes"),
        (lambda frame: frame.assign(id=frame["id"].where(frame.index > 0, "nowhere")), "nowhere"),
    ],
)
def test_broken_tables_are_refused(tmp_path, change, message):
    write(healthy(rows=24, test=4), tmp_path)
    frame = pd.read_csv(tmp_path / "train.csv", dtype=str)
    change(frame).to_csv(tmp_path / "train.csv", index=False)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        inspect(plan_of(tmp_path, "folds=2"), None, threads=1)


def test_a_class_of_one_picture_and_a_class_that_only_validates(tmp_path):
    write(healthy(rows=24, test=4), tmp_path)
    frame = pd.read_csv(tmp_path / "train.csv", dtype=str)
    frame.loc[0, "label"], frame["part"] = "whale", ["val"] * 8 + ["train"] * 16
    frame.to_csv(tmp_path / "train.csv", index=False)
    keys = ("competition.fold_column=part", "competition.validation_folds=[val]")
    for overrides in (("folds=2",), keys):
        found = inspect(plan_of(tmp_path, *overrides), None, threads=1)
        told = [one.message for one in found.findings if one.check == "folds" and one.status in LOUD]
        assert any("whale" in message and "no training rows" in message for message in told), told


def many_classes(rows):
    return {"label": [f"class {row % (rows // 3)}" for row in range(rows)]}, ("task=multiclass",)


def labels(rows):
    return {"label": [f"a{row % 3} b{row % 2}" for row in range(rows)]}, ("task=multilabel",)


def numbers(rows):
    return {"label": RNG.normal(size=rows)}, ("task=regression",)


@pytest.mark.parametrize("columns", [many_classes, labels, numbers])
@pytest.mark.parametrize("rows", [10, 60])
def test_any_task_and_few_rows(tmp_path, columns, rows):
    (tmp_path / "train").mkdir()
    for row in range(rows):
        cv2.imwrite(str(tmp_path / "train" / f"{row}.jpg"), scene(RNG, row % 3))
    cells, task = columns(rows)
    pd.DataFrame({"id": range(rows)} | cells).to_csv(tmp_path / "train.csv", index=False)
    plan = plan_of(
        tmp_path, "folds=2", "competition.test_images=null", "competition.sample_submission=null", *task
    )
    found = inspect(plan, None, threads=1)
    page = inspection_page(found, plan.competition)
    assert inspection_record(found, plan.competition)["train_pictures"] == rows and len(page) < 5_000_000
    assert "train against test" in {one.check for one in found.findings if one.status == Status.SKIP}
