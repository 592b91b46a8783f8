"""The notebook that predicts on the target, and the pages that upload it and the bundle."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

from compkit.bundle.manifest import MANIFEST

USER = "USERNAME"  # stands where the person who uploads puts a Kaggle user name

ABOUT = """# Predict with the bundle `{name}`

Made by `scripts/bundle.py`. Nothing is downloaded: compkit and what this image lacks are installed from the bundle.

* A valid `submission.csv` is there from the start on, with the training prior, and better after each fold.
* `MAX_MINUTES` is for everything below. With too little of it, pictures are seen by fewer views, then by fewer folds.
* All GPUs are used. Test pictures that cannot be read get the training prior, and are named in the log.
* How many rows there are is looked up when this runs: the hidden test set may be larger than the visible one.

Attach the bundle and the competition as inputs, switch the internet off, and run all cells."""

SETTINGS = """import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # it would ask the network for its newest version
STARTED = time.monotonic()
INPUT = Path(os.environ.get("COMPKIT_INPUT", "/kaggle/input"))  # where inputs are attached
OUTPUT = Path(os.environ.get("COMPKIT_OUTPUT", "/kaggle/working"))
DATA = None  # the competition's folder; None = looked for below INPUT
MAX_MINUTES = {max_minutes}  # for all cells together; None = no limit

levels = ("*", "*/*", "*/*/*", "*/*/*/*")
found = [path for level in levels for path in sorted(INPUT.glob(level + "/{manifest}"))]
BUNDLE = next(path.parent for path in found if json.loads(path.read_text())["name"] == {name!r})
print(BUNDLE)"""

INSTALL = """wheels = ["--no-index", "--find-links", str(BUNDLE / "wheels")]
subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", *wheels, "compkit"], check=True)
importlib.invalidate_caches()"""

PREDICT = """from compkit.bundle import find_data, predict

DATA = Path(DATA) if DATA else find_data(INPUT, BUNDLE)
minutes = None if MAX_MINUTES is None else max(MAX_MINUTES - (time.monotonic() - STARTED) / 60, 0.01)
submission = predict(BUNDLE, DATA, OUTPUT, max_minutes=minutes)"""

SHOW = """with submission.open() as lines:
    print("".join(next(lines, "") for _ in range(5)))"""


class Upload(NamedTuple):
    """How a bundle is called on Kaggle.

    Attributes:
        name: of the bundle: letters, digits and dashes.
        competition: the competition's name in Kaggle's addresses; None leaves it to be filled in.
        max_minutes: what the notebook may take; None is no limit.
    """

    name: str
    competition: str | None
    max_minutes: float | None


def slug(text: str) -> str:
    """A name as Kaggle's addresses have it.

    >>> slug("Leaf_blend 2")
    'leaf-blend-2'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def notebook(upload: Upload) -> dict[str, Any]:
    """The notebook, as .ipynb holds it."""
    settings = SETTINGS.format(manifest=MANIFEST, name=upload.name, max_minutes=upload.max_minutes)
    cells = [_cell("markdown", ABOUT.format(name=upload.name), 0)]
    cells += [_cell("code", code, at) for at, code in enumerate((settings, INSTALL, PREDICT, SHOW), start=1)]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    about = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5}


def code_of(path: Path) -> str:
    """The code cells of a notebook, one after the other, as a script.

    Raises:
        ValueError: it is no notebook.
    """
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code") + "\n"
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: no notebook ({type(error).__name__}). Make the bundle anew.") from error


def kernel_metadata(upload: Upload) -> dict[str, Any]:
    """kernel-metadata.json, for `kaggle kernels push`: GPUs, no internet."""
    return {
        "id": f"{USER}/{upload.name}-predict",
        "title": f"{upload.name}-predict",
        "code_file": "predict.ipynb",
        "language": "python",
        "kernel_type": "notebook",
        "is_private": True,
        "enable_gpu": True,
        "enable_tpu": False,
        "enable_internet": False,
        "dataset_sources": [f"{USER}/{upload.name}"],
        "competition_sources": [upload.competition] if upload.competition else [],
        "kernel_sources": [],
        "model_sources": [],
    }


def dataset_metadata(upload: Upload) -> dict[str, Any]:
    """dataset-metadata.json, for `kaggle datasets create`."""
    return {"id": f"{USER}/{upload.name}", "title": upload.name, "licenses": [{"name": "other"}]}


def _cell(kind: str, text: str, number: int) -> dict[str, Any]:
    lines = text.splitlines(keepends=True)
    cell: dict[str, Any] = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": lines}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})
