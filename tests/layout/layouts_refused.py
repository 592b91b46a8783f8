"""Downloads that compkit cannot train on yet: it has to say so, with the reason, and write nothing that looks ready."""

from .material import DECOY, Download, Facts, one_each


def run_length_masks(d: Download) -> Facts:
    """Masks as run lengths, a row a picture and defect."""
    train, test = d.pictures("train_images/{}.jpg", d.codes(24)), d.pictures("test_images/{}.jpg", d.codes(6))
    key, target = d.word("ImageId", "img"), d.word("EncodedPixels", "rle")
    runs = [
        " ".join(str(20 * k + 5 + n) if j == 0 else "7" for k in range(4) for j in (0, 1)) for n in range(24)
    ]
    d.table(
        "train.csv",
        {key: [f"{code}.jpg" for code in train], "ClassId": d.labels(list("1234"), 24), target: runs},
    )
    sample = d.sample("sample_submission.csv", key, [f"{code}.jpg" for code in test], {target: None}, "1 1")
    return Facts(None, tests=one_each(test), told=[target], **sample)


def mask_folder(d: Download) -> Facts:
    """A mask picture for each training picture, and nothing else to learn."""
    key = d.word("id", "salt")
    train, test = d.pictures("train/images/{}.png", d.codes(24)), d.pictures("test/images/{}.png", d.codes(6))
    for code, serial in train.items():
        d.picture(f"train/{d.word('masks', 'gt')}/{code}.png", serial, DECOY)
    d.table("depths.csv", {key: [*train, *test], "z": d.rng.integers(50, 900, 30)})
    sample = d.sample("sample_submission.csv", key, test, {"rle_mask": None}, "1 1")
    return Facts(None, tests=one_each(test), **sample)


def boxes(d: Download) -> Facts:
    """Boxes to be found: a prediction string of label, confidence and corners."""
    key, target = d.word("image_id", "patientId"), d.word("PredictionString", "boxes")
    train, test = d.pictures("train/{}.jpg", d.codes(24)), d.pictures("test/{}.jpg", d.codes(6))
    names = [code for code in train for _ in range(2)]
    columns = {name: d.rng.integers(1, 20, 48) for name in ("x", "y", "width", "height")}
    d.table("train.csv", {key: names} | columns)
    sample = d.sample("sample_submission.csv", key, test, {target: None}, "0.5 0 0 10 10")
    return Facts(None, tests=one_each(test), **sample)


def coco_boxes(d: Download) -> Facts:
    """COCO annotations with a bbox each, several a picture."""
    train, test = d.pictures("train/{}.jpg", d.codes(24)), d.pictures("test/{}.jpg", d.codes(6))
    images = [{"id": n, "file_name": f"{code}.jpg"} for n, code in enumerate(train)]
    notes = [
        {
            "id": 2 * n + k,
            "image_id": n,
            "category_id": 1 + k,
            "bbox": [1 + n, 2, 9, 8],
            "area": 72,
            "iscrowd": 0,
        }
        for n in range(24)
        for k in (0, 1)
    ]
    kinds = [{"id": 1, "name": "wheat"}, {"id": 2, "name": "rye"}]
    d.json("instances.json", {"images": images, "annotations": notes, "categories": kinds})
    sample = d.sample(
        "sample_submission.csv", "image_id", test, {"PredictionString": None}, "1 0.5 0 0 10 10"
    )
    return Facts(None, tests=one_each(test), **sample)


def dicom_alone(d: Download) -> Facts:
    """Labels as usual, but every picture is a dicom file."""
    key, target = d.word("StudyInstanceUID", "scan"), d.word("fracture", "label")
    names = [f"1.2.826.{n}" for n in range(30)]
    for part, some in (("train", names[:24]), ("test", names[24:])):
        (d.root / part).mkdir(parents=True)
        for name in some:
            (d.root / part / f"{name}.dcm").write_bytes(b"\0" * 128 + b"DICM")
    d.table("train.csv", {key: names[:24], target: d.labels(["0", "1"], 24)})
    sample = d.sample("sample_submission.csv", key, names[24:], {target: "1"}, 0.5)
    return Facts(None, told=["dcm"], **sample)


def matching_products(d: Download) -> Facts:
    """Asked for: the other postings of the same product, as a list of ids."""
    key, group = d.word("posting_id", "offer"), d.word("label_group", "product")
    train, test = d.pictures("train_images/{}.jpg", d.codes(30)), d.pictures("test_images/{}.jpg", d.codes(6))
    groups = [str(249114794 + n // 3) for n in range(30)]
    d.table("train.csv", {key: list(train), "image": [f"{code}.jpg" for code in train], group: groups})
    d.table("test.csv", {key: list(test), "image": [f"{code}.jpg" for code in test]})
    file, names = "sample_submission.csv", list(test)
    d.table(file, {key: names, "matches": names}, shuffle=False)
    return Facts(None, tests=one_each(test), told=["matches"], sample=file)


def no_pictures(d: Download) -> Facts:
    """Tables alone."""
    d.table("train.csv", {"id": range(20), "label": d.labels(["a", "b"], 20)})
    d.table("sample_submission.csv", {"id": range(20, 26), "label": ["a"] * 6}, shuffle=False)
    return Facts(None)


REFUSED = (
    run_length_masks, mask_folder, boxes, coco_boxes, dicom_alone, matching_products, no_pictures,
)  # fmt: skip
