"""A run's folder: claimed once, continued only by the same config, described so that it can be repeated."""

import importlib.metadata
import json
import math
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch
import yaml

from compkit.engine import describe_hardware
from compkit.files import write_text
from compkit.privacy import private, private_code, private_tree

# keys that may differ between a run and its continuation: they change how long and where it runs, not what
FREE_KEYS = (
    "resume",
    "epochs",
    "train_folds",
    "num_workers",
    "data_dir",
    "output_dir",
    "logger",
    "trainer.device",
    "trainer.early_stopping_epochs",
    "trainer.checkpoint_every_steps",
    "trainer.max_hours",
    "inference.batch_size",
    "explain",
    "doctor",
    "competition.path",
)
PACKAGES = ("torch", "timm", "albumentations", "opencv-python-headless", "scikit-learn", "numpy", "pandas")
MAX_DIFF = 200_000  # characters of uncommitted changes kept


def check_name(name: str, folder: Path, resume: bool) -> None:
    """Refuse a name that is no plain folder name, or that another run has.

    Raises:
        ValueError: the name is taken and `resume` false, or it has characters other than letters, digits and . _ -
    """
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*", name):
        raise ValueError(
            f"name={name!r}: expected letters, digits and . _ - only. Set name=my_run, for example."
        )
    if not resume and folder.exists() and any(folder.iterdir()):
        raise ValueError(
            f"{folder} exists already, and a run never overwrites another. Set resume=true to continue it, "
            "name=… for a new run, or delete the folder."
        )


def check_writable(folder: Path) -> None:
    """Refuse a place where nothing can be written, before hours are spent on what is to be written there.

    Raises:
        PermissionError: naming the folder and the key.
    """
    parent = next(path for path in (folder, *folder.parents) if path.exists())
    probe = parent / f".tmp-{folder.name}-write-test"
    try:
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise PermissionError(
            f"{parent}: cannot write here ({error.strerror}). "
            "Set output_dir=… to a folder of yours, or free some space."
        ) from error


def check_finished(folder: Path) -> None:
    """Refuse a run that has not come to its end.

    Raises:
        ValueError: naming the files that it lacks.
    """
    missing = [name for name in ("metrics.json", "oof.parquet", "folds.csv") if not (folder / name).is_file()]
    if missing:
        raise ValueError(
            f"run={folder}: lacks {', '.join(missing)}, so it has not finished. Continue it: python train.py … "
            f"name={folder.resolve().name} resume=true."
        )


def open_run(folder: Path, config: dict[str, Any], overrides: list[str], device: torch.device) -> None:
    """Make or continue the folder and describe the run in it: config.yaml, overrides.txt, environment.json.

    Raises:
        ValueError: the folder holds a run of another config.
    """
    path, config = folder / "config.yaml", private_tree(config)
    if path.is_file():
        old = private_tree(yaml.safe_load(path.read_text(encoding="utf-8")))
        changes = differences(old, config)
        if changes:
            raise ValueError(
                f"{folder}: resume=true with other settings than the run was started with: {'; '.join(changes)}. "
                "Use the same ones, or set name=… for a new run."
            )
    folder.mkdir(parents=True, exist_ok=True)
    for torn in folder.rglob(".tmp-*"):  # what a killed process had not finished writing
        torn.unlink()
    write_text(path, yaml.safe_dump(config, sort_keys=False, allow_unicode=True))
    write_text(folder / "overrides.txt", private("".join(f"{override}\n" for override in overrides)))
    write_text(folder / "environment.json", json_text(describe_environment(device)))


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Keys whose values differ, except those that may.

    >>> differences({"lr": 0.1, "epochs": 3}, {"lr": 0.2, "epochs": 5})
    ['lr was 0.1, is 0.2']
    """
    before, after = _flat(old), _flat(new)
    return [
        f"{key} was {before.get(key)}, is {after.get(key)}"
        for key in [*before, *(key for key in after if key not in before)]
        if before.get(key) != after.get(key)
        and not any(f"{key}.".startswith(f"{free}.") for free in FREE_KEYS)
    ]


def describe_environment(device: torch.device) -> dict[str, Any]:
    """Versions, git commit and uncommitted changes, hardware: what is needed to repeat a run."""
    return {
        "python": platform.python_version(),
        "compkit": importlib.metadata.version("compkit"),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
        "git_commit": _git("rev-parse", "HEAD"),
        "git_diff": private_code(_git("diff", "HEAD") or "")[:MAX_DIFF],
        "hardware": describe_hardware(device) | {"threads": torch.get_num_threads()},
        "command": Path(sys.argv[0]).name,
    }


def json_text(value: Any) -> str:
    """JSON as it is written everywhere in a run's folder, without secrets; a score that could not be computed is null.

    >>> json_text({"auc": float("nan")})
    '{\\n  "auc": null\\n}\\n'
    """
    plain = private_tree(_without_nan(value))
    return json.dumps(plain, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _without_nan(value: Any) -> Any:
    """NaN and infinities, which JSON has no word for, as None."""
    if isinstance(value, dict):
        return {key: _without_nan(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _git(*arguments: str) -> str | None:
    """What git says of the source tree that compkit runs from; None outside one."""
    try:
        done = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), *arguments],
            capture_output=True,
            text=True,
            timeout=10,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _flat(node: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(node, dict):
        return {prefix: node}
    flat: dict[str, Any] = {}
    for key, value in node.items():
        flat |= _flat(value, f"{prefix}.{key}" if prefix else str(key))
    return flat
