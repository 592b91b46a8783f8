"""The pictures of a download by name, so that a cell of a table finds its file."""

import re
from collections import defaultdict
from collections.abc import Iterable
from functools import cached_property

from compkit.competition.paths import split_suffix
from compkit.layout.scan import Listing


class Pictures:
    """All pictures below a download's folder.

    Attributes:
        folders: names of the pictures directly in each folder, by its relative path; only folders that have some.
        count: how many pictures there are.

    >>> from compkit.layout.scan import Folder, Listing
    >>> from pathlib import Path
    >>> pictures = Pictures(Listing(Path("x"), {"train": Folder("train", ["7.png", "8.png"])}))
    >>> pictures.find("7"), pictures.find("8.png"), pictures.find("train/8.png"), pictures.find("9")
    (['train/7.png'], ['train/8.png'], ['train/8.png'], [])
    """

    def __init__(self, listing: Listing) -> None:
        self.folders = {
            path: sorted(folder.pictures)
            for path, folder in sorted(listing.folders.items())
            if folder.pictures
        }
        self.count = sum(map(len, self.folders.values()))

    @cached_property
    def by_stem(self) -> dict[str, list[str]]:
        """Relative paths of the pictures of each name without extension."""
        paths: dict[str, list[str]] = defaultdict(list)
        for folder, names in self.folders.items():
            before = f"{folder}/" if folder else ""
            for name in names:
                paths[split_suffix(name)[0]].append(before + name)
        return dict(paths)

    @cached_property
    def by_folder_name(self) -> dict[str, list[str]]:
        """Relative paths of the folders of each name that have pictures in or below them."""
        paths: dict[str, set[str]] = defaultdict(set)
        for folder in self.folders:
            parts = folder.split("/")
            for depth in range(1, len(parts) + 1):
                paths[parts[depth - 1]].add("/".join(parts[:depth]))
        return {name: sorted(found) for name, found in paths.items() if name}

    def find(self, cell: str) -> list[str]:
        """Pictures that a cell names: by path, by file name, or by file name without extension."""
        cell = cell.strip().removeprefix("./")
        stem = split_suffix(cell.rsplit("/", 1)[-1])[0]
        paths = self.by_stem.get(stem, [])
        if stem == cell:
            return paths
        return [path for path in paths if _ends_with(path, cell) or _ends_with(split_suffix(path)[0], cell)]

    def has(self, cell: str) -> bool:
        """Whether a cell names a picture, or a folder of pictures."""
        return bool(self.find(cell)) or cell in self.by_folder_name

    @cached_property
    def _all_names(self) -> str:
        """Every path on a line of its own, for searching inside names."""
        lines = (f"{folder}/{name}" for folder, names in self.folders.items() for name in names)
        return "\n".join(["", *lines, ""])

    def find_inside(self, cell: str, most: int = 300) -> list[tuple[str, str, str, int, str]]:
        """Pictures whose file name holds the cell as a word of its own, perhaps behind zeros.

        Returns:
            At most so many tuples: path, folder, text before the cell, its width in digits when zeros were found or
            else 0, text behind it.

        >>> from compkit.layout.scan import Folder, Listing
        >>> from pathlib import Path
        >>> pictures = Pictures(Listing(Path("x"), {"train": Folder("train", ["img_007_red.png", "img_117_red.png"])}))
        >>> pictures.find_inside("7")
        [('train/img_007_red.png', 'train', 'img_', 3, '_red.png')]
        """
        if not cell:
            return []
        is_number = cell.isascii() and cell.isdigit()
        # digits may follow letters directly: img0007.png
        word = (
            rf"(?<![0-9])0*{cell}(?![0-9])"
            if is_number
            else rf"(?<![0-9A-Za-z]){re.escape(cell)}(?![0-9A-Za-z])"
        )
        text, found = self._all_names, []
        for match in re.finditer(word, text):
            first, last = text.rfind("\n", 0, match.start()) + 1, text.find("\n", match.end())
            slash = text.rfind("/", first, last)
            if match.start() > slash:
                width = len(match[0]) if len(match[0]) > len(cell) else 0
                path = text[first:last].removeprefix("/")
                before, behind = text[slash + 1 : match.start()], text[match.end() : last]
                found.append((path, text[first:slash], before, width, behind))
            if len(found) == most:
                break
        return found

    def below(self, folder: str) -> Iterable[str]:
        """Relative paths of all pictures in and below a folder."""
        for path, names in self.folders.items():
            if path == folder or path.startswith(f"{folder}/") or not folder:
                yield from (f"{path}/{name}" if path else name for name in names)

    def count_below(self, folder: str) -> int:
        """How many pictures lie in and below a folder."""
        return sum(
            len(names)
            for path, names in self.folders.items()
            if path == folder or path.startswith(f"{folder}/") or not folder
        )


def _ends_with(path: str, tail: str) -> bool:
    """Whether a path ends with whole parts of another."""
    return path == tail or path.endswith(f"/{tail}")
