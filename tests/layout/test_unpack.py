"""Archives from strangers: whole inside their own folder, or refused before anything is written."""

import io
import tarfile
import zipfile

import pytest

from compkit.layout.unpack import unpack, unpack_all

ROOM = 10_000


def make_zip(path, members):
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def make_tar(path, *members):
    with tarfile.open(path, "w:gz") as file:
        for member in members:
            file.addfile(member, io.BytesIO(b"x" * member.size))
    return path


def plain(name, size=1):
    member = tarfile.TarInfo(name)
    member.size = size
    return member


def link(name, target, kind):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def files_in(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_archives_inside_archives_are_unpacked_beside_themselves(tmp_path):
    inner = make_zip(tmp_path / "train.zip", {"a/1.png": "one", "2.png": "two"})
    make_zip(tmp_path / "all.zip", {"train.zip": inner.read_bytes(), "labels.csv": "id\n1\n"})
    inner.unlink()
    assert unpack_all(tmp_path) == ["all.zip", "all/train.zip"]
    assert files_in(tmp_path / "all") == ["labels.csv", "train.zip", "train/2.png", "train/a/1.png"]
    assert unpack_all(tmp_path) == []


def test_tar_is_unpacked_without_its_two_endings(tmp_path):
    make_tar(tmp_path / "test.tar.gz", plain("1.png", 5))
    assert unpack_all(tmp_path) == ["test.tar.gz"]
    assert files_in(tmp_path / "test") == ["1.png"]


@pytest.mark.parametrize(
    "name", ["../evil.txt", "/tmp/evil.txt", "a/../../evil.txt", "..\\evil.txt", "C:/evil.txt"]
)
def test_members_outside_are_refused(tmp_path, name):
    archive = make_zip(tmp_path / "train.zip", {"1.png": "one", name: "evil"})
    with pytest.raises(ValueError, match="would lie outside"):
        unpack(archive, ROOM)
    assert files_in(tmp_path) == ["train.zip"] and not (tmp_path.parent / "evil.txt").exists()


@pytest.mark.parametrize(
    "member",
    [
        link("out", "/etc", tarfile.SYMTYPE),
        link("out", "../x", tarfile.LNKTYPE),
        link("pipe", "", tarfile.FIFOTYPE),
    ],
)
def test_links_and_devices_in_tar_are_refused(tmp_path, member):
    with pytest.raises(ValueError, match="link or no plain file"):
        unpack(make_tar(tmp_path / "train.tgz", plain("1.png"), member), ROOM)
    assert files_in(tmp_path) == ["train.tgz"]


def test_link_in_zip_is_refused(tmp_path):
    member = zipfile.ZipInfo("out")
    member.create_system, member.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "train.zip", "w") as file:
        file.writestr(member, "/etc")
    with pytest.raises(ValueError, match="link or no plain file"):
        unpack(tmp_path / "train.zip", ROOM)


def test_a_bomb_is_refused_before_it_goes_off(tmp_path):
    archive = make_zip(tmp_path / "train.zip", {"1.png": b"\0" * (ROOM + 1)})
    with pytest.raises(ValueError, match="may be written"):
        unpack(archive, ROOM)
    assert files_in(tmp_path) == ["train.zip"]


def test_a_member_larger_than_announced_is_refused(tmp_path):
    archive = make_zip(tmp_path / "train.zip", {"1.png": b"\0" * 5000})
    data = archive.read_bytes()
    lied = data.replace((5000).to_bytes(4, "little"), (50).to_bytes(4, "little"))
    archive.write_bytes(lied)
    with pytest.raises(ValueError, match=r"damaged|larger"):
        unpack(archive, ROOM)
    assert files_in(tmp_path) == ["train.zip"]


def test_two_members_of_one_name_are_refused(tmp_path):
    with pytest.raises(ValueError, match="twice"):
        unpack(make_zip(tmp_path / "train.zip", {"a.png": "1", "A.png": "2"}), ROOM)


def test_what_is_there_stays(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "mine.txt").write_text("mine")
    archive = make_zip(tmp_path / "train.zip", {"mine.txt": "theirs"})
    assert unpack_all(tmp_path) == []
    with pytest.raises(ValueError, match="exists already"):
        unpack(archive, ROOM)
    assert (tmp_path / "train" / "mine.txt").read_text() == "mine"


def test_damaged_and_foreign_archives_are_refused(tmp_path):
    whole = make_zip(tmp_path / "a.zip", {"1.png": "one" * 100}).read_bytes()
    (tmp_path / "a.zip").write_bytes(whole.replace(b"oneone", b"onetwo"))
    with pytest.raises(ValueError, match="damaged"):
        unpack(tmp_path / "a.zip", ROOM)
    (tmp_path / "b.7z").write_bytes(b"7z\xbc\xaf\x27\x1c")
    with pytest.raises(ValueError, match="neither a zip nor a tar"):
        unpack(tmp_path / "b.7z", ROOM)
    assert files_in(tmp_path) == ["a.zip", "b.7z"]
