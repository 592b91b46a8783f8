"""Which of several files a row's picture is: not its mask, not its thumbnail; or one channel of it each."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from compkit.competition.paths import split_suffix
from compkit.layout.findings import Findings
from compkit.layout.hits import NEARLY_ALL, Pattern
from compkit.layout.ids import channels_of
from compkit.layout.looks import Looks, is_larger, look_at
from compkit.layout.pictures import Pictures


@dataclass(frozen=True)
class Choice:
    """Where the pictures of some rows lie.

    Attributes:
        text: the pattern, {id} for the cell of the column.
        folder: that they all lie below.
        channel_files: when each channel is a file of its own.
        looks: of sampled pictures; None when none can be read.
        many: several pictures a row.
        share: of the rows that have one.
        why: the evidence.
        cell: what a cell of the column holds.
    """

    text: str
    folder: str
    channel_files: tuple[str, ...]
    looks: Looks | None
    many: bool
    share: float
    why: str
    cell: str = "{id}"


class ImageChooser:
    """Chooses among the patterns that lead from cells to files.

    Args:
        root: the download.
        pictures: all there are.
        found: where doubts are written.
    """

    def __init__(self, root: Path, pictures: Pictures, found: Findings) -> None:
        self.root, self.pictures, self.found = root, pictures, found
        self._look = cache(lambda paths: look_at(root, paths))

    def choose(
        self,
        patterns: Sequence[Pattern],
        rows: int,
        key: str,
        others: Sequence[Pattern] = (),
        same_names: bool = False,
        other: Choice | None = None,
    ) -> Choice | None:
        """The pattern to use; None without any.

        Args:
            patterns: those that lead from cells to files.
            rows: how many different cells there are.
            key: train_images or test_images, to ask about.
            others: the patterns of the other part, as what lies beside pictures often has no counterpart there.
            same_names: training and test pictures have the same names, and so lie in different folders.
            other: what was chosen for the other part.
        """
        if not patterns:
            return None
        most = max(one.share for one in patterns)
        whole = [one for one in patterns if one.share >= NEARLY_ALL * most]
        whole = [one for one in whole if not one.ambiguous] or whole
        whole = [one for one in whole if not one.many] or whole
        wanted = () if other is None else other.channel_files
        family = self._channels(whole, wanted, same_names)
        if family is not None:
            return family
        matched = [one for one in whole if any(_are_counterparts(one, another) for another in others)]
        whole = matched or whole
        if same_names:
            avoided = None if other is None else other.folder
            whole = [one for one in whole if one.folder != avoided] or whole
            whole = [one for one in whole if self.pictures.count_below(one.folder) == rows] or whole
        return self._best(whole, rows, key, other)

    def _channels(
        self, patterns: Sequence[Pattern], wanted: Sequence[str], same_names: bool
    ) -> Choice | None:
        """Files that are the channels of one picture; asked about, as they may be something else."""
        for family in channels_of(patterns):
            if same_names and family[0].suffix.startswith("\n"):
                continue  # the folders of train and test
            looks = [self._look(one.examples) for one in family]
            names = [one.suffix.strip("\n") for one in family]
            if wanted and set(wanted) <= set(names):
                family = [family[names.index(name)] for name in wanted]
                return self._as_channels(family, looks[0])
            seen = [one for one in looks if one is not None]
            if wanted or len(seen) < len(family):
                continue
            alike = len({(one.height, one.width, one.channels, one.bits) for one in seen}) == 1
            if not alike or any(one.is_mask or one.channels != 1 for one in seen):
                continue
            choice = self._as_channels(family, looks[0])
            choices: list[tuple[object, str]] = [
                (list(choice.channel_files), "channels of one picture, each stored alone"),
                (
                    None,
                    f"different pictures: then channels=1, and for train_images one of {[one.text for one in family]}",
                ),
            ]
            text = f"Each row has {len(family)} grey files of the same size. Are they the channels of one picture?"
            self.found.ask("channel_files", text, choices, list(choice.channel_files))
            return choice
        return None

    def _as_channels(self, family: Sequence[Pattern], looks: Looks | None) -> Choice:
        first = family[0]
        names = tuple(one.suffix.strip("\n") for one in family)
        why = f"each row has {len(family)} grey files of one size: {', '.join(names)}"
        if first.suffix.startswith("\n"):
            parent, _, _ = first.folder.rpartition("/")
            rest = first.text.removeprefix(first.folder)
            text = f"{parent}/{{channel}}{rest}" if parent else f"{{channel}}{rest}"
            return Choice(text, parent, names, looks, False, first.share, why)
        stem, extension = split_suffix(first.text)
        bare = stem.removesuffix(first.suffix)
        if bare.endswith("/"):
            return Choice(
                f"{bare}{{channel}}{extension}", first.folder, names, looks, False, first.share, why
            )
        return Choice(f"{bare}{extension}", first.folder, names, looks, False, first.share, why)

    def _best(self, patterns: Sequence[Pattern], rows: int, key: str, other: Choice | None) -> Choice:
        """Pictures rather than masks, the largest ones, like the other part's; asked when several are equal."""
        looks = {one.text: self._look(one.examples) for one in patterns}
        kept = [one for one in patterns if looks[one.text] is not None] or list(patterns)
        masks = [one for one in kept if _is_mask(looks[one.text])]
        if masks and len(masks) < len(kept):
            kept = [one for one in kept if one not in masks]
            self.found.note(f"{', '.join(one.text for one in masks)}: masks, no pictures to learn from")
        largest = max(kept, key=lambda one: _pixels(looks[one.text]))
        equal = [
            one for one in kept if one is largest or not _is_smaller(looks[one.text], looks[largest.text])
        ]
        smaller = [one for one in kept if one not in equal]
        if smaller:
            told = ", ".join(f"{one.text} ({_size(looks[one.text])})" for one in smaller)
            self.found.note(f"{told}: smaller versions of the same pictures, left aside")
        if other is not None:
            equal = [one for one in equal if _same_form(one.text, other.text)] or equal
        chosen = _likeliest(equal, key)
        why = f"{chosen.share:.0%} of {rows} cells have a file, {_size(looks[chosen.text])}"
        if len(equal) > 1:
            choices: list[tuple[object, str]] = [
                (one.text, f"{one.share:.0%} of the cells, {_size(looks[one.text])}") for one in equal
            ]
            self.found.ask(key, "Several files fit every row equally well.", choices, chosen.text)
        return Choice(
            chosen.text, chosen.folder, (), looks[chosen.text], chosen.many, chosen.share, why, chosen.cell
        )


