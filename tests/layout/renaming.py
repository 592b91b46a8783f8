"""The same download under names that say nothing: whoever decides by names gets lost."""

import dataclasses
from pathlib import Path

import numpy as np

from .material import Facts


def rename(root: Path, facts: Facts, seed: int) -> Facts:
    """Give tables and top folders names such as t2.csv and d1; the facts, under the new names.

    Folders that a table's cells mention, and what lies in archives, keep their names.
    """
    rng = np.random.default_rng(seed)
    tables = sorted(file for file in root.rglob("*.csv") if file.is_file())
    text = "\n".join(file.read_text(encoding="utf-8-sig") for file in tables)
    new = {}
    for place, file in zip(rng.permutation(len(tables)), tables, strict=True):
        new[str(file.relative_to(root))] = str(file.relative_to(root).with_name(f"t{place}.csv"))
        file.rename(file.with_name(f"t{place}.csv"))
    folders = sorted(one for one in root.iterdir() if one.is_dir() and not one.name.startswith("__"))
    for place, folder in zip(rng.permutation(len(folders)), folders, strict=True):
        if f"{folder.name}/" not in text:
            new[f"{folder.name}/"] = f"d{place}/"
            folder.rename(root / f"d{place}")

    def renamed(value: object) -> object:
        if isinstance(value, dict):
            return {renamed(name): renamed(one) for name, one in value.items()}
        if isinstance(value, list):
            return [renamed(one) for one in value]
        for old, name in new.items():
            if isinstance(value, str) and value.startswith(old):
                value = name + value.removeprefix(old)
        return value

    return dataclasses.replace(
        facts,
        sample=None if facts.sample is None else str(renamed(facts.sample)),
        answers={key: renamed(value) for key, value in facts.answers.items()},
        told=[str(renamed(word)) for word in facts.told],
    )
