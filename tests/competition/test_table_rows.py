"""Competitions of every layout, read: ids, targets, subjects and files as they were laid out."""

import json
import os

import numpy as np
import pytest

from compkit.competition import Competition


@pytest.fixture
def lay(tmp_path):
    """Make files: texts by name, and empty pictures by name alone."""

    def call(*pictures, **tables):
        for name in pictures:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        for name, text in tables.items():
            (tmp_path / name.replace("__", ".")).write_text(text)
        return tmp_path

    return call


def make(folder, task="multiclass", **keys):
    return Competition("pets", folder, task, **keys)


def names_of(table, folder):
    return [os.path.relpath(os.fsdecode(file), folder) for file in table.files[:, 0]]


IMAGES = [f"train/{number}.png" for number in ("01", "02", "03")]


def test_one_table_holds_train_and_test(lay):
    table = "id,split,label\n03,test,\n01,train,a\n02,val,b\n"
    folder = lay(*IMAGES, all__csv=table)
    keys = {"train_table": "all.csv", "test_table": "all.csv", "test_images": "train/{id}.png"}
    keys |= {"train_rows": {"split": ["train", "val"]}, "test_rows": {"split": ["test"]}}
    keys |= {"fold_column": "split", "validation_folds": ["val"]}
    pets = make(folder, **keys)
    train = pets.read_train()
    assert train.ids.tolist() == ["01", "02"] and train.frame["split"].tolist() == ["-1", "0"]
    assert pets.read_test().ids.tolist() == ["03"] and train.frame.index.tolist() == [0, 1]


def test_validation_folds_keep_their_order_and_must_be_there(lay):
    folder = lay(*IMAGES, train__csv="id,part,label\n01,b,x\n02,a,y\n03,c,x\n")
    table = make(folder, fold_column="part", validation_folds=["b", "a"]).read_train()
    assert table.frame["part"].tolist() == ["0", "1", "-1"]
    with pytest.raises(
        ValueError, match=r"no row has 'val' in column 'part'; it has 'a', 'b', 'c'.*validation_folds"
    ):
        make(folder, fold_column="part", validation_folds=["val"]).read_train()


def test_table_without_header(lay):
    folder = lay(*IMAGES, list__txt="01.png 0\n02.png 1\n")
    pets = make(
        folder, train_table="list.txt", header=False, id_column=0, target_column=1, train_images="train/{id}"
    )
    assert pets.read_train().ids.tolist() == ["01.png", "02.png"]
    folder = lay(list__txt="01.png,\n,x\n")
    with pytest.raises(ValueError, match=r"1 rows have no id in column '0', first in line 2;"):
        make(folder, train_table="list.txt", header=False, id_column=0, target_column=1).read_train()


def test_columns_come_from_joined_tables(lay):
    labels = json.dumps({"01": "x", "02": "y", "03": "x"})
    folder = lay(
        *IMAGES,
        train__csv="image,patient\n03,p\n01,q\n02,q\n",
        labels__json=labels,
        p__tsv="who\tsite\np\ts\nq\tt\n",
    )
    (folder / "train.csv").write_text("id,who\n03,p\n01,q\n02,q\n")
    pets = make(folder, train_join={"labels.json": "id", "p.tsv": "who"}, group_column="site")
    table = pets.read_train()
    assert table.targets.tolist() == [0, 0, 1] and table.frame["site"].tolist() == ["s", "t", "t"]


def test_rows_may_be_chosen_by_a_joined_column(lay):
    folder = lay(*IMAGES, train__csv="id,label\n01,x\n02,y\n03,z\n", parts__csv="id,part\n01,a\n02,a\n03,b\n")
    table = make(folder, train_join={"parts.csv": "id"}, train_rows={"part": ["a"]}).read_train()
    assert table.ids.tolist() == ["01", "02"]
    with pytest.raises(ValueError, match=r"column 'parts' not found"):
        make(folder, train_join={"parts.csv": "id"}, train_rows={"parts": ["a"]}).read_train()


def test_joined_table_may_lack_the_rows_that_are_left_out(lay):
    folder = lay(
        *IMAGES, train__csv="id,part,label\n01,a,x\n02,a,y\n03,b,z\n", meta__csv="id,age\n02,5\n01,4\n"
    )
    table = make(folder, train_join={"meta.csv": "id"}, train_rows={"part": ["a"]}).read_train()
    assert table.frame["age"].tolist() == ["4", "5"]


