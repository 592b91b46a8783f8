import json

import pytest

from compkit.competition.json_table import parse_json_table
from compkit.competition.table import read_table

KEY = "competition.train_table"


def parse(content, separator=" "):
    return parse_json_table(json.dumps(content), lines=False, separator=separator)


def test_records_are_rows_and_numbers_their_shortest_text():
    frame = parse([{"id": 7, "x": 7.0, "y": 0.1}, {"id": "007", "x": None, "z": True}])
    assert frame.to_dict("list") == {"id": ["7", "007"], "x": ["7", ""], "y": ["0.1", ""], "z": ["", "True"]}


def test_large_whole_numbers_keep_their_digits():
    assert parse([{"id": 12345678901234567890}])["id"].tolist() == ["12345678901234567890"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.json"])
def test_lines_of_records(tmp_path, name):
    (tmp_path / name).write_text('{"id": "01", "label": "cat"}\n\n{"id": "02", "label": "dog"}\n')
    assert read_table(tmp_path / name, KEY).to_numpy().tolist() == [["01", "cat"], ["02", "dog"]]


def test_one_line_of_a_jsonl_is_a_record(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"id": "01", "label": "cat"}\n')
    assert list(read_table(tmp_path / "a.jsonl", KEY).columns) == ["id", "label"]


def test_objects_keyed_by_id():
    assert parse({"01": "cat", "02": "dog"}).to_dict("list") == {"id": ["01", "02"], "label": ["cat", "dog"]}
    frame = parse({"01": {"label": "cat", "age": 3}, "02": {"label": "dog"}})
    assert frame.to_dict("list") == {"id": ["01", "02"], "label": ["cat", "dog"], "age": ["3", ""]}


def test_records_that_have_an_id_keep_it():
    assert parse({"k": {"id": "01"}}).to_dict("list") == {"key": ["k"], "id": ["01"]}


def test_the_one_list_of_records_in_an_object():
    assert parse({"info": {"year": 1}, "version": 2, "rows": [{"id": 1}]})["id"].tolist() == ["1"]


def test_lists_are_joined_by_the_separator():
    assert parse({"01": ["a b", "c"], "02": []}, separator="|")["label"].tolist() == ["a b|c", ""]
    with pytest.raises(ValueError, match=r"'a b' contains the separator ' '; set competition\.separator"):
        parse({"01": ["a b", "c"]})


def test_nested_values_stay_json():
    assert parse([{"id": 1, "box": [[1, 2]]}])["box"].tolist() == ["[[1, 2]]"]


COCO = {
    "images": [
        {"id": 7, "file_name": "a/7.png", "place": "x"},
        {"id": 8, "file_name": "b/8.png", "place": "y"},
    ],
    "annotations": [
        {
            "id": 1,
            "image_id": 7,
            "category_id": 0,
            "bbox": [1, 2, 3, 4],
            "place": 5,
            "segmentation": [[1, 2]],
        },
        {"id": 2, "image_id": 7, "category_id": 3},
    ],
    "categories": [{"id": 0, "name": "cat", "family": "f"}, {"id": 3, "name": "dog", "family": "g"}],
}


def test_coco_is_a_row_an_annotation_and_images_without_any_stay():
    rows = parse(COCO).to_dict("records")
    assert [row["category"] for row in rows] == ["cat", "dog", ""]
    assert rows[0] == {
        "image_id": "7", "file_name": "a/7.png", "place": "x", "annotation_id": "1", "category_id": "0",
        "bbox": "1 2 3 4", "annotation_place": "5", "category": "cat", "category_family": "f",
    }  # fmt: skip
    assert rows[2]["file_name"] == "b/8.png" and rows[2]["category_id"] == ""


def test_coco_of_test_images_has_no_annotations():
    frame = parse({key: COCO[key] for key in ("images", "categories")})
    assert frame["file_name"].tolist() == ["a/7.png", "b/8.png"] and "category" not in frame


def test_categories_of_one_name_are_told_apart_by_their_id():
    twins = [{"id": 0, "name": "cat"}, {"id": 3, "name": "cat"}]
    frame = parse(COCO | {"categories": twins})
    assert "category" not in frame and frame["category_id"].tolist() == ["0", "3", ""]


@pytest.mark.parametrize(
    "change, message",
    [
        ({"images": [{"id": 7}, {"id": 7}]}, "1 of 2 image ids occur more than once"),
        ({"categories": [{"id": 0}, {"id": 0}]}, "1 of 2 category ids occur more than once"),
        ({"annotations": [{"image_id": 9}]}, "annotation is of image 9, which is not among the images"),
        (
            {"annotations": [{"image_id": 7, "category_id": 9}]},
            "is of category 9, which is not among the categories",
        ),
    ],
)
def test_coco_that_contradicts_itself(change, message):
    with pytest.raises(ValueError, match=message):
        parse(COCO | change)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1, 2]",
        "7",
        '{"a": {"b": 1}, "c": 2}',
        '{"a": [{"x": 1}], "b": [{"x": 2}]}',
        '{"a": 1}\n[2]',
        "[" * 100_000,
    ],
)
def test_other_json_is_an_error_with_its_path(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=r"a\.json: not a readable JSON .*list of records.*train_table"):
        read_table(tmp_path / "a.json", KEY)


def test_line_that_is_no_record(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"id": 1}\n[2]\n')
    with pytest.raises(ValueError, match="a line is no record"):
        read_table(tmp_path / "a.jsonl", KEY)
