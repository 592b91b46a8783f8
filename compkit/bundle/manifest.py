"""bundle.json: what a bundle consists of, and whether every file of it is the one that was put in."""

import json
import os
from pathlib import Path, PurePosixPath
from typing import Any

from compkit.files import file_hash, write_text
from compkit.run.folder import json_text

MANIFEST = "bundle.json"
FORMAT = 1
# the person who uploads writes a user name into these, and perhaps another time limit
OWN_TO_EDIT = ("predict.ipynb", "kernel-metadata.json", "dataset-metadata.json")


def write_manifest(root: Path, content: dict[str, Any]) -> None:
    """Write bundle.json over all files below root but those that are yours to edit."""
    found = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*")) if path.is_file()}
    files = {name: file_hash(path) for name, path in found.items() if name not in (*OWN_TO_EDIT, MANIFEST)}
    write_text(root / MANIFEST, json_text({"format": FORMAT, **content, "files": files}))


def read_manifest(root: Path) -> dict[str, Any]:
    """What bundle.json says, once every file has been found to be the one it tells of.

    Files are only looked at below `root`; nothing that they contain is used before all of them are checked.

    Raises:
        FileNotFoundError: no bundle there, or a file is missing.
        ValueError: a damaged or foreign bundle.json, a name or link that leads out of the bundle, a file that was
            changed, or one in runs/ that nobody told of.
    """
    path = root / MANIFEST
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such file; expected a folder that scripts/bundle.py made. Set its path."
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        files = {str(name): str(digest) for name, digest in content["files"].items()}
        version = content["format"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"{path}: damaged ({type(error).__name__}: {error}). Make the bundle anew."
        ) from error
    if version != FORMAT:
        raise ValueError(f"{path}: of format {version!r}; this compkit reads {FORMAT}. Make the bundle anew.")
    for name, digest in files.items():
        if file_hash(inside(root, name)) != digest:
            raise ValueError(
                f"{root / name}: not the file that was bundled, by its SHA-256. Upload the bundle again."
            )
    for folder, _, names in os.walk(root / "runs", followlinks=True):
        for one in names:
            name = (Path(folder) / one).relative_to(root).as_posix()
            if name not in files:
                raise ValueError(
                    f"{root / name}: {MANIFEST} does not tell of this file. Upload the bundle again."
                )
    return content


def inside(root: Path, name: str) -> Path:
    """The file of that name, which lies in the bundle in truth and not only by its name.

    Raises:
        FileNotFoundError: there is none.
        ValueError: the name, or a link on the way, leads out of the bundle.
    """
    parts = PurePosixPath(name).parts
    leads_out = not parts or name.startswith("/") or ".." in parts or "\\" in name or "\0" in name
    path = root if leads_out else root / name
    if leads_out or not path.resolve().is_relative_to(root.resolve()):
        raise ValueError(
            f"{root}: {name!r} leads out of the bundle; expected files inside it. Do not use this bundle."
        )
    if not path.is_file():
        raise FileNotFoundError(f"{path}: missing, though {MANIFEST} tells of it. Upload the bundle again.")
    return path
