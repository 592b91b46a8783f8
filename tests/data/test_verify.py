import json
import os

import cv2
import numpy as np
import pytest

from compkit.data import BadImage, find_bad_images, verify
from compkit.types import Table

NOISE = np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8)


def table_of(*rows):
    """A table of paths; a row is one path or several."""
    rows = [row if isinstance(row, tuple) else (row,) for row in rows]
    files = np.array([[str(path).encode() for path in row] for row in rows])
    return Table(np.array([f"{number:02d}" for number in range(len(rows))]), files, None)


def image(path, pixels=NOISE):
    path.write_bytes(cv2.imencode(path.suffix, pixels)[1].tobytes())
    return path


def cut(path):
    path.write_bytes(image(path).read_bytes()[: path.stat().st_size // 2])
    return path


@pytest.fixture
def decoded(monkeypatch):
    """The files that were decoded."""
    files, original = [], verify.decode_image
    monkeypatch.setattr(verify, "decode_image", lambda f, *a, **k: (files.extend(f), original(f, *a, **k))[1])
    return files


@pytest.mark.parametrize("threads", [0, 1, 4])
def test_every_kind_of_bad_image_in_table_order(tmp_path, threads):
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "text.png").write_text("not an image")
    np.save(tmp_path / "range.npy", np.full((4, 4, 3), 9.0))
    table = table_of(
        image(tmp_path / "good.png"),
        cut(tmp_path / "cut.jpg"),
        image(tmp_path / "good.jpg"),
        cut(tmp_path / "cut.png"),
        tmp_path / "empty.jpg",
        tmp_path / "text.png",
        tmp_path / "missing ü.png",
        tmp_path / "range.npy",
    )
    calls = []
    bad = find_bad_images(table, 3, threads=threads, progress=lambda done, total: calls.append((done, total)))
    assert [entry.id for entry in bad] == ["01", "03", "04", "05", "06", "07"]
    assert calls == [(done, 8) for done in range(1, 9)]
    for entry, reason in zip(
        bad, ("cut short", "cut short", "empty", "not an image", "No such file", "max_value"), strict=True
    ):
        assert isinstance(entry, BadImage)
        assert reason in entry.reason and os.path.basename(entry.file) in entry.reason


def test_max_value_is_passed_on(tmp_path):
    np.save(tmp_path / "x.npy", np.full((4, 4, 3), 9.0))
    assert find_bad_images(table_of(tmp_path / "x.npy"), 3, max_value=10) == []


def test_rows_of_several_files(tmp_path):
    grey = NOISE[..., 0]
    good = (image(tmp_path / "a_r.png", grey), image(tmp_path / "a_g.png", grey))
    bad = (image(tmp_path / "b_r.png", grey), image(tmp_path / "b_g.png", grey[:9]))
    (entry,) = find_bad_images(table_of(good, bad), channels=2)
    assert entry.id == "01" and entry.file == f"{bad[0]} + {bad[1]}"
    assert "9 x 50 pixels" in entry.reason


def test_second_pass_decodes_only_bad_and_changed_files(tmp_path, decoded):
    good, changing, bad = (
        image(tmp_path / "good.png"),
        image(tmp_path / "changing.png"),
        cut(tmp_path / "bad.png"),
    )
    table, known = table_of(good, changing, bad), tmp_path / "runs" / "verified.json"
    first = find_bad_images(table, 3, known=known)
    assert [entry.id for entry in first] == ["02"] and len(decoded) == 3
    assert set(json.loads(known.read_text())["images"]) == {str(good), str(changing)}

    decoded.clear()
    written = known.stat().st_mtime_ns
    assert find_bad_images(table, 3, known=known) == first
    assert decoded == [str(bad)] and known.stat().st_mtime_ns == written

    decoded.clear()
    cut(changing)
    assert [entry.id for entry in find_bad_images(table, 3, known=known)] == ["01", "02"]
    assert decoded == [str(changing), str(bad)]

    image(bad)
    os.utime(image(changing), ns=(1, 1))
    assert find_bad_images(table, 3, known=known) == []
    decoded.clear()
    assert find_bad_images(table, 3, known=known) == [] and decoded == []

    good.unlink()
    assert [entry.id for entry in find_bad_images(table, 3, known=known)] == ["00"]


def test_several_tables_share_one_record(tmp_path, decoded):
    train, test = table_of(image(tmp_path / "a.png")), table_of(image(tmp_path / "b.png"))
    for _ in range(2):
        for table in (train, test):
            assert find_bad_images(table, 3, known=tmp_path / "known.json") == []
    assert len(decoded) == 2


@pytest.mark.parametrize("settings", [{"channels": 5}, {"channels": 3, "max_value": 7.0}])
def test_other_settings_forget_the_record(tmp_path, settings):
    table, known = table_of(image(tmp_path / "a.png")), tmp_path / "known.json"
    assert find_bad_images(table, 3, known=known) == []
    assert len(find_bad_images(table, **settings, known=known)) == 1


def test_torn_record_is_made_anew(tmp_path, decoded):
    known = tmp_path / "known.json"
    known.write_text('{"channels": 3')
    assert find_bad_images(table_of(image(tmp_path / "a.png")), 3, known=known) == [] and len(decoded) == 1
    assert json.loads(known.read_text())["channels"] == 3


def test_interrupted_pass_keeps_what_it_found(tmp_path, decoded):
    table, known = table_of(*[image(tmp_path / f"{i:03d}.png") for i in range(40)]), tmp_path / "known.json"

    def stop(done, total):
        if done == 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find_bad_images(table, 3, known=known, progress=stop)
    assert len(json.loads(known.read_text())["images"]) == 20
    decoded.clear()
    assert find_bad_images(table, 3, known=known) == [] and len(decoded) == 20
