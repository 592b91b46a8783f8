"""The parts of detection by themselves: cells to files, cells to labels, tables to parts they play."""

import numpy as np
import pandas as pd
import pytest

from compkit.layout import detect, scan
from compkit.layout.findings import Findings
from compkit.layout.from_paths import class_folders, classes_in_names, merge_parts
from compkit.layout.ids import channels_of, find_patterns
from compkit.layout.labels import is_boxes, is_run_lengths, set_form
from compkit.layout.long_form import split_cells
from compkit.layout.looks import look_at
from compkit.layout.metrics import LIKELY, decide_metric, kind_of, options, tasks_of
from compkit.layout.pictures import Pictures
from compkit.layout.relate import mapped, match_names
from compkit.layout.scan import Folder, Listing
from compkit.layout.tables import Column, Source
from compkit.metrics.metric import OPTIONS
from compkit.types import Task


def pictures_of(*paths):
    folders = {}
    for path in paths:
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, Folder(folder)).pictures.append(name)
    return Pictures(Listing(None, folders))


def column(*cells, name="x"):
    return Column(name, pd.Series(cells))


@pytest.mark.parametrize(
    "cells, files, pattern",
    [
        (["a", "b"], "t/{}.png", "t/{id}.png"),
        (["a.png", "b.png"], "t/{}", "t/{id}"),
        (["t/a.png", "t/b.png"], "{}", "{id}"),
        (["t/a", "t/b"], "{}.JPG", "{id}.JPG"),
        (["x.1", "x.2"], "t/{}.png", "t/{id}.png"),
        (["a", "b"], "t/img_{}_v2.png", "t/img_{id}_v2.png"),
        (["a", "b"], "t/{}/{}.png", "t/{id}/{id}.png"),
        (["a", "b"], "t/{}/scan.png", "t/{id}/scan.png"),
        (["a", "b"], "{}.png", "{id}.png"),
    ],
)
def test_cells_find_their_files(cells, files, pattern):
    pictures = pictures_of(*(files.replace("{}", cell) for cell in cells), "other/zzz.png")
    frame = pd.DataFrame({"uid": cells})
    assert find_patterns(frame, "uid", pictures)[0].text == pattern


def test_numbers_find_padded_files():
    pictures = pictures_of(*(f"t/{number:05d}.png" for number in (7, 12, 117)))
    assert find_patterns(pd.DataFrame({"n": ["7", "12", "117"]}), "n", pictures)[0].text == "t/{id:05}.png"


def test_nothing_is_found_in_numbers_that_only_look_alike():
    pictures = pictures_of(*(f"t/{number}.png" for number in range(100, 140)))
    assert find_patterns(pd.DataFrame({"age": ["1", "0", "13"]}), "age", pictures) == []


def test_several_pictures_a_cell_are_not_taken_for_one():
    pictures = pictures_of("t/a-1.jpg", "t/a-2.jpg", "t/b-1.jpg", "t/c-1.jpg", "t/c-2.jpg")
    (pattern,) = find_patterns(pd.DataFrame({"pet": ["a", "b", "c"]}), "pet", pictures)
    assert pattern.many and pattern.text == "t/{id}-*.jpg"


def test_channels_are_what_differs_in_one_part():
    red_green = pictures_of("t/a_red.png", "t/a_green.png", "t/b_red.png", "t/b_green.png")
    (family,) = channels_of(find_patterns(pd.DataFrame({"uid": ["a", "b"]}), "uid", red_green))
    assert sorted(one.suffix for one in family) == ["_green", "_red"]


def test_the_same_numbers_in_folders_are_told_apart_by_a_column():
    pictures = pictures_of(*(f"v/video_{v}/{n}.png" for v in (3, 4) for n in range(5)))
    frame = pd.DataFrame({"n": [*"01234"] * 2, "video": ["3"] * 5 + ["4"] * 5})
    best = find_patterns(frame, "n", pictures)[0]
    assert best.text == "v/video_{video}/{id}.png" and not best.ambiguous


@pytest.mark.parametrize(
    "cells, separator",
    [
        (["a b", "b", "a", "b c", "c"], " "),
        (["no finding", "mass|nodule", "mass", "nodule"], "|"),
        (["polar bear, cat", "cat", "polar bear"], ", "),
        (["golden retriever", "flat retriever", "pug"], None),
        (["stage 1", "stage 2", "stage 3"], None),
        (["a", "b"], None),
        (["1", "2"], None),
    ],
)
def test_sets_of_names_and_names_of_several_words(cells, separator):
    form = set_form(column(*cells * 3))
    assert (form.separator if form else None) == separator


