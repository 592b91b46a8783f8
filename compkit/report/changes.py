"""What sets one run apart from another: settings that differ, said as one would type them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from compkit.privacy import without_home

# where and under which name a run happened, not what it was
NOT_SETTINGS = (
    "competition.path",
    "data_dir",
    "logger",
    "made",
    "name",
    "num_workers",
    "output_dir",
    "resume",
    "run",
    "runs",
    "trainer.device",
    "trust",
)
MOST = 6  # differences shown where only config.yaml tells them


@dataclass(frozen=True)
class Settings:
    """What a run was started with: config.yaml, overrides.txt, and when."""

    config: dict[str, Any]
    overrides: Sequence[str]
    started: str

    @property
    def kind(self) -> str:
        """trained, or the command that made the run of others."""
        return str((self.config.get("made") or {}).get("by", "trained"))

    @property
    def made_of(self) -> list[str]:
        """Names of the runs that it was made of."""
        made = self.config.get("made") or {}
        runs = made.get("runs") or made.get("run") or []
        return [Path(str(one)).name for one in ([runs] if isinstance(runs, str) else runs)]


def read_settings(run: Path) -> Settings | None:
    """What the run was started with; None when that cannot be read."""
    try:
        config = yaml.safe_load((run / "config.yaml").read_text(encoding="utf-8"))
        overrides = run / "overrides.txt"
        given = overrides.read_text(encoding="utf-8").splitlines() if overrides.is_file() else []
        return Settings(config, given, started(run)) if isinstance(config, dict) else None
    except (OSError, ValueError, yaml.YAMLError):
        return None


def started(run: Path) -> str:
    """The time of the first line of train.log, which survives copying, else that of config.yaml's last change."""
    log = run / "train.log"
    first = ""
    if log.is_file():
        with log.open(encoding="utf-8", errors="replace") as lines:
            first = lines.readline()[:19]
    return first or f"{datetime.fromtimestamp((run / 'config.yaml').stat().st_mtime):%Y-%m-%d %H:%M:%S}"


def changes(name: str, runs: Mapping[str, Settings | None]) -> tuple[str, tuple[str, ...]]:
    """The run's parent, and the settings in which it differs from it.

    The parent is the run it was made of, else the oldest trained one. A run made of others has its own command's
    arguments; a trained one the overrides that the parent had not, or had otherwise; where the command lines are the
    same, what differs in config.yaml.

    Args:
        name: of the run.
        runs: all runs of the competition by name; None for one that cannot be read.

    Returns:
        Name of the parent, "" for the oldest run, whose own overrides are the changes; the changes.
    """
    own = runs[name]
    assert own is not None
    known = {other: one for other, one in runs.items() if one is not None}
    trained = [other for other, one in known.items() if one.kind == "trained"]
    oldest = min(trained, key=lambda other: known[other].started, default=name)
    parents = [other for other in own.made_of if other in known and other != name] or [oldest]
    parent = parents[0]
    if parent == name or own.kind != "trained":
        given = tuple(f"{key}={value}" for key, value in _given(own).items())
        return ("" if parent == name else parent), tuple(map(without_home, given))
    return parent, tuple(map(without_home, differing(own, known[parent])))


def differing(own: Settings, parent: Settings) -> list[str]:
    """Settings that differ, as overrides.

    >>> parent = Settings({"lr": 0.1, "epochs": 5}, ["lr=0.1"], "")
    >>> differing(Settings({"lr": 0.001, "epochs": 9}, ["epochs=9"], ""), parent)
    ['epochs=9', 'lr=0.001']
    """
    mine, theirs = _given(own), _given(parent)
    found = [f"{key}={value}" for key, value in mine.items() if theirs.get(key) != value]
    ours, before = dict(leaves(own.config)), dict(leaves(parent.config))
    for key in theirs:
        if key not in mine:  # back to the default, which is in the config where the key is no group
            found.append(f"{key}={ours[key]}" if key in ours else f"{key} as by default")
    if found:
        return found
    keys = [
        key
        for key in dict.fromkeys([*ours, *before])
        if ours.get(key) != before.get(key) and setting_counts(key)
    ]
    more = [f"and {len(keys) - MOST} more"] if len(keys) > MOST else []
    return [f"{key}={ours.get(key)}" for key in keys[:MOST]] + more


def _given(settings: Settings) -> dict[str, str]:
    """Overrides by key, without those that are no settings."""
    pairs = [override.lstrip("+~").partition("=") for override in settings.overrides]
    return {key: value for key, _, value in pairs if setting_counts(key)}


def setting_counts(key: str) -> bool:
    """Whether a key says what a run was, rather than where it happened."""
    return not any(f"{key}.".startswith(f"{one}.") for one in NOT_SETTINGS)


def leaves(node: Any, prefix: str = "") -> list[tuple[str, Any]]:
    """Dotted keys and values of a config."""
    if not isinstance(node, dict):
        return [(prefix, node)]
    return [
        leaf
        for key, value in node.items()
        for leaf in leaves(value, f"{prefix}.{key}" if prefix else str(key))
    ]
