"""From finished runs to a folder that can be uploaded."""

import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from packaging.utils import canonicalize_name, parse_wheel_filename

import compkit
from compkit.bundle.collect import Collector
from compkit.bundle.leaks import find_leaks, known_secrets
from compkit.bundle.manifest import write_manifest
from compkit.bundle.notebook import Upload, dataset_metadata, kernel_metadata, notebook
from compkit.bundle.requirements import fetch_wheels, lacking, read_packages, target_environment
from compkit.bundle.sources import read_runs
from compkit.bundle.wheel import project_files, this_project, write_wheel
from compkit.engine import Console
from compkit.files import write_text
from compkit.run.folder import check_writable, json_text

MEGABYTE = 1e6


class Target(NamedTuple):
    """The machine that predicts.

    Attributes:
        packages: a file with what `pip freeze` prints there; None when it is not known.
        python, platform: of it, as `fetch_wheels` has them.
        wheels: whether to bring what it lacks.
        source: a folder with wheels to take instead of the package index.
    """

    packages: Path | None = None
    python: str = "3.11"
    platform: str = "manylinux_2_28_x86_64"
    wheels: bool = True
    source: str | None = None


def make_bundle(
    runs: Sequence[str | Path], output: Path, upload: Upload, target: Target, console: Console
) -> Path:
    """Write a bundle; it appears whole or not at all.

    Args:
        runs: folders of finished runs of one competition. One is predicted as it is, ensembles and stacks with all
            runs they are made of; of several the plain mean is submitted.
        output: the new folder.
        upload: how it is called.
        target: the machine that predicts.
        console: told what is in it.

    Returns:
        output.

    Raises:
        FileNotFoundError, ValueError: a run that cannot be bundled, wheels that cannot be had, an output that exists,
            or a bundle that would tell a secret.
    """
    if output.exists():
        raise ValueError(
            f"output={output}: exists already and is not overwritten. Set output= to a new folder."
        )
    check_writable(output)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".tmp-bundle-", dir=output.parent) as place:
        root = Path(place) / "bundle"
        root.mkdir()
        content = _write_runs(root, runs, console)
        brought = _write_wheels(root / "wheels", target, console)
        write_text(root / "predict.ipynb", json_text(notebook(upload)))
        write_text(root / "kernel-metadata.json", json_text(kernel_metadata(upload)))
        write_text(root / "dataset-metadata.json", json_text(dataset_metadata(upload)))
        write_manifest(
            root,
            {
                "name": upload.name,
                "compkit": compkit.__version__,
                "competition_slug": upload.competition,
                **content,
            },
        )
        leaks = find_leaks(root, known_secrets(os.environ, Path.home()), [path.name for path in brought])
        if leaks:
            raise ValueError(
                f"the bundle would tell what is nobody's business: {'; '.join(leaks[:5])}. Nothing was written; take "
                "it out of the run's config.yaml or the names of its classes."
            )
        root.rename(output)
    _say_sizes(output, console)
    return output


def _write_runs(root: Path, runs: Sequence[str | Path], console: Console) -> dict[str, object]:
    """Everything below runs/; returns what bundle.json says of it."""
    folders = read_runs(runs)
    collector = Collector(root)
    console.say(f"reading {', '.join(folder.name for folder in folders)} and the runs they are made of")
    tops = [{"name": collector.name(folder), "node": collector.node(folder).to_dict()} for folder in folders]
    plans = [
        collector.plan(folder) for folder in folders
    ]  # of ensembles too: how their submission is written
    learned = [collector.learned(folder) for folder in folders]
    for folder, plan, one in zip(folders, plans, learned, strict=True):
        if plan.competition.sample_submission is None or plan.competition.test_images is None:
            raise ValueError(
                f"{folder}: its competition has no sample submission or no test pictures, so there is nothing to "
                "predict. Set competition.sample_submission and competition.test_images."
            )
        if one is not None and len(folders) > 1:
            raise ValueError(
                f"{folder}: has postprocess={plan.postprocess.name}, learned on its own predictions and not on a mean "
                "of runs. Make a run of them with scripts/ensemble.py, and bundle that."
            )
    assert collector.task is not None
    return {
        "competition": plans[0].config["competition"]["name"].removesuffix("_bundle"),
        "sample_submission": str(plans[0].competition.sample_submission),
        "task": str(collector.task),
        "classes": list(collector.classes),
        "runs": tops,
        "learned": learned[0],
    }


def _write_wheels(folder: Path, target: Target, console: Console) -> list[Path]:
    """The project's wheel, and those that the target lacks, which are returned."""
    project = this_project()
    write_wheel(folder, project, project_files())
    if target.packages is None:
        console.warn(
            "packages=null: what the target has is not known, so compkit's own wheel alone is in the bundle. Run `pip "
            "freeze > packages.txt` on the target and set packages=packages.txt."
        )
        return []
    packages = read_packages(target.packages)
    missing = lacking(project.requires, packages, target_environment(target.python, target.platform))
    if not target.wheels:
        told = ", ".join(f"{name}{versions}" for name, versions in missing.items()) or "nothing"
        console.say(f"wheels=false: the target lacks {told}, and none of it is brought")
        return []
    found = fetch_wheels(folder, project.requires, packages, target.python, target.platform, target.source)
    console.say(f"the target lacks {', '.join(_describe(path) for path in found) or 'nothing'}")
    return found


def _describe(wheel: Path) -> str:
    name, version, *_ = parse_wheel_filename(wheel.name)
    return f"{canonicalize_name(name)} {version} ({wheel.stat().st_size / MEGABYTE:.1f} MB)"


def _say_sizes(output: Path, console: Console) -> None:
    """What is in the bundle, and how large it is."""
    files = [path for path in output.rglob("*") if path.is_file()]
    lines = []
    for part in ("runs", "wheels"):
        sizes = [path.stat().st_size for path in files if path.is_relative_to(output / part)]
        lines.append([part, len(sizes), f"{sum(sizes) / MEGABYTE:.1f}"])
    total = sum(path.stat().st_size for path in files)
    console.table(
        f"{output}", ["", "files", "MB"], [*lines, ["in all", len(files), f"{total / MEGABYTE:.1f}"]]
    )
    console.say(
        f"Put your user name for USERNAME into {output}/dataset-metadata.json and kernel-metadata.json, then\n"
        f"  kaggle datasets create -p {output} --dir-mode zip\n"
        f"  kaggle kernels push -p {output}"
    )
