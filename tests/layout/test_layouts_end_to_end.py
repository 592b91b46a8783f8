"""From a download to a submission as a user types it: scripts/init.py, its questions answered, train.py."""

import pandas as pd
import pytest

from compkit.layout import detect

from ..commands import call_here
from .checks import wrong_submission
from .layouts import LAYOUTS
from .layouts_refused import REFUSED
from .material import Download

TRAIN = (
    "epochs=1",
    "batch_size=8",
    "image_size=32",
    "model=timm",
    "model.backbone=test_resnet",
    "model.pretrained=false",
    "num_workers=0",
    "trainer.threads=1",
)
UNMARKED = ("drivers", "channel_suffixes", "row_for_image_and_number", "table_of_patients_pictures")


# compkit cannot learn these, or only once a person has decided what is missing from the answers
LEFT_OUT = {make.__name__ for make in REFUSED} | {
    "python_lists",
    "twins_among_targets",
    "pictures_missing",
    "two_pictures_a_row",
    "other_case",
    "breasts_of_patients",
    "repeated_rows",
}


def trainable():
    """Layouts that compkit can learn, all but a handful marked as slow; two of three are for `make exhaustive`."""
    names = [name for name in LAYOUTS if name not in LEFT_OUT]
    for place, name in enumerate(names):
        marks = [] if name in UNMARKED else [pytest.mark.slow]
        marks += [] if name in UNMARKED or place % 3 == 0 else [pytest.mark.exhaustive]
        yield pytest.param(name, marks=marks)


def as_override(key, value):
    """A key and its value as the command line wants them."""
    return f"task={value}" if key == "task" else f"++competition.{key}={as_text(value)}"


def as_text(value):
    """A value in Hydra's grammar.

    >>> as_text({"No finding": ["a", 1]})
    '{No\\\\ finding:["a",1]}'
    """
    if isinstance(value, dict):
        pairs = (f"{str(name).replace(' ', chr(92) + ' ')}:{as_text(one)}" for name, one in value.items())
        return f"{{{','.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{','.join(map(as_text, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value).replace("None", "null")


@pytest.mark.parametrize("name", list(trainable()))
def test_download_to_submission(tmp_path, monkeypatch, capsys, name):
    folder = tmp_path / "download"
    folder.mkdir()
    facts = LAYOUTS[name](Download(folder, seed=1))
    monkeypatch.chdir(tmp_path)
    extra = ["unpack=true"] if name == "not_unpacked" else []
    given = (f"path={folder}", "name=contest", f"metric={facts.metric}", *extra)
    status, out, err = call_here(capsys, "scripts/init.py", *given, "output=conf/competition")
    assert status == 0, err
    asked = {question.key for question in detect(folder, metric=facts.metric).questions}
    answers = [as_override(key, facts.answers[key]) for key in sorted(asked & facts.answers.keys())]
    folds = [] if facts.folds else ["folds=2"]  # official ones are as many as the page says
    status, out, err = call_here(capsys, "train.py", "competition=contest", *TRAIN, *folds, *answers)
    assert status == 0, err + out
    run = tmp_path / "outputs" / "contest" / "test_resnet"
    no_group_is_torn(facts, pd.read_csv(run / "folds.csv", dtype=str, keep_default_na=False))
    assert (run / "test.parquet").exists() == bool(facts.tests)
    assert (run / "submission.csv").exists() == bool(facts.sample)
    if facts.sample:
        test = pd.read_parquet(run / "test.parquet")
        assert test["id"].is_unique and len(test) == len(facts.tests)
        reading = {"dtype": str, "keep_default_na": False}
        sample = pd.read_csv(folder / facts.sample, encoding="utf-8-sig", **reading)
        assert not wrong_submission(facts, pd.read_csv(run / "submission.csv", **reading), sample, test)


def no_group_is_torn(facts, folds):
    """Rows of one group validate in one fold; there are as many groups as there should be."""
    if facts.groups is not None:
        assert folds.groupby("group")["fold"].nunique().max() == 1
        assert folds["group"].nunique() == len(set(facts.groups.values()))
