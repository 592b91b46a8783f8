"""Tables of lines and separators: CSV and its relatives, every cell as the text it is."""

import csv
from itertools import islice
from pathlib import Path

import pandas as pd

BLANKS = r"\s+"
LOOKED_AT = 20  # lines that tell which separator a .txt has


def read_text_table(path: Path, header: bool) -> pd.DataFrame:
    """A CSV, TSV or TXT with every cell as text; an empty cell is "".

    Args:
        path: UTF-8 with or without byte-order mark.
        header: whether the first line names the columns, which are called 0, 1, … otherwise.

    Raises:
        ValueError: undecodable text, or rows that pandas cannot read.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "train.txt"
    >>> _ = path.write_text("007 cat\\n008 dog\\n")
    >>> read_text_table(path, header=False).to_dict("list")
    {'0': ['007', '008'], '1': ['cat', 'dog']}
    """
    frame = pd.read_csv(
        path,
        sep=find_separator(path),
        header=0 if header else None,
        dtype=str,
        na_filter=False,
        encoding="utf-8-sig",
    )
    return frame if header else frame.set_axis([str(name) for name in frame.columns], axis=1)


def find_separator(path: Path) -> str:
    """What stands between the cells, as pandas wants it.

    A CSV has commas unless its first line has none but tabs or semicolons. A TXT has the first of tab, comma and
    semicolon that cuts its first lines into equally many cells, else blanks.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "train.txt"
    >>> _ = path.write_text("id;labels\\n1;a, b\\n")
    >>> find_separator(path)
    ';'
    """
    suffix = path.suffix.lower()
    if suffix == ".tsv":
        return "\t"
    if suffix not in (".csv", ".txt"):  # train.csv.gz: pandas unpacks it
        return ","
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = [line for line in islice(file, LOOKED_AT) if line.strip()]
    if suffix == ".csv":
        return next((mark for mark in ",\t;" if lines and mark in lines[0]), ",")
    for mark in "\t,;":
        widths = {len(cells) for cells in csv.reader(lines, delimiter=mark)}
        if len(widths) == 1 and widths.pop() > 1:
            return mark
    return BLANKS
