"""Labels in JSON files as a table of text: lists of records, objects keyed by id, JSON lines, COCO."""

import json
import math
from typing import Any

import pandas as pd

Records = list[dict[str, Any]]
LEFT_OUT = "segmentation"  # polygons of an annotation: large, and no column


def parse_json_table(text: str, lines: bool, separator: str = " ") -> pd.DataFrame:
    """One row a record, every cell as text: 7 and 7.0 are "7", null and absent are "", a list is joined.

    Args:
        text: of the file.
        lines: whether each line is a record of its own.
        separator: between the items of a list.

    Raises:
        ValueError: no JSON, or none of the forms that `table_records` reads.

    >>> parse_json_table('{"007": "cat", "010": null}', lines=False).values.tolist()
    [['007', 'cat'], ['010', '']]
    """
    try:
        records = [json.loads(line) for line in text.splitlines() if line.strip()] if lines else _whole(text)
    except RecursionError as error:
        raise ValueError("brackets within brackets without end") from error
    if lines and not _are_records(records):
        raise ValueError("a line is no record {column: value}")
    rows = records if lines else table_records(records)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = {name: [cell_text(row.get(name), separator) for row in rows] for name in columns}
    return pd.DataFrame(cells, dtype=str)


def table_records(content: Any) -> Records:
    """The records of a JSON file: COCO, a list of them, the one list of them in an object, or an object keyed by id.

    Raises:
        ValueError: something else.

    >>> table_records({"7": {"label": "cat"}}), table_records({"info": {}, "data": [{"id": 7}]})
    ([{'id': '7', 'label': 'cat'}], [{'id': 7}])
    """
    if _are_records(content):
        return content
    if isinstance(content, dict):
        if _are_records(content.get("images")) and all("id" in image for image in content["images"]):
            return coco_records(
                **{key: content.get(key, []) for key in ("images", "annotations", "categories")}
            )
        lists = [value for value in content.values() if value and _are_records(value)]
        if len(lists) == 1:
            return lists[0]
        if content and all(isinstance(value, dict) for value in content.values()):
            # records that have an id of their own keep it
            key = "key" if any("id" in record for record in content.values()) else "id"
            return [{key: id_} | record for id_, record in content.items()]
        if not lists and not any(isinstance(value, dict) for value in content.values()):
            return [{"id": id_, "label": value} for id_, value in content.items()]
    raise ValueError("neither a list of records, nor an object keyed by id, nor COCO")


def coco_records(images: Records, annotations: Records, categories: Records) -> Records:
    """One record an annotation, or an image without any: the image's fields, then its own.

    An image's id is `image_id`, a category's name `category` (none where two categories have the same name: then
    `category_id` tells them apart), further fields of a category `category_<field>`; a field of the annotation
    that the image has too is `annotation_<field>`.

    Raises:
        ValueError: an id that occurs twice, or an annotation of an unknown image or category.

    >>> images = [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}]
    >>> for row in coco_records(images, [{"image_id": 1, "category_id": 5}], [{"id": 5, "name": "cat"}]):
    ...     print(row)
    {'image_id': 1, 'file_name': 'a.png', 'category_id': 5, 'category': 'cat'}
    {'image_id': 2, 'file_name': 'b.png'}
    """
    image_of, category_of = _by_id(images, "image"), _by_id(categories, "category")
    names = [category.get("name") for category in categories]
    fields = {"name": "category"} if len(set(names)) == len(names) else {}
    annotated: dict[Any, Records] = {id_: [] for id_ in image_of}
    for one in annotations:
        image, category = one.get("image_id"), one.get("category_id")
        if image not in image_of:
            raise ValueError(f"an annotation is of image {image!r}, which is not among the images")
        if category_of and category not in category_of:
            raise ValueError(f"an annotation is of category {category!r}, which is not among the categories")
        row = {"image_id": image} | {key: value for key, value in image_of[image].items() if key != "id"}
        for key, value in one.items():
            if key not in ("image_id", LEFT_OUT):
                row[f"annotation_{key}" if key == "id" or key in row else key] = value
        for key, value in category_of.get(category, {}).items():
            if key != "id" and (key != "name" or fields):
                row[fields.get(key, f"category_{key}")] = value
        annotated[image].append(row)
    return [
        row
        for id_, image in image_of.items()
        for row in annotated[id_]
        or [{"image_id": id_} | {key: value for key, value in image.items() if key != "id"}]
    ]


def cell_text(value: Any, separator: str) -> str:
    """A JSON value as a CSV would have it.

    Raises:
        ValueError: an item of a list that contains the separator.

    >>> [cell_text(value, ",") for value in (7, 7.0, 0.10, None, True, ["a", 2], {"x": 1})]
    ['7', '7', '0.1', '', 'True', 'a,2', '{"x": 1}']
    """
    if value is None or isinstance(value, str):
        return value or ""
    if isinstance(value, float):
        return str(int(value)) if math.isfinite(value) and value.is_integer() else repr(value)
    if isinstance(value, list) and not any(isinstance(item, list | dict) for item in value):
        items = [cell_text(item, separator) for item in value]
        torn = [item for item in items if separator in item]
        if torn:
            raise ValueError(
                f"the list item {torn[0]!r} contains the separator {separator!r}; set competition.separator to what no "
                "item contains, such as |"
            )
        return separator.join(items)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else str(value)


def _whole(text: str) -> Any:
    """The content of a file of one JSON value, or of one a line."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if not error.msg.startswith("Extra data"):
            raise
    return [json.loads(line) for line in text.splitlines() if line.strip()]


def _are_records(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _by_id(records: Records, what: str) -> dict[Any, dict[str, Any]]:
    """Records by their id, each different."""
    by_id = {record.get("id"): record for record in records}
    if len(by_id) < len(records):
        raise ValueError(f"{len(records) - len(by_id)} of {len(records)} {what} ids occur more than once")
    return by_id
