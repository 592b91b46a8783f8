"""Which packages a machine lacks that compkit needs, and their wheels."""

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from email.parser import Parser
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

# gigabytes, and bound to the drivers of the machine: what the image has stays
NEVER = ("torch", "torchvision", "numpy")
ROUNDS = 20  # of wheels that want further wheels


def read_packages(path: Path) -> dict[str, Version]:
    """The packages of a machine, from what `pip freeze` or `pip list --format=freeze` printed there.

    Lines without a plain version, such as `name @ file:///…`, are left out: what they are cannot be known.

    Raises:
        FileNotFoundError: no such file.
        ValueError: no line of it is `name==version`.

    >>> path = Path(tempfile.mkdtemp()) / "packages.txt"
    >>> _ = path.write_text("# image\\nscikit_learn==1.8.0\\ntorch==2.8.0+cu126\\nfoo @ file:///x\\n")
    >>> {name: str(version) for name, version in read_packages(path).items()}
    {'scikit-learn': '1.8.0', 'torch': '2.8.0+cu126'}
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"packages={path}: no such file. Write it on the target: pip freeze > packages.txt"
        )
    found: dict[str, Version] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, equals, version = line.partition("#")[0].partition("==")
        try:
            if equals:
                found[canonicalize_name(name.strip())] = Version(version.strip())
        except InvalidVersion:
            continue
    if not found:
        raise ValueError(
            f"packages={path}: has no line `name==version`; expected what `pip freeze` prints on the target."
        )
    return found


def lacking(
    requires: Iterable[str], packages: dict[str, Version], environment: dict[str, str]
) -> dict[str, SpecifierSet]:
    """What of these requirements the packages do not satisfy, by name; requirements of one name together.

    Args:
        requires: lines as a wheel has them.
        packages: of the target.
        environment: its markers.

    Raises:
        ValueError: a line that is no requirement.

    >>> found = lacking(["numpy>=2", "timm>=1", "timm<2"], {"numpy": Version("2.1")}, {})
    >>> {name: str(versions) for name, versions in found.items()}
    {'timm': '<2,>=1'}
    """
    wanted: dict[str, SpecifierSet] = {}
    for line in requires:
        try:
            one = Requirement(line)
        except InvalidRequirement as error:
            raise ValueError(f"requirement {line!r}: {error}. Restore the package that has it.") from error
        if one.marker is None or one.marker.evaluate(environment | {"extra": ""}):
            name = canonicalize_name(one.name)
            wanted[name] = wanted.get(name, SpecifierSet()) & one.specifier
    return {
        name: versions
        for name, versions in wanted.items()
        if name not in packages or not versions.contains(packages[name], prereleases=True)
    }


def fetch_wheels(
    folder: Path,
    requires: Sequence[str],
    packages: dict[str, Version],
    python: str,
    platform: str,
    source: str | None = None,
) -> list[Path]:
    """Download the wheels that the target lacks, and those that these lack in turn; returns them.

    Args:
        folder: where they are put.
        requires: of the project.
        packages: of the target.
        python: of the target, such as 3.11.
        platform: of the target, such as manylinux_2_28_x86_64.
        source: a folder with wheels to take instead of the package index.

    Raises:
        ValueError: one of NEVER is too old on the target, or a wheel cannot be had.
    """
    environment = target_environment(python, platform)
    wanted_by: list[str] = list(requires)
    chosen: dict[str, Path] = {}
    for _ in range(ROUNDS):
        found = {name: parse_wheel_filename(path.name)[1] for name, path in chosen.items()}
        missing = lacking(wanted_by, packages | found, environment)
        if not missing:
            return sorted(chosen.values())
        for name in NEVER:
            if name in missing and name in packages:
                raise ValueError(
                    f"packages: the target has {name} {packages[name]}, and compkit needs {name}{missing[name]}; a "
                    f"bundle never brings another {name}. Choose a newer image, and give its packages."
                )
        for name, versions in missing.items():
            if name in chosen:  # another wheel wants other versions of it
                chosen.pop(name).unlink()
            chosen[name] = _download(folder, name, versions, python, platform, source)
            wanted_by += wheel_requires(chosen[name])
    raise ValueError(
        f"packages: after {ROUNDS} rounds, {', '.join(missing)} is still wanted in other versions by some wheels. "
        "Choose a newer image, and give its packages."
    )


def wheel_requires(path: Path) -> list[str]:
    """The requirements that a wheel tells of."""
    with zipfile.ZipFile(path) as archive:
        name = next(
            one for one in archive.namelist() if one.endswith(".dist-info/METADATA") and one.count("/") == 1
        )
        about = Parser().parsestr(archive.read(name).decode("utf-8"))
    return [str(line) for line in about.get_all("Requires-Dist") or ()]


def target_environment(python: str, platform: str) -> dict[str, str]:
    """The markers of a machine.

    Raises:
        ValueError: python is no version such as 3.11, or the platform none of Linux on a usual processor.

    >>> target_environment("3.12", "manylinux_2_28_x86_64")["python_version"]
    '3.12'
    """
    parts = python.split(".")
    if len(parts) < 2 or not all(part.isdigit() for part in parts):
        raise ValueError(f"python={python}: expected a version such as 3.11. Set python=3.11.")
    machine = next((one for one in ("x86_64", "aarch64") if platform.endswith(one)), None)
    if machine is None or "linux" not in platform:
        raise ValueError(
            f"platform={platform}: expected Linux's, such as manylinux_2_28_x86_64. Set platform= to it."
        )
    full = python if len(parts) > 2 else f"{python}.0"
    return {key: str(value) for key, value in default_environment().items()} | {
        "python_version": ".".join(parts[:2]),
        "python_full_version": full,
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "platform_machine": machine,
    }


def platform_tags(platform: str) -> list[str]:
    """The platform and those before it whose wheels it can install; pip takes only those it is told.

    >>> platform_tags("manylinux_2_18_x86_64")[:3]
    ['manylinux_2_18_x86_64', 'manylinux_2_17_x86_64', 'manylinux2014_x86_64']
    """
    family, _, rest = platform.partition("_2_")
    minor, _, machine = rest.partition("_")
    if family != "manylinux" or not minor.isdigit():
        return [platform]
    tags = []
    for version in range(int(minor), 4, -1):
        old = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}.get(version)
        tags += [f"manylinux_2_{version}_{machine}", *([f"{old}_{machine}"] if old else [])]
    return tags


def _download(
    folder: Path, name: str, versions: SpecifierSet, python: str, platform: str, source: str | None
) -> Path:
    """One wheel for the target, the newest that fits; without what it requires."""
    folder.mkdir(parents=True, exist_ok=True)
    tags = [part for tag in platform_tags(platform) for part in ("--platform", tag)]
    index = [] if source is None else ["--no-index", "--find-links", source]
    with tempfile.TemporaryDirectory(dir=folder) as place:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--only-binary=:all:",
            "--dest",
            place,
        ]
        command += ["--quiet", "--disable-pip-version-check", "--python-version", python, *tags, *index]
        done = subprocess.run([*command, f"{name}{versions}"], capture_output=True, text=True)
        wheels = list(Path(place).glob("*.whl"))
        if done.returncode or len(wheels) != 1:
            why = next((line for line in done.stderr.splitlines() if "ERROR" in line), "no wheel came")
            raise ValueError(
                f"{name}{versions}: no wheel for python={python} platform={platform} ({why}). Set platform= to a newer "
                "one, or wheels=false and install it on the target by other means."
            )
        return wheels[0].rename(folder / wheels[0].name)
