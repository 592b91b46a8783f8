"""The wheel of this project, written from the files that run, without a network and anything of the person's.

`pip wheel` would fetch the build backend, and take along every file that lies in conf/, such as the configs that
scripts/init.py wrote with paths of this machine.
"""

import base64
import hashlib
import importlib.metadata
import tomllib
import zipfile
from pathlib import Path
from typing import NamedTuple

import compkit
from compkit.cli import config_dir
from compkit.demo import EMBEDDED
from compkit.files import atomic_path

SUFFIXES = (".py", ".yaml", ".j2", ".css", ".js", ".typed")
TAG = "py3-none-any"
STAMP = (1980, 1, 1, 0, 0, 0)  # the oldest that zip knows: the same files make the same bytes


class Project(NamedTuple):
    """What a wheel tells of a project."""

    name: str
    version: str
    requires_python: str
    requires: tuple[str, ...]


def this_project() -> Project:
    """compkit as pyproject.toml beside the package says, else as it was installed."""
    page = Path(compkit.__file__).parent.parent / "pyproject.toml"
    if page.is_file():
        project = tomllib.loads(page.read_text(encoding="utf-8"))["project"]
        requires = tuple(project["dependencies"])
        return Project(project["name"], project["version"], project["requires-python"], requires)
    about = importlib.metadata.metadata("compkit")
    requires = tuple(one for one in about.get_all("Requires-Dist") or () if "extra ==" not in one)
    return Project(about["Name"], about["Version"], about["Requires-Python"], requires)


def project_files() -> dict[str, bytes]:
    """The package and its pages of config by their names in the wheel; none that a user may have added to conf/."""
    package, pages = Path(compkit.__file__).parent, config_dir()
    found = {f"compkit/{path.relative_to(package).as_posix()}": path for path in sorted(package.rglob("*"))}
    found |= {
        f"compkit/conf/{path.relative_to(pages).as_posix()}": path for path in sorted(pages.rglob("*.yaml"))
    }
    return {
        name: path.read_bytes()
        for name, path in sorted(found.items())
        if path.suffix in SUFFIXES and path.is_file() and not _is_own(name)
    }


def write_wheel(folder: Path, project: Project, files: dict[str, bytes]) -> Path:
    """Write a pure Python wheel; returns its path.

    Args:
        folder: where it is written.
        project: what it tells of itself.
        files: content by the path below site-packages.

    >>> import tempfile
    >>> path = write_wheel(Path(tempfile.mkdtemp()), Project("toy", "1.0", ">=3.11", ()), {"toy.py": b"x = 1"})
    >>> path.name, zipfile.ZipFile(path).namelist()[0]
    ('toy-1.0-py3-none-any.whl', 'toy.py')
    """
    stem = f"{project.name.replace('-', '_')}-{project.version}"
    about = f"Metadata-Version: 2.1\nName: {project.name}\nVersion: {project.version}\n"
    about += f"Requires-Python: {project.requires_python}\n"
    about += "".join(f"Requires-Dist: {one}\n" for one in project.requires)
    wheel = f"Wheel-Version: 1.0\nGenerator: compkit ({project.version})\nRoot-Is-Purelib: true\nTag: {TAG}\n"
    info = f"{stem}.dist-info"
    content = files | {f"{info}/METADATA": about.encode(), f"{info}/WHEEL": wheel.encode()}
    record = "".join(f"{name},sha256={_digest(data)},{len(data)}\n" for name, data in content.items())
    content[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()
    path = folder / f"{stem}-{TAG}.whl"
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in content.items():
            entry = zipfile.ZipInfo(name, STAMP)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, data)
    return path


def _is_own(name: str) -> bool:
    """Whether a page of config may be the user's own; a bundle's runs bring what they need of them."""
    *_, group, page = name.split("/")
    is_competition = "/conf/competition/" in name and page.removesuffix(".yaml") not in ("folder", *EMBEDDED)
    return is_competition or "/conf/experiment/" in name or group == "__pycache__"


def _digest(data: bytes) -> str:
    """A SHA-256 as RECORD wants it."""
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
