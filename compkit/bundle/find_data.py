"""Where a competition's files lie among the inputs of a notebook."""

import json
from pathlib import Path

from compkit.bundle.manifest import MANIFEST

LEVELS = ("", "*/", "*/*/", "*/*/*/")


def find_data(place: str | Path, bundle: str | Path) -> Path:
    """The competition's folder: below `place`, the one that holds the sample submission the bundle's runs are for.

    Args:
        place: where inputs are attached, such as /kaggle/input.
        bundle: the folder that scripts/bundle.py made; nothing in it is looked at but bundle.json.

    Raises:
        FileNotFoundError: there is none.
        ValueError: there are several.
    """
    place, bundle = Path(place), Path(bundle)
    about = json.loads((bundle / MANIFEST).read_text(encoding="utf-8"))
    sample, named = str(about["sample_submission"]), about["competition_slug"]
    roots = [
        root for root in (place / str(named), place / "competitions" / str(named)) if named and root.is_dir()
    ]
    for level in LEVELS:  # the nearest wins: a copy deeper below is no other competition
        files = [file for root in roots or [place] for file in sorted(root.glob(level + sample))]
        depth = len(Path(sample).parts)
        folders = [
            file.parents[depth - 1] for file in files if not file.resolve().is_relative_to(bundle.resolve())
        ]
        if len(folders) > 1:
            told = ", ".join(str(folder) for folder in folders[:5])
            raise ValueError(f"{sample} lies in several folders: {told}. Set DATA to the competition's.")
        if folders:
            return folders[0]
    raise FileNotFoundError(
        f"{place}: no {sample} in it or up to three folders below. Attach the competition as an input, or set DATA to "
        "its folder."
    )