def test_ids_of_each_table_in_their_own_column_and_form(lay):
    folder = lay(
        *IMAGES, train__csv="image,label\ntrain/01.png,x\ntrain/02.png,y\n", test__csv="file\n03.png\n",
        sample_submission__csv="Id,label\n03,x\n",
    )  # fmt: skip
    keys = {"id_column": "image", "train_ids": "train/{id}.png", "test_images": "train/{id}.png"}
    pets = make(folder, **keys, sample_id_column="Id")
    assert pets.read_train().ids.tolist() == ["01", "02"]
    assert pets.read_test().ids.tolist() == ["03"] == pets.read_sample_ids().tolist()
    pets = make(
        folder,
        **keys,
        test_table="test.csv",
        test_id_column="file",
        test_ids="{id}.png",
        sample_id_column="Id",
    )
    assert pets.read_test().ids.tolist() == ["03"]
    with pytest.raises(ValueError, match=r"column 'file' not found.*Set competition\.sample_id_column"):
        make(folder, **keys, test_id_column="file").read_sample_ids()


LONG = "id,value\n01_cat,0\n01_polar_bear,1\n02_cat,1\n02_polar_bear,0\n"


def test_long_table_is_made_wide(lay):
    folder = lay(
        *IMAGES,
        train__csv=LONG,
        sample_submission__csv="id,value\n03_polar_bear,0\n03_cat,0\n01_cat,0\n01_polar_bear,0\n",
    )
    keys = {"train_ids": "{id}_{class}", "sample_ids": "{id}_{class}", "target_column": "value"}
    pets = make(folder, "multilabel", **keys, classes=["polar_bear", "cat"], test_images="train/{id}.png")
    table = pets.read_train()
    assert table.ids.tolist() == ["01", "02"] and table.targets.tolist() == [[1, 0], [0, 1]]
    assert pets.read_test().ids.tolist() == ["03", "01"] == pets.read_sample_ids().tolist()
    assert pets.classes == ("polar_bear", "cat")
    assert make(
        folder, "multiclass", **keys, classes=["polar_bear", "cat"]
    ).read_train().targets.tolist() == [0, 1]


def test_names_of_the_sample_are_those_in_its_ids(lay):
    folder = lay(*IMAGES, sample_submission__csv="id,value\n03_class_0,0\n03_class_1,0\n")
    keys = {"sample_ids": "{id}_{class}", "classes": ["cat", "dog"], "test_images": "train/{id}.png"}
    pets = make(folder, **keys, submission_names={"cat": "class_0", "dog": "class_1"})
    assert pets.read_sample_ids().tolist() == ["03"]


def test_class_in_a_column_of_its_own(lay):
    rows = "id,kind,value,site\n02,b,0.5,s\n01,a,1.5,t\n01,b,2.5,t\n02,a,3,s\n"
    folder = lay(*IMAGES, train__csv=rows, sample_submission__csv="id,kind,value\n03,a,0\n03,b,0\n")
    keys = {
        "class_column": "kind",
        "sample_class_column": "kind",
        "target_column": "value",
        "group_column": "site",
    }
    pets = make(folder, "regression", **keys, test_images="train/{id}.png")
    table = pets.read_train()
    assert table.ids.tolist() == ["02", "01"] and table.targets.tolist() == [[3, 0.5], [1.5, 2.5]]
    assert pets.classes == ("a", "b") and set(table.frame) == {"id", "site"}
    assert pets.read_test().ids.tolist() == ["03"]


def test_image_that_lacks_a_class_is_named(lay):
    folder = lay(*IMAGES, train__csv="id,kind,value\n01,a,1\n01,b,0\n02,a,1\n")
    with pytest.raises(ValueError, match=r"1 rows have some labels but not all, ids '02'"):
        make(folder, "multilabel", class_column="kind", target_column="value").read_train()


COCO = {
    "images": [{"id": number, "file_name": f"0{number}.png"} for number in (3, 1, 2)],
    "annotations": [{"id": 0, "image_id": 1, "category_id": 1}, {"id": 1, "image_id": 2, "category_id": 0}],
    "categories": [{"id": 0, "name": "big cat"}, {"id": 1, "name": "dog"}],
}


def test_coco_labels(lay):
    folder = lay(*IMAGES, coco__json=json.dumps(COCO))
    keys = {
        "train_table": "coco.json",
        "id_column": "file_name",
        "target_column": "category",
        "train_images": "train/{id}",
    }
    pets = make(folder, **keys, unlabelled="drop")
    table = pets.read_train()
    assert table.ids.tolist() == ["01.png", "02.png"] and pets.classes == ("big cat", "dog")
    assert table.targets.tolist() == [1, 0]


