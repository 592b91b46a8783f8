"""Odd files and odd tables: each is found, or refused with a message, or simply inspected; never a crash."""

import io
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from compkit.competition import Folds
from compkit.findings import Status
from compkit.inspection import inspect
from compkit.inspection.page import inspection_page, inspection_record, pictures_section
from compkit.inspection.summary import class_finding, file_findings, fold_findings
from compkit.pictures import measure_pictures
from compkit.types import Table, Task

from ..pictures.test_measure import table_of
from .planted import healthy, plan_of, scene, write

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
        [told] = [one for one in found.findings if one.check == "folds" and "classes" in one.message]
        assert "whale (1 in all; fold" in told.message and "no training rows" in told.message, told
        # of two folds one must lack a single whale; but somebody has chosen what validates alone
        assert told.status == (Status.WARN if overrides == keys else Status.INFO)


def table_of_labels(targets):
    ids = np.arange(len(targets)).astype(str)
    return Table(ids, np.zeros((len(targets), 1), "S1"), targets, pd.DataFrame(index=range(len(targets))))


def test_classes_that_folds_lack_are_one_finding():
    """Forty classes of two rows in five folds, as a long tail has; then with a class that could be in all of them."""
    targets = np.arange(80) % 40
    table, names = table_of_labels(targets), [f"k{number}" for number in range(41)]
    folds = Folds(table.ids, np.arange(80) * 5 // 80, None, "predefined")
    [told] = fold_findings(folds, table, Task.MULTICLASS, names)
    assert told.status == Status.INFO and told.value == 40 and "k0 (2 in all; fold 1, 3, 4)" in told.message
    table = replace(table, targets=np.where(folds.fold == 2, 40, targets))
    [told] = fold_findings(folds, table, Task.MULTICLASS, names)
    assert told.status == Status.WARN and told.remedy
    assert "17 classes have no training rows in some fold: k40 (16 in all; fold 2), k0" in told.message
    sizes, told = fold_findings(
        Folds(table.ids, np.arange(80) // 60, None, "predefined"), table, Task.MULTICLASS, names
    )
    assert sizes.status == Status.WARN and "differ in size" in sizes.message and told.status == Status.WARN


def test_labels_that_no_row_has():
    finding = class_finding(table_of_labels(np.zeros((5, 2), np.float32)), Task.MULTILABEL, ("a", "b"))
    assert finding.status == Status.INFO and "any of the 2 labels" in finding.message


def test_a_training_set_of_which_nothing_can_be_read_is_refused(tmp_path):
    contest = healthy(rows=24, test=4)
    write(contest, tmp_path)
    for path in (tmp_path / "train").iterdir():
        path.write_bytes(b"<html>404</html>")
    with pytest.raises(ValueError, match=r"24 of 24 train.*competition.train_images=.*id") as refused:
        inspect(plan_of(tmp_path, "folds=2"), None, threads=1)
    assert contest.names[0] in str(refused.value) and "not an image" in str(refused.value)


def test_a_test_set_of_which_nothing_can_be_read_has_no_statistics(tmp_path):
    write(healthy(rows=24, test=4), tmp_path)
    for path in (tmp_path / "test").iterdir():
        path.write_bytes(b"")
    plan = plan_of(tmp_path, "folds=2")
    found = inspect(plan, None, threads=1)
    statistics = pictures_section(found).tables[0]
    assert {len(row) for row in statistics.rows} == {len(statistics.columns)} == {4}
    assert inspection_page(found, plan.competition)


def test_most_pictures_of_one_colour_are_not_to_be_dropped(tmp_path):
    grey, lit = np.full((9, 9, 3), 50, np.uint8), scene(RNG, 0)
    for pictures, drop in (([grey, lit, lit], True), ([grey, grey, lit], False)):
        table = table_of(tmp_path, pictures)
        [told] = [
            one
            for one in file_findings(measure_pictures(table, 3), table.ids, "train", "error")
            if "empty" in one.check
        ]
        assert told.status == Status.WARN and ("drop such" in told.remedy) == drop


def test_without_validation_no_folds_are_judged(tmp_path):
    write(healthy(rows=24, test=4), tmp_path)
    found = inspect(plan_of(tmp_path, "full_data=true", "folds=80"), None, threads=1)
    status = {one.check: one.status for one in found.findings}
    assert status["folds"] == status["duplicates across folds"] == Status.SKIP


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
