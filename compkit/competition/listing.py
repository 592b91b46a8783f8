"""The files of a folder, listed once and looked up by name as often as there are rows."""

import bisect
import functools
import os
from collections import defaultdict
from collections.abc import Iterator

from compkit.competition.patterns import split_suffix


class Listing:
    """Names of the files of a folder, each with the folders below it that hold one of that name.

    Hidden files and folders and `__MACOSX` are left out of a deep listing.

    Args:
        folder: to list; a missing one has no files.
        deep: whether to go into its sub-folders; linked ones too.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> os.mkdir(f"{folder}/x")
    >>> open(f"{folder}/x/a.png", "w").close()
    >>> Listing(folder, deep=True).named("a", guess_suffix=True), Listing(folder).named("a.png")
    (['x/a.png'], [])
    """

    def __init__(self, folder: str, deep: bool = False) -> None:
        self.places: dict[str, list[str]] = defaultdict(list)
        files = walk_files(folder) if deep else (("", name) for name in _list_flat(folder))
        for place, name in files:
            self.places[name].append(place)

    @functools.cached_property
    def names(self) -> list[str]:
        """Every different name, sorted."""
        return sorted(self.places)

    @functools.cached_property
    def suffixes(self) -> dict[str, list[str]]:
        """The picture extensions of each stem."""
        suffixes_of: dict[str, list[str]] = defaultdict(list)
        for name in self.names:
            stem, suffix = split_suffix(name)
            if suffix:
                suffixes_of[stem].append(suffix)
        return suffixes_of

    def named(self, name: str, below: str = "", guess_suffix: bool = False) -> list[str]:
        """Paths of the files of this name, or else of those that only add a picture's extension to it.

        Args:
            name: without folder.
            below: what the path of its folder must end in.
            guess_suffix: whether an extension may be added.
        """
        names = [name]
        if guess_suffix and name not in self.places:
            names = [name + suffix for suffix in self.suffixes.get(name, ())]
        return [f"{place}/{one}" if place else one for one in names for place in self._places(one, below)]

    def matching(
        self, start: str, end: str, below: str = "", guess_suffix: bool = False
    ) -> list[tuple[str, str]]:
        """What stands between `start` and `end` in the names of the visible pictures that have both, and their paths.

        What stands there begins with the folder of the file and ends in its extension, so it differs among them.
        """
        found = []
        for position in range(bisect.bisect_left(self.names, start), len(self.names)):
            name = self.names[position]
            if not name.startswith(start):
                break
            stem, suffix = split_suffix(name)
            kept = stem if guess_suffix else name
            if not suffix or name.startswith(".") or len(kept) < len(start + end) or not kept.endswith(end):
                continue
            middle = kept[len(start) : len(kept) - len(end)]
            for place in self._places(name, below):
                found.append((os.path.join(place, f"{middle}{suffix}"), os.path.join(place, name)))
        return sorted(found)

    def _places(self, name: str, below: str) -> list[str]:
        places = self.places.get(name, [])
        return [place for place in places if f"/{place}".endswith(f"/{below}")] if below else places


def walk_files(folder: str) -> Iterator[tuple[str, str]]:
    """Every visible file below a folder: the folder it lies in, relative with forward slashes, and its name.

    Linked folders are followed, but none back into a folder that it lies in.

    >>> list(walk_files("/nowhere"))
    []
    """
    waiting: list[tuple[str, tuple[str, ...]]] = [("", ())]
    while waiting:
        place, parents = waiting.pop()
        path = os.path.join(folder, place)
        real = os.path.realpath(path)
        if real in parents or not os.path.isdir(path):
            continue
        with os.scandir(path) as entries:
            visible = [one for one in entries if not one.name.startswith(".") and one.name != "__MACOSX"]
        for entry in visible:
            if entry.is_dir():
                waiting.append((f"{place}/{entry.name}".lstrip("/"), (*parents, real)))
            elif entry.is_file():
                yield place, entry.name


def _list_flat(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if entry.is_file()]
    except (FileNotFoundError, NotADirectoryError):
        return []