def test_each_row_says_one_class_of_its_image(lay):
    more = [{"id": 2, "image_id": 1, "category_id": 0}, {"id": 3, "image_id": 1, "category_id": 0}]
    folder = lay(*IMAGES, coco__json=json.dumps(COCO | {"annotations": COCO["annotations"] + more}))
    keys = {
        "train_table": "coco.json",
        "id_column": "file_name",
        "target_column": "category",
        "train_images": "train/{id}",
    }
    pets = make(folder, "multilabel", **keys, class_column="category")
    table = pets.read_train()
    assert table.ids.tolist() == ["03.png", "01.png", "02.png"]
    assert table.targets.tolist() == [[0, 0], [1, 1], [1, 0]] and pets.classes == ("big cat", "dog")
    with pytest.raises(ValueError, match=r"1 ids have rows of different classes: '01\.png'"):
        make(folder, **keys, class_column="category").read_train()
    with pytest.raises(ValueError, match=r"1 ids occur more than once.*'01\.png'.*competition\.class_column"):
        make(folder, **keys).read_train()


def test_test_table_with_a_row_for_each_class(lay):
    folder = lay(*IMAGES, test__csv="id,kind,site\n03,a,s\n03,b,s\n01,a,t\n01,b,t\n")
    pets = make(
        folder, test_table="test.csv", class_column="kind", target_column="v", test_images="train/{id}.png"
    )
    assert pets.read_test().frame.to_dict("list") == {"id": ["03", "01"], "site": ["s", "t"]}


def test_pictures_of_a_subject_by_a_column(lay):
    images = [f"train/{name}.png" for name in "abcdef"]
    folder = lay(
        *images, train__csv="id,who,label\na,q,x\nb,p,y\nc,q,x\nd,p,y\n", test__csv="id,who\ne,s\nf,s\n",
        sample_submission__csv="who,label\ns,x\n",
    )  # fmt: skip
    keys = {
        "subject_column": "who",
        "test_table": "test.csv",
        "sample_id_column": "who",
        "test_images": "train/{id}.png",
    }
    pets = make(folder, **keys)
    table = pets.read_train()
    assert table.ids.tolist() == list("acbd") and table.subjects.tolist() == list("qqpp")
    assert table.targets.tolist() == [0, 0, 1, 1] and names_of(table, folder) == [
        f"train/{id_}.png" for id_ in "acbd"
    ]
    assert pets.read_test().subjects.tolist() == ["s", "s"] and pets.read_sample_ids().tolist() == ["s"]
    (folder / "train.csv").write_text("id,who,label\na,q,x\nb,p,y\nc,q,y\nd,p,y\n")
    with pytest.raises(ValueError, match=r"1 subjects have pictures with different labels: 'q'"):
        pets.read_train()


def test_subject_must_be_filled_and_in_one_group(lay):
    folder = lay(*IMAGES, train__csv="id,who,site,label\n01,p,s,x\n02,p,t,x\n03,,t,y\n")
    with pytest.raises(ValueError, match=r"'who' is empty in 1 rows, lines 4"):
        make(folder, subject_column="who").read_train()
    (folder / "train.csv").write_text("id,who,site,label\n01,p,s,x\n02,p,t,x\n03,q,t,y\n")
    with pytest.raises(ValueError, match=r"1 subjects lie in several groups: 'p'"):
        make(folder, subject_column="who", group_column="site").read_train()


def test_folder_of_pictures_for_each_row(lay):
    images = [f"train/{id_}/{name}.png" for id_ in ("7", "08") for name in "ab"]
    folder = lay(
        *images,
        "test/9/a.png",
        "test/9/b.png",
        train__csv="id,label\n08,x\n7,y\n",
        sample_submission__csv="id,label\n9,x\n",
    )
    pets = make(folder, train_images="train/{id}/*.png", test_images="test/{id}/*")
    table = pets.read_train()
    assert table.ids.tolist() == ["08/a.png", "08/b.png", "7/a.png", "7/b.png"]
    assert table.subjects.tolist() == ["08", "08", "7", "7"] and table.targets.tolist() == [0, 0, 1, 1]
    assert (
        table.frame["id"].tolist() == ["08", "08", "7", "7"] and names_of(table, folder)[2] == "train/7/a.png"
    )
    test = pets.read_test()
    assert test.ids.tolist() == ["9/a.png", "9/b.png"] and test.subjects.tolist() == ["9", "9"]
    assert make(folder, sample_submission=None, test_images="test/{id}/*").read_test().subjects.tolist() == [
        "9",
        "9",
    ]
    assert len(pets.read_train(limit=2)) == 2


