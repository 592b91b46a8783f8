"""The bundle's own notebook, run as on the target: a fresh environment, nothing of this project, no network."""

import os
import subprocess
import sys
import tempfile
import venv
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pandas as pd
from packaging.tags import sys_tags
from packaging.utils import parse_wheel_filename

from compkit.bundle.notebook import code_of
from compkit.bundle.opened import Bundle, open_bundle
from compkit.bundle.scrub import read_yaml
from compkit.bundle.sources import read_runs
from compkit.competition.table import read_table
from compkit.engine import Console
from compkit.results import read_test
from compkit.types import Predictions

TOLERANCE = 1e-6  # of predictions, and for values beyond 1 of their size
SHOWN = 25  # lines of a notebook that failed
KEPT = ("PATH", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "OMP_WAIT_POLICY", "TMPDIR")
NO_NETWORK = '''"""Sockets that reach other machines are refused."""

import socket


def refuse(*arguments, **named):
    raise OSError("there is no network here")


class Local(socket.socket):
    def connect(self, address):
        return super().connect(address) if self.family == socket.AF_UNIX else refuse()

    connect_ex = connect


socket.socket, socket.create_connection, socket.getaddrinfo = Local, refuse, refuse
'''


def check_bundle(bundle: Path, runs: Sequence[str | Path], data: Path | None, console: Console) -> float:
    """Run the bundle's notebook and compare what it predicts with the runs' own test.parquet.

    Args:
        bundle: the folder that `make_bundle` wrote.
        runs: those it was made of, in their order.
        data: the competition's folder; None is where the first run was trained.
        console: told the figures.

    Returns:
        the largest difference of a prediction.

    Raises:
        ValueError: the notebook fails, or predicts something else than the runs.
    """
    folders = read_runs(runs)
    data = data or Path(read_yaml(folders[0] / "config.yaml")["competition"]["path"])
    with tempfile.TemporaryDirectory() as place:
        output = run_notebook(bundle, data, Path(place), console)
        opened = open_bundle(bundle, data)
        lines, worst = [], 0.0
        for folder, name in zip(folders, opened.tops, strict=True):
            rows, difference = compare(
                folder / "test.parquet", output / "predictions" / f"{name}.parquet", opened
            )
            worst = max(worst, difference)
            lines.append([name, rows, f"{difference:.2g}", "yes" if difference <= TOLERANCE else "NO"])
        theirs = expected_submission(folders, opened, Path(place))
        same = same_submission(theirs, output / "submission.csv")
        lines.append(["submission.csv", len(read_table(theirs, "submission")), "", "yes" if same else "NO"])
    console.table("the notebook against the runs", ["", "rows", "largest difference", "equal"], lines)
    if worst > TOLERANCE or not same:
        raise ValueError(
            f"{bundle}: its notebook predicts otherwise than {', '.join(map(str, runs))}: predictions differ by up to "
            f"{worst:.2g}, at most {TOLERANCE:g} is rounding. Were the runs predicted on another device or precision? "
            "Predict them again with scripts/predict.py, and make the bundle anew."
        )
    return worst


