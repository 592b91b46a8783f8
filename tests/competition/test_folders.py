import pytest

from compkit.competition.folders import ids_in_folder, list_images, read_class_folders

KEY = "competition.test_images"


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


STRAY = ["__MACOSX/._a.png", ".hidden/a.png", "cat/.DS_Store", "cat/._1.png", "cat/Thumbs.db", "readme.txt"]


def test_strays_are_left_out(tmp_path):
    touch(tmp_path, "cat/1.png", "cat/deep/2.JPG", *STRAY)
    assert list_images(tmp_path, KEY) == ["cat/1.png", "cat/deep/2.JPG"]


@pytest.mark.parametrize("made, message", [(True, "holds no picture"), (False, "no such folder")])
def test_no_pictures_is_an_error(tmp_path, made, message):
    if made:
        touch(tmp_path, "test/readme.txt")
    with pytest.raises(FileNotFoundError, match=f"test: {message}.*Set competition.test_images"):
        list_images(tmp_path / "test", KEY)


@pytest.mark.parametrize(
    "pattern, ids",
    [("test/{id}.png", ["01", "02"]), ("test/{id}", ["01.png", "02.png"]), ("test", ["01.png", "02.png"])],
)
def test_ids_are_what_the_pattern_leaves_open(tmp_path, pattern, ids):
    touch(tmp_path, "test/02.png", "test/01.png")
    assert ids_in_folder(tmp_path, pattern, KEY).tolist() == ids


def test_id_that_occurs_twice_in_the_pattern(tmp_path):
    touch(tmp_path, "test/a/img_a.png", "test/b/img_b.png")
    assert ids_in_folder(tmp_path, "test/{id}/img_{id}.png", KEY).tolist() == ["a", "b"]
    touch(tmp_path, "test/a/img_b.png")
    with pytest.raises(ValueError, match="1 of 3 images"):
        ids_in_folder(tmp_path, "test/{id}/img_{id}.png", KEY)


def test_picture_that_does_not_fit_the_pattern_is_not_skipped(tmp_path):
    touch(tmp_path, "test/1.png", "test/2.jpg")
    with pytest.raises(ValueError, match=r"1 of 2 images.*'test/2\.jpg'.*test_images=test/\{id\}"):
        ids_in_folder(tmp_path, "test/{id}.png", KEY)


def test_pattern_with_columns_needs_a_table(tmp_path):
    with pytest.raises(ValueError, match=r"competition\.test_table"):
        ids_in_folder(tmp_path, "test/{site}/{id}.png", KEY)


def test_class_folders_become_a_table(tmp_path):
    touch(tmp_path, "train/dog/1.png", "train/cat/1.png", "train/cat/deep/2.npy", "train/stray.png")
    touch(tmp_path, *(f"train/{name}" for name in STRAY))
    frame = read_class_folders(tmp_path, "train", "image", "kind")
    assert frame.to_dict("list") == {
        "image": ["cat/1.png", "cat/deep/2.npy", "dog/1.png", "stray.png"],
        "kind": ["cat", "cat", "dog", ""],
    }


def test_class_folder_without_pictures_is_named(tmp_path):
    touch(tmp_path, "train/dog/1.png", "train/cat/1.gif")
    with pytest.raises(ValueError, match=r"without a picture: 'cat'.*competition.train_images"):
        read_class_folders(tmp_path, "train", "id", "label")


def test_channel_files_are_one_picture(tmp_path):
    touch(tmp_path, "train/cat/1_r.png", "train/cat/1_g.png", "train/dog/1_r.png", "train/dog/1_g.png")
    frame = read_class_folders(tmp_path, "train", "id", "label", ["_r", "_g"])
    assert frame["id"].tolist() == ["cat/1.png", "dog/1.png"]


def test_ids_at_any_depth_must_differ(tmp_path):
    touch(tmp_path, "test/a/01.png", "test/b/deep/02.png")
    assert ids_in_folder(tmp_path, "test/**/{id}.png", KEY).tolist() == ["01", "02"]
    touch(tmp_path, "test/b/01.png")
    with pytest.raises(
        ValueError, match=r"1 ids name more than one image, first 'test/[ab]/01\.png', 'test/[ab]/01"
    ):
        ids_in_folder(tmp_path, "test/**/{id}.png", KEY)


def test_ids_of_folders_of_pictures_and_of_channels(tmp_path):
    touch(tmp_path, "test/7/a.png", "test/7/b.png", "test/8/a.png", "rg/red/7.png", "rg/green/7.png")
    assert ids_in_folder(tmp_path, "test/{id}/*.png", KEY).tolist() == ["7", "8"]
    assert ids_in_folder(tmp_path, "rg/{channel}/{id}.png", KEY, ["red", "green"]).tolist() == ["7"]
