"""Imports point one way, as CONTRIBUTING.md says."""

import ast
from pathlib import Path

import pytest

from .commands import ROOT

BASE = {"deadline", "files", "findings", "privacy", "randomness", "ranges", "types"}
PARTS = {"data", "models", "losses", "metrics", "optim", "competition", "augment"}
USERS = {
    "layout",
    "inference",
    "pictures",
    "engine",
    "ensemble",
    "explain",
    "kaggle",
    "semi",
    "report",
    "demo",
    "diagnosis",
    "postprocess",
    "probes",
    "results",
}
ABOVE = {
    **dict.fromkeys(sorted(PARTS), BASE),
    **dict.fromkeys(sorted(USERS), BASE | PARTS | USERS),
    "run": BASE | PARTS | USERS,
    "inspection": BASE | PARTS | USERS | {"run"},
    "doctor": BASE | PARTS | USERS | {"run"},
    "pipeline": BASE | PARTS | USERS | {"run", "doctor"},
    "derived": BASE | PARTS | USERS | {"run", "pipeline"},
    "bundle": BASE | PARTS | USERS | {"run", "pipeline", "derived", "build", "cli"},
    "trials": BASE | PARTS | USERS | {"run", "doctor", "pipeline", "derived", "build"},
}


def imported(path: Path) -> set[str]:
    """Names directly below compkit that a module imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names |= {module.split(".")[1] for module in modules if module.startswith("compkit.")}
    return names


@pytest.mark.parametrize("part", ABOVE)
def test_imports_point_one_way(part):
    place = ROOT / "compkit" / part
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    for path in files:
        strangers = imported(path) - ABOVE[part] - {part}
        assert not strangers, f"{path.relative_to(ROOT)} imports {sorted(strangers)}"
