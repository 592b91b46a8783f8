"""Archives inside a download, unpacked without ever leaving it."""

import gzip
import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from compkit.layout.scan import scan

DEPTH = 3  # archives in archives in archives
SPARED = 0.1  # part of the free disk that stays free
PIECE = 1 << 20  # bytes copied at once


class Member(NamedTuple):
    """A file inside an archive."""

    name: str
    size: int  # bytes when unpacked


def unpack_all(root: Path, free_bytes: int | None = None) -> list[str]:
    """Unpack every archive below a folder, each into a folder of its name beside it, and those found there.

    Args:
        root: the download.
        free_bytes: how much may be written; None = what the disk has, less a tenth.

    Returns:
        Relative paths of the archives that were unpacked; not of those whose folder was there already.

    Raises:
        ValueError: a member would lie outside, is a link or no plain file, archives are damaged or of another kind, or
            hold more than fits on the disk. What was not whole is not there.
    """
    done: list[str] = []
    for _ in range(DEPTH):
        waiting = [path for path in scan(root).archives if not _target(root / path).exists()]
        if not waiting:
            break
        for path in waiting:
            free = shutil.disk_usage(root).free * (1 - SPARED) if free_bytes is None else free_bytes
            unpack(root / path, int(free))
        done += waiting
    return done


def unpack(archive: Path, free_bytes: int) -> Path:
    """Unpack one archive into a folder of its name beside it: train.zip into train/.

    Raises:
        ValueError: as `unpack_all`.

    >>> folder = Path(tempfile.mkdtemp())
    >>> with zipfile.ZipFile(folder / "train.zip", "w") as file:
    ...     file.writestr("a/1.txt", "one")
    >>> unpack(folder / "train.zip", free_bytes=100).joinpath("a/1.txt").read_text()
    'one'
    """
    target = _target(archive)
    if target.exists():
        raise ValueError(
            f"{archive}: {target} exists already; expected no such folder. Remove it, or leave unpack=false."
        )
    temporary = Path(tempfile.mkdtemp(prefix=".tmp-", dir=archive.parent))
    try:
        with _open(archive) as (members, read):
            _check(archive, members, free_bytes)
            for member in members:
                _write(temporary / member.name, read(member.name), member.size, archive)
        temporary.chmod(0o755)
        temporary.replace(target)
    except (
        zipfile.BadZipFile,
        tarfile.TarError,
        EOFError,
        gzip.BadGzipFile,
        NotImplementedError,
        RuntimeError,
    ) as error:
        raise ValueError(f"{archive}: damaged, or needs a password ({error}); download it again.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def _target(archive: Path) -> Path:
    """Where an archive is unpacked to."""
    name = archive.name
    for ending in (".tar.gz", ".tar.bz2", ".tar.xz"):
        if name.lower().endswith(ending):
            return archive.with_name(name[: -len(ending)])
    return archive.with_suffix("") if archive.suffix else archive


class _Reader(AbstractContextManager):
    """Members of an archive and how to read one of them."""

    def __init__(self, file: zipfile.ZipFile | tarfile.TarFile, archive: Path) -> None:
        self.file, self.archive = file, archive

    def __enter__(self) -> tuple[list[Member], Callable[[str], IO[bytes]]]:
        if isinstance(self.file, zipfile.ZipFile):
            return self._of_zip(self.file), self.file.open
        return self._of_tar(self.file), self._extract

    def __exit__(self, *error: object) -> None:
        self.file.close()

    def _of_zip(self, file: zipfile.ZipFile) -> list[Member]:
        members = []
        for one in file.infolist():
            kind = one.external_attr >> 28  # the type bits of a Unix mode: 10 is a link
            if kind not in (0, 4, 8):
                raise ValueError(
                    f"{self.archive}: {one.filename!r} is a link or no plain file. Unpack it by hand."
                )
            if not one.is_dir():
                members.append(Member(one.filename, one.file_size))
        return members

    def _of_tar(self, file: tarfile.TarFile) -> list[Member]:
        members = []
        for one in file:
            if not one.isreg() and not one.isdir():
                raise ValueError(
                    f"{self.archive}: {one.name!r} is a link or no plain file. Unpack it by hand."
                )
            if one.isreg():
                members.append(Member(one.name, one.size))
        return members

    def _extract(self, name: str) -> IO[bytes]:
        assert isinstance(self.file, tarfile.TarFile)
        file = self.file.extractfile(name)
        assert file is not None, name
        return file


def _open(archive: Path) -> _Reader:
    if zipfile.is_zipfile(archive):
        return _Reader(zipfile.ZipFile(archive), archive)
    if tarfile.is_tarfile(archive):
        return _Reader(tarfile.open(archive), archive)
    raise ValueError(f"{archive}: neither a zip nor a tar archive that can be read. Unpack it by hand.")


def _check(archive: Path, members: list[Member], free_bytes: int) -> None:
    """Refuse members that would lie outside, and more than fits, before anything is written."""
    total = sum(member.size for member in members)
    if total > free_bytes:
        raise ValueError(
            f"{archive}: {total / 1e9:.1f} GB unpacked, but only {free_bytes / 1e9:.1f} GB may be written. Make room, "
            "or unpack what is needed by hand."
        )
    seen: set[str] = set()
    for member in members:
        path = PurePosixPath(member.name.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
            raise ValueError(
                f"{archive}: member {member.name!r} would lie outside of its folder. Do not unpack this archive."
            )
        if str(path).casefold() in seen:
            raise ValueError(f"{archive}: member {member.name!r} is there twice. Unpack it by hand.")
        seen.add(str(path).casefold())


def _write(path: Path, source: IO[bytes], size: int, archive: Path) -> None:
    """Copy a member, and no more of it than was announced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with source, path.open("xb") as file:
        for piece in _pieces(source):
            written += len(piece)
            if written > size:
                raise ValueError(
                    f"{archive}: {path.name!r} is larger than the archive says. Do not unpack this archive."
                )
            file.write(piece)


def _pieces(source: IO[bytes]) -> Iterator[bytes]:
    while piece := source.read(PIECE):
        yield piece