def test_colours_times_shapes_could_be_either():
    cells = [f"{colour} {shape}" for colour in ("red", "blue", "green") for shape in ("disc", "box", "ring")]
    form = set_form(column(*cells))
    assert form is not None and not form.is_sure


def test_the_sample_settles_what_names_are():
    cells = ["red disc", "red box", "blue disc", "blue box"]
    assert set_form(column(*cells), wanted=cells) is None
    assert set_form(column(*cells), wanted=["red", "blue", "disc", "box"]).is_sure


def test_masks_and_boxes_are_recognised():
    assert is_run_lengths(column("1 3 10 5", "4 4 9 1", "")) and not is_run_lengths(column("3 1 2", "7"))
    assert is_boxes(column("1 0.5 3 4 5 6", "2 0.7 1 2 3 4")) and not is_boxes(column("a", "b"))


@pytest.mark.parametrize("joint", ["_", "__", "-", "|"])
@pytest.mark.parametrize("is_reversed", [False, True])
def test_ids_and_classes_come_apart(joint, is_reversed):
    pairs = [(f"im{joint}{n}", name) for n in range(4) for name in ("any", "epidural")]
    cells = pd.Series(
        [f"{name}{joint}{id_}" if is_reversed else f"{id_}{joint}{name}" for id_, name in pairs]
    )
    form = split_cells(cells, {id_ for id_, _ in pairs}.__contains__)
    assert form.classes == ["any", "epidural"] and form.ids.to_list() == [id_ for id_, _ in pairs]


def test_plain_ids_are_not_taken_apart():
    ids = pd.Series([f"{patient}_{view}" for patient in range(5) for view in ("a", "b")])
    assert split_cells(ids, lambda text: False) is None


def test_names_of_the_sample_are_matched():
    assert match_names(["0", "1", "10"], ["c_10", "c_0", "c_1"]) == {"0": "c_0", "1": "c_1", "10": "c_10"}
    assert match_names(["cat", "dog"], ["cat", "bird"]) is None
    table = Source("names.csv", pd.DataFrame({"n": ["0", "1"], "word": ["cat", "dog"]}))
    assert mapped(["0", "1"], ["cat", "bird"], [table]) is None


def test_val_beside_train_is_official():
    folders = [f"data/{part}/{kind}/1.png" for part in ("train", "valid", "test") for kind in ("cat", "dog")]
    train, tests = merge_parts(class_folders(pictures_of(*folders)))
    assert train.train_images == "data/{part}/{label}/{id}" and train.parts == ("train", "valid")
    assert tests.folder == "data/test"


def test_train_and_test_in_names_are_no_classes():
    names = [f"pics/{part}_{n}.png" for part in ("train", "test") for n in range(9)]
    assert classes_in_names(pictures_of(*names), ()) == []


def test_looks_of_damaged_pictures(tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "b.npy").write_bytes(b"x")
    assert look_at(tmp_path, ["a.png", "b.npy", "c.png"]) is None
    np.save(tmp_path / "d.npy", np.zeros((4, 5, 6), np.uint16))
    assert look_at(tmp_path, ["d.npy"])[:4] == (4, 5, 6, 16)


def test_links_in_a_circle_end(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.png").touch()
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    assert sum(len(folder.pictures) for folder in scan(tmp_path).folders.values()) == 1


def test_likely_metrics_exist_and_measure_the_task():
    for task, named in LIKELY.items():
        assert set(named) <= set(options(task)) <= set(OPTIONS[task].split(", "))
    assert kind_of("log_loss") == "probabilities" and kind_of("rmse") == "values"


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: tasks_of("accuracyy"), "no such metric"),
        (
            lambda: decide_metric(Task.REGRESSION, "rmse", "auc", Findings()),
            "does not measure task=regression",
        ),
        (lambda: detect("/nowhere/at/all"), None),
        (lambda: detect("/", task="guess"), "task=guess"),
    ],
)
def test_mistakes_are_named(call, words):
    with pytest.raises(ValueError if words else FileNotFoundError, match=words or "no such folder"):
        call()
