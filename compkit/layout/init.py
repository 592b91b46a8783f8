"""A download becomes a page of conf/competition: looked at, tried out, written, told."""

import os
import re
from pathlib import Path

from compkit.engine import Console
from compkit.layout.detect import detect
from compkit.layout.show import show
from compkit.layout.unpack import unpack_all
from compkit.layout.write import write_config


def init(
    path: str,
    name: str | None,
    task: str | None,
    metric: str | None,
    unpack: bool,
    output: str | None,
    overwrite: bool,
    pages: Path,
    console: Console,
) -> Path:
    """Find out the layout of a download and write its config.

    Args:
        path: the download.
        name: of the competition; None = the folder's.
        task, metric: when they are known.
        unpack: unpack archives in it first.
        output: the folder of the new page; None = beside the others, or below the current folder where those are
            installed code.
        overwrite: replace a page that this command wrote.
        pages: the folder of config pages.
        console: prints.

    Returns:
        The page that was written.

    Raises:
        FileNotFoundError: no such download.
        ValueError: nothing to train on in it, a name that is none, or a page that exists.
    """
    if name is not None and re.fullmatch(r"[A-Za-z0-9_-]+", name) is None:
        raise ValueError(
            f"name={name}: expected letters, digits, - and _ only, as it names a file. Set e.g. name=leaf."
        )
    root = Path(path).expanduser()
    if unpack and root.is_dir():
        for archive in unpack_all(root):
            console.say(f"unpacked {archive}")
    found = detect(root, name, task, metric)
    folder = _folder(output, pages)
    page = folder / f"{found.keys['name']}.yaml"
    if (pages / "competition" / page.name).exists() and page.parent != pages / "competition":
        raise ValueError(
            f"name={found.keys['name']}: {pages / 'competition' / page.name} is called so. Set another name=…"
        )
    write_config(found, page, f"python scripts/init.py path={root}", overwrite)
    show(found, page, _flag(folder, pages), console)
    return page


def _folder(output: str | None, pages: Path) -> Path:
    """Where the page goes."""
    if output is not None:
        return Path(output).expanduser()
    beside = pages / "competition"
    is_checkout = (pages.parent / "pyproject.toml").is_file()
    return beside if is_checkout and os.access(beside, os.W_OK) else Path("conf") / "competition"


def _flag(folder: Path, pages: Path) -> str:
    """What train.py has to be told to find pages in a folder: it knows its own, and conf/ where it is started."""
    known = (pages / "competition", Path("conf") / "competition")
    if any(folder.resolve() == one.resolve() for one in known):
        return ""
    return f"--config-dir={folder.resolve().parent} "
