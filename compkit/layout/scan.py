"""One walk over a download: which folders hold pictures, where the tables are, what else lies there."""

import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from compkit.competition.paths import IMAGE_SUFFIXES

TABLE_SUFFIXES = (".csv", ".tsv", ".txt", ".json", ".jsonl")
ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar")
FOREIGN_SUFFIXES = (".dcm", ".dicom", ".tfrec", ".tfrecord", ".nii", ".svs", ".mha", ".gif", ".jp2", ".heic", ".avif",
                    ".dng", ".hdf5", ".h5", ".npz", ".parquet")  # fmt: skip  # pictures or tables that are not read
RUBBISH = ("__MACOSX", "Thumbs.db", "desktop.ini")
MANY_TABLES = 20  # more in one folder are notes about single pictures


@dataclass
class Folder:
    """What lies directly in one folder, its path relative to the download with forward slashes."""

    path: str
    pictures: list[str] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)  # number of files of each other suffix


@dataclass
class Listing:
    """All files of a download.

    Attributes:
        root: the download.
        folders: by relative path, "" the download itself.
        tables: relative paths of files that may be tables, sorted.
        archives: relative paths of archives that nobody has unpacked.
        rubbish: number of files and folders left out (`__MACOSX`, hidden ones).
    """

    root: Path
    folders: dict[str, Folder] = field(default_factory=dict)
    tables: list[str] = field(default_factory=list)
    archives: list[str] = field(default_factory=list)
    rubbish: int = 0

    @property
    def foreign(self) -> Counter[str]:
        """Files of formats that hold pictures or tables but are not read, by suffix."""
        total: Counter[str] = Counter()
        for folder in self.folders.values():
            total.update(
                {suffix: count for suffix, count in folder.others.items() if suffix in FOREIGN_SUFFIXES}
            )
        return total


def scan(root: Path) -> Listing:
    """List a download, each folder once, without asking for anything but names.

    Links to folders are followed, once each. A million files take some seconds.

    Raises:
        FileNotFoundError: no such folder.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("a.png", "b.PNG", "t.csv", ".hidden"):
    ...     (folder / name).touch()
    >>> listing = scan(folder)
    >>> sorted(listing.folders[""].pictures), listing.tables, listing.rubbish
    (['a.png', 'b.PNG'], ['t.csv'], 1)
    """
    if not root.is_dir():
        raise FileNotFoundError(
            f"path={root}: no such folder; expected a downloaded competition. Set path=FOLDER."
        )
    listing = Listing(root)
    seen = {os.path.realpath(root)}
    open_folders = [""]
    while open_folders:
        path = open_folders.pop()
        folder = listing.folders[path] = Folder(path)
        tables: list[str] = []
        with os.scandir(root / path) as entries:
            for entry in entries:
                name = entry.name
                if name.startswith(".") or name in RUBBISH:
                    listing.rubbish += 1
                    continue
                below = f"{path}/{name}" if path else name
                if entry.is_dir():
                    if not entry.is_symlink() or _is_new(seen, os.path.realpath(entry.path)):
                        open_folders.append(below)
                    continue
                suffix = os.path.splitext(name)[1].lower()
                if suffix in IMAGE_SUFFIXES:
                    folder.pictures.append(name)
                elif suffix in TABLE_SUFFIXES:
                    tables.append(below)
                else:
                    folder.others[suffix] += 1
                    if suffix in ARCHIVE_SUFFIXES:
                        listing.archives.append(below)
        if len(tables) > MANY_TABLES:
            folder.others.update(os.path.splitext(name)[1].lower() for name in tables)
        else:
            listing.tables += tables
    listing.tables.sort()
    listing.archives.sort()
    return listing


def _is_new(seen: set[str], target: str) -> bool:
    """Whether a linked folder was not listed yet."""
    is_new = target not in seen
    seen.add(target)
    return is_new