def test_subjects_stay_where_only_training_has_several_pictures(lay):
    folder = lay(
        "train/7/a.png", "test/9.png", train__csv="id,label\n7,y\n", sample_submission__csv="id,label\n9,x\n"
    )
    assert make(folder, train_images="train/{id}/*.png").read_test().subjects.tolist() == ["9"]


@pytest.mark.parametrize(
    "pattern, task, keys, targets, column",
    [
        ("train/{label}.{number}.jpg", "multiclass", {}, [0, 1, 1], ["1", "1", "2"]),
        ("train/{label}.{number}", "multiclass", {}, [0, 1, 1], ["1", "1", "2"]),
        (
            "{part}/{label}.{number}.jpg",
            "multiclass",
            {"train_rows": {"part": ["train"]}},
            [0, 1, 1],
            ["1", "1", "2"],
        ),
        (
            "train/{label}.{number}.jpg",
            "regression",
            {"target_column": "number"},
            [[1], [1], [2]],
            ["1", "1", "2"],
        ),
    ],
)
def test_labels_in_file_names(lay, pattern, task, keys, targets, column):
    folder = lay("train/cat.1.jpg", "train/dog.1.jpg", "train/dog.2.jpg", "test/5.jpg")
    pets = make(folder, task, train_table=None, train_images=pattern, **keys)
    table = pets.read_train()
    start = "train/" if pattern.startswith("{") else ""
    assert table.ids.tolist() == [f"{start}{name}.jpg" for name in ("cat.1", "dog.1", "dog.2")]
    assert table.targets.tolist() == targets and table.frame["number"].tolist() == column


def test_folders_of_parts_and_classes(lay):
    folder = lay("train/cat/1.jpg", "train/dog/1.jpg", "val/cat/2.jpg", "val/dog/2.jpg", "test/9.jpg")
    keys = {
        "train_table": None,
        "train_rows": {"part": ["train", "val"]},
        "fold_column": "part",
        "validation_folds": ["val"],
    }
    table = make(folder, train_images="{part}/{label}/{id}.jpg", **keys).read_train()
    assert table.ids.tolist() == ["train/cat/1.jpg", "train/dog/1.jpg", "val/cat/2.jpg", "val/dog/2.jpg"]
    assert table.targets.tolist() == [0, 1, 0, 1] and table.frame["part"].tolist() == ["-1", "-1", "0", "0"]


def test_names_in_paths_must_fit_every_picture_and_hold_the_target(lay):
    folder = lay("train/cat.1.jpg", "train/dog.jpg")
    with pytest.raises(ValueError, match=r"1 of 2 images .* do not fit .*: 'train/dog\.jpg'"):
        make(folder, train_table=None, train_images="train/{label}.{number}.jpg").read_train()
    with pytest.raises(
        ValueError, match=r"column 'label' not found; it has 'id', 'kind'.*target_column=kind"
    ):
        make(folder, train_table=None, train_images="train/{kind}.jpg").read_train()


@pytest.mark.parametrize("id_", ["../secret", "/secret", "a/../../../secret"])
@pytest.mark.parametrize("name", ["train.json", "train.jsonl", "train.tsv", "train.csv"])
@pytest.mark.parametrize(
    "pattern", ["{id}.png", "train/**/{id}.png", "{id}*.png", "{id}/*", "train/{id:03}.png"]
)
def test_no_table_leads_out_of_the_competition(tmp_path, id_, name, pattern):
    (tmp_path / "secret").mkdir()
    for picture in ("secret.png", "secret/1.png", "data/train/1.png"):
        (tmp_path / picture).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / picture).touch()
    rows = [{"id": "train/1", "label": "a"}, {"id": id_, "label": "b"}]
    mark = "\t" if name.endswith("tsv") else ","
    text = "\n".join(mark.join(row.values()) for row in [{"id": "id", "label": "label"}, *rows])
    if "json" in name:
        text = "\n".join(map(json.dumps, rows)) if name.endswith("l") else json.dumps(rows)
    (tmp_path / "data" / name).write_text(text)
    with pytest.raises((ValueError, FileNotFoundError), match=r"outside|are missing"):
        make(tmp_path / "data", train_table=name, train_images=pattern).read_train()


def test_arrays_are_text_whatever_the_table(lay):
    folder = lay("train/7.png", train__json=json.dumps([{"id": 7, "label": 1.5}]))
    table = make(folder, "regression", train_table="train.json").read_train()
    assert (
        table.ids.dtype.kind == "U" and table.ids.tolist() == ["7"] and isinstance(table.frame["id"][0], str)
    )
    np.testing.assert_array_equal(table.targets, [[1.5]])