def _are_counterparts(one: Pattern, other: Pattern) -> bool:
    """Whether two patterns differ in one folder at most: train/{id}.jpg and test/{id}.jpg."""
    ours, theirs = one.text.split("/"), other.text.split("/")
    if len(ours) != len(theirs):
        return False
    differ = [place for place, pair in enumerate(zip(ours, theirs, strict=True)) if pair[0] != pair[1]]
    return len(differ) <= 1 and _same_form(one.text, other.text)


def _same_form(one: str, other: str) -> bool:
    """Whether two patterns name files in the same way, whatever their folders are."""
    return one.rpartition("/")[2] == other.rpartition("/")[2]


def _likeliest(patterns: Sequence[Pattern], key: str) -> Pattern:
    """Of patterns that serve equally well the one whose folder is called like its part."""
    word = key.removesuffix("_images")
    return next((one for one in patterns if word in one.folder.casefold()), patterns[0])


def _is_mask(looks: Looks | None) -> bool:
    return looks is not None and looks.is_mask


def _pixels(looks: Looks | None) -> int:
    return 0 if looks is None else looks.pixels


def _is_smaller(looks: Looks | None, largest: Looks | None) -> bool:
    return looks is None or (largest is not None and is_larger(largest, looks))


def _size(looks: Looks | None) -> str:
    return "not readable" if looks is None else f"{looks.width} x {looks.height} pixels"
