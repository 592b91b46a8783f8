"""What a downloaded competition is: from its files to the keys of its config, step by step."""

import re
from pathlib import Path

from compkit.layout.findings import Findings
from compkit.layout.labelled_paths import from_paths
from compkit.layout.labelled_table import from_table
from compkit.layout.metrics import tasks_of
from compkit.layout.pictures import Pictures
from compkit.layout.rest import refuse_without_pictures, tell_rest
from compkit.layout.roles import find_roles
from compkit.layout.scan import scan
from compkit.layout.tables import read_sources
from compkit.layout.views import make_views
from compkit.types import Task


def detect(
    path: str | Path, name: str | None = None, task: str | None = None, metric: str | None = None
) -> Findings:
    """Find out the layout of a downloaded competition.

    Decides by contents: which cells name files, which columns two tables share, what the sample submission asks for.
    What these leave open becomes a question. In the end the keys are tried out.

    Args:
        path: the unpacked download.
        name: of the competition; None = the folder's.
        task: when it is known: multiclass, multilabel or regression.
        metric: an option of conf/metric, when it is known.

    Raises:
        FileNotFoundError: no such folder.
        ValueError: nothing in it that compkit can train on; or a task or metric that does not exist.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for place, kind in enumerate(["cat", "dog"] * 3):
    ...     (folder / "seen" / kind).mkdir(parents=True, exist_ok=True)
    ...     (folder / "seen" / kind / f"{place}.png").touch()
    >>> found = detect(folder, metric="accuracy")
    >>> found.keys["task"], found.keys["train_table"], found.keys["train_images"]
    ('multiclass', None, 'seen')
    """
    if task is not None and task not in tuple(Task):
        raise ValueError(f"task={task}: expected one of {', '.join(Task)}.")
    root = Path(path).expanduser().resolve()
    found = Findings()
    listing = scan(root)
    pictures = Pictures(listing)
    tell_rest(listing, found)
    refuse_without_pictures(listing, pictures)
    found.set(
        "name", name or re.sub(r"[^A-Za-z0-9_-]+", "_", root.name).strip("_") or "competition", "the folder"
    )
    found.set("path", str(root), "as given")
    given = Task(task) if task else None
    if metric is not None:
        of_metric = tasks_of(metric)
        given = given or (of_metric[0] if len(of_metric) == 1 else None)
    sources = read_sources(listing, pictures, found)
    views = make_views(sources, pictures)
    roles = find_roles(sources, views, pictures, found)
    if roles.train is None:
        from_paths(root, pictures, roles, given, metric, found)
    else:
        from_table(root, pictures, roles, given, metric, found)
    return found
