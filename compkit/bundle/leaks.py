"""The last look before a bundle is handed over: does any byte of it tell what is nobody's business?"""

import getpass
import io
import json
import netrc
import os
import zipfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from compkit.privacy import SHORTEST, secret_values


def known_secrets(environment: Mapping[str, str], home: Path) -> dict[bytes, str]:
    """What must not be in a bundle, and what it is, for messages that do not tell it again.

    Keys and tokens of the environment, of Kaggle's and W&B's own files, and the paths of home folders.

    Args:
        environment: of this process.
        home: the home folder.
    """
    found = secret_values(environment)
    secrets = {value: f"the value of the environment variable {name}" for value, name in found.items()}
    for value, source in _credentials(home):
        if len(value) >= SHORTEST:
            secrets[value] = f"a key out of {source}"
    for user in {getpass.getuser(), environment.get("USER", ""), environment.get("LOGNAME", "")} - {
        "",
        "root",
    }:
        for place in (f"/home/{user}", f"/Users/{user}", f"\\Users\\{user}", f"{user}@"):
            secrets[place] = "a path or address with your user name"
    secrets[f"{home}/"] = "the path of your home folder"
    return {value.encode(): what for value, what in secrets.items()}


def find_leaks(root: Path, secrets: Mapping[bytes, str], foreign: Collection[str] = ()) -> list[str]:
    """A sentence for each file below root that holds a secret, also inside zip archives and their comments.

    Args:
        root: the bundle.
        secrets: see `known_secrets`.
        foreign: names of files that come from a package index as they are; paths of their makers may be in them.

    >>> import tempfile
    >>> root = Path(tempfile.mkdtemp())
    >>> with zipfile.ZipFile(root / "a.whl", "w", zipfile.ZIP_DEFLATED) as archive:
    ...     archive.writestr("inside.txt", "x" * 99 + "hunter2-hunter2")
    >>> find_leaks(root, {b"hunter2-hunter2": "a key"})
    ['a.whl/inside.txt holds a key']
    """
    leaks = []
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        parts = [(name, name.encode())]
        if path.is_file() and path.name not in foreign:
            parts += _contents(name, path.read_bytes())
        for where, data in parts:
            leaks += [f"{where} holds {what}" for secret, what in secrets.items() if secret in data]
    return leaks


def _contents(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """The bytes of a file, and of what lies in it, if it is a zip archive."""
    yield name, data
    if zipfile.is_zipfile(io.BytesIO(data)):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            yield f"{name} (comment)", archive.comment
            for member in archive.infolist():
                yield from _contents(f"{name}/{member.filename}", archive.read(member))


def _credentials(home: Path) -> Iterator[tuple[str, str]]:
    """Keys that tools keep in files of their own."""
    folder = Path(os.environ.get("KAGGLE_CONFIG_DIR", home / ".kaggle"))
    # without such a file, or anything legible in it, there is nothing to look for
    with suppress(OSError, ValueError, AttributeError):
        keys = json.loads((folder / "kaggle.json").read_text())
        yield from ((str(value), "kaggle.json") for value in keys.values())
    with suppress(OSError, netrc.NetrcParseError):
        yield from ((str(host[2]), ".netrc") for host in netrc.netrc(home / ".netrc").hosts.values())
    with suppress(OSError, ValueError):
        yield (folder / "access_token").read_text().strip(), "Kaggle's access_token"
