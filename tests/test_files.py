"""Files appear whole or not at all."""

import os
import stat

import pytest

from compkit.files import atomic_path, write_text


def test_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "scores.json"
    write_text(path, "old")
    with pytest.raises(RuntimeError), atomic_path(path) as temporary:
        temporary.write_text("half of the n")
        raise RuntimeError
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["scores.json"]


def test_makes_folders_and_keeps_the_umask(tmp_path):
    path = tmp_path / "a" / "b.txt"
    write_text(path, "äöü")
    assert path.read_text(encoding="utf-8") == "äöü"
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