def run_notebook(bundle: Path, data: Path, place: Path, console: Console) -> Path:
    """Run the code of predict.ipynb; returns the folder it wrote to.

    Args:
        bundle: the folder.
        data: the competition's folder.
        place: an empty folder for everything.
        console: told what the notebook says.

    Raises:
        ValueError: it fails, with its last words.
    """
    python = make_environment(place / "venv", shipped(bundle))
    inputs, output, home = place / "input", place / "working", place / "home"
    for folder in (inputs, output, home):
        folder.mkdir()
    (inputs / "bundle").symlink_to(bundle.resolve(), target_is_directory=True)
    (inputs / "competition").symlink_to(data.resolve(), target_is_directory=True)
    script = place / "predict.py"
    script.write_text(code_of(bundle / "predict.ipynb"), encoding="utf-8")
    nowhere = "http://127.0.0.1:9"
    environment = {name: os.environ[name] for name in KEPT if name in os.environ} | {
        "HOME": str(home),
        "COMPKIT_INPUT": str(inputs),
        "COMPKIT_OUTPUT": str(output),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), nowhere),
    }
    console.say("running predict.ipynb in a fresh environment without network")
    done = subprocess.run(
        [str(python), "-u", str(script)],
        cwd=output,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    console.say("\n".join(f"  | {line}" for line in done.stdout.splitlines()))
    if done.returncode:
        last = "\n".join(done.stdout.splitlines()[-SHOWN:])
        raise ValueError(f"{bundle / 'predict.ipynb'}: fails with status {done.returncode}:\n{last}")
    return output


def make_environment(folder: Path, hidden: Sequence[str]) -> Path:
    """A fresh environment that sees the packages of this one, but neither this project nor the hidden ones.

    Returns:
        its python.
    """
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    packages = next((folder / "lib").glob("python*")) / "site-packages"
    view = folder / "packages"
    view.mkdir()
    out_of_sight = _top_names(hidden)
    for path in map(Path, sys.path):
        if path.name in ("site-packages", "dist-packages") and path.is_dir():
            for entry in path.iterdir():
                is_own = "compkit" in entry.name.lower()
                if not is_own and entry.name not in out_of_sight and not (view / entry.name).exists():
                    (view / entry.name).symlink_to(entry)
    (packages / "view.pth").write_text(f"{view}\n", encoding="utf-8")
    (packages / "sitecustomize.py").write_text(NO_NETWORK, encoding="utf-8")
    return python


def shipped(bundle: Path) -> list[str]:
    """The packages whose wheels are in the bundle and can be installed here: the target lacks them, so must this."""
    tags = set(sys_tags())
    wheels = [parse_wheel_filename(path.name) for path in (bundle / "wheels").glob("*.whl")]
    return [name for name, _, _, of_wheel in wheels if tags & of_wheel and name != "compkit"]


def compare(own: Path, predicted: Path, bundle: Bundle) -> tuple[int, float]:
    """Rows, and the largest difference between two tables of predictions for the same ids.

    Differences of values beyond 1 count as a share of their size: float32 has no more digits.

    Raises:
        FileNotFoundError: the run has predicted no test set.
        ValueError: other ids.
    """
    if not own.is_file():
        raise FileNotFoundError(f"{own}: no such file, so there is nothing to compare with. Set check=false.")
    if not predicted.is_file():
        raise ValueError(f"{predicted.name}: the notebook had no time to predict it. Set max_minutes=null.")
    want, got = read_test(own, bundle.classes), read_test(predicted, bundle.classes)
    rows = pd.Index(got.ids).get_indexer(pd.Index(want.ids))
    if len(want.ids) != len(got.ids) or (rows < 0).any():
        raise ValueError(
            f"{own}: has {len(want.ids)} ids, the notebook predicts {len(got.ids)}, and they are not the same. Set "
            "data= to the folder that the run was made of."
        )
    difference = np.abs(got.values[rows].astype(np.float64) - want.values) / np.maximum(
        1, np.abs(want.values)
    )
    return len(rows), float(np.nan_to_num(difference, nan=np.inf).max())


def expected_submission(folders: Sequence[Path], bundle: Bundle, place: Path) -> Path:
    """The submission of the only run, or one of the mean of several runs' predictions."""
    if len(folders) == 1:
        return folders[0] / "submission.csv"
    tests = [read_test(folder / "test.parquet", bundle.classes) for folder in folders]
    rows = [pd.Index(test.ids).get_indexer(pd.Index(tests[0].ids)) for test in tests]
    values = np.mean(
        [test.values[row].astype(np.float64) for test, row in zip(tests, rows, strict=True)], axis=0
    )
    shape = bundle.plan.submission_shape
    assert shape is not None
    path = place / "expected.csv"
    replace(shape, classes=bundle.classes).write(path, Predictions(tests[0].ids, values.astype(np.float32)))
    return path


def same_submission(one: Path, other: Path) -> bool:
    """Whether two submissions have the same columns and rows, and the same texts or numbers up to rounding."""
    first, second = read_table(one, "submission"), read_table(other, "submission")
    if list(first.columns) != list(second.columns) or len(first) != len(second):
        return False
    for column in first.columns:
        differ = (first[column] != second[column]).to_numpy()
        numbers = [
            pd.to_numeric(frame[column][differ], errors="coerce").to_numpy() for frame in (first, second)
        ]
        if not np.allclose(numbers[0], numbers[1], rtol=TOLERANCE, atol=TOLERANCE):
            return False
    return True


def _top_names(packages: Sequence[str]) -> set[str]:
    """What lies directly in site-packages of these; folders that several packages share stay in sight."""
    names = set()
    for package in packages:
        try:
            found = distribution(package)
        except PackageNotFoundError:
            continue
        for file in found.files or ():
            top = file.parts[0]
            is_shared = (
                not top.endswith((".py", ".dist-info"))
                and not (Path(str(found.locate_file(top))) / "__init__.py").is_file()
            )
            names |= set() if top == ".." or is_shared else {top}
    return names
