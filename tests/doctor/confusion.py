"""What was said of planted faults and of healthy runs, as a confusion table."""

from collections import Counter
from collections.abc import Collection, Sequence
from fnmatch import fnmatchcase
from typing import NamedTuple

from compkit.engine import Console


class Result(NamedTuple):
    """What was said of one variant.

    Attributes:
        expected: patterns of place/check; none: healthy.
        found: WARN and FAIL, as place/check with their messages.
    """

    name: str
    net: str
    seed: int
    expected: tuple[str, ...]
    found: dict[str, str]

    @property
    def named(self) -> list[str]:
        """What was found and expected."""
        return matching(self.found, self.expected)

    @property
    def is_right(self) -> bool:
        return bool(self.named) if self.expected else not self.found


def matching(places: Collection[str], patterns: Sequence[str]) -> list[str]:
    """Those places that a pattern takes in.

    >>> matching(["start/proofs.modes", "doctor/overfit"], ["start/*"])
    ['start/proofs.modes']
    """
    return [place for place in places if any(fnmatchcase(place, pattern) for pattern in patterns)]


def by_variant(done: Sequence[Result]) -> dict[str, list[Result]]:
    """The results of each variant, over networks and seeds."""
    found: dict[str, list[Result]] = {}
    for one in done:
        found.setdefault(one.name, []).append(one)
    return found


def counted(names: Sequence[str], of: int) -> str:
    """Names with how often each came: "gap 2, overfit" for two of three and three of three.

    >>> counted(["gap", "overfit", "gap"], of=2)
    'gap, overfit 1'
    """
    counts = Counter(names)
    return ", ".join(name if count == of else f"{name} {count}" for name, count in counts.most_common())


def rows(done: Sequence[Result]) -> list[list[str]]:
    """A row a fault: its name, what named it, what else spoke up, how many of the runs were named."""
    lines = []
    for name, group in by_variant([one for one in done if one.expected]).items():
        named = [short(place) for one in group for place in one.named]
        others = [short(place) for one in group for place in one.found if place not in one.named]
        right = sum(one.is_right for one in group)
        lines.append(
            [
                name.replace("_", " "),
                counted(named, len(group)) or "nothing",
                counted(others, len(group)),
                f"{right} of {len(group)}",
            ]
        )
    return lines


def short(place: str) -> str:
    """What a table says of a place: of a refusal only that it was one.

    >>> short("refused/train.csv: 5 ids occur more than once"), short("diagnosis/gap")
    ('refused', 'diagnosis/gap')
    """
    kind = place.partition("/")[0]
    return kind if kind in ("refused", "crashed") else place


def totals(done: Sequence[Result]) -> str:
    """How many faults were named, and how many healthy runs were accused."""
    ill, healthy = [one for one in done if one.expected], [one for one in done if not one.expected]
    return (
        f"Planted faults named: {sum(one.is_right for one in ill)} of {len(ill)} runs ({len(by_variant(ill))} faults). "
        f"Healthy runs with a WARN or FAIL: {sum(not one.is_right for one in healthy)} of {len(healthy)} "
        f"({len(by_variant(healthy))} variants)."
    )


COLUMNS = ["fault", "named by", "also said", "runs"]


def markdown(done: Sequence[Result]) -> str:
    """The table of the README."""
    lines = [totals(done), "", f"| {' | '.join(COLUMNS)} |", f"|{'---|' * len(COLUMNS)}"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows(done)]) + "\n"


def show_results(done: Sequence[Result], console: Console) -> None:
    """The table, then every wrong run with what was said of it."""
    console.table("planted faults", COLUMNS, rows(done))
    for one in done:
        if not one.is_right:
            wanted = " or ".join(one.expected) or "nothing"
            console.say(f"WRONG {one.name}, {one.net}, seed {one.seed}: expected {wanted}")
            for place, message in one.found.items():
                console.say(f"  {short(place)}: {message}")
    console.say(totals(done))
