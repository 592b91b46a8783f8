"""Every made-up download: what is found out is right by its pixels, or asked about; never wrong and silent."""

import itertools
import os
import shutil
import time

import pytest

from compkit.layout import detect

from .checks import wrong_rows
from .layouts import LAYOUTS
from .material import Download
from .renaming import rename

SEEDS = (0, 1, 2, 3)
RENAMED = (3,)  # tables and folders have names that say nothing
CANNOT = ("task", "target_column", "train_images")  # a question about these says that training is in doubt
ONE_STEP = [name for name in LAYOUTS if name != "not_unpacked"]


@pytest.fixture
def download(tmp_path):
    """Make a download: download("drivers", seed) -> (folder, facts)."""

    def make(name, seed=0):
        folder = tmp_path / "download"
        folder.mkdir()
        facts = LAYOUTS[name](Download(folder, seed))
        return folder, rename(folder, facts, seed) if seed in RENAMED else facts

    return make


def keys_of(found, facts):
    """What a person would run: the config, with what is asked answered."""
    asked = {question.key for question in found.questions}
    return found.keys | {key: facts.answers[key] for key in asked if key in facts.answers}, asked


def every_layout():
    """Each as it is plainly, and its variants, marked as slow; two of them are for `make exhaustive`."""
    for name, seed in itertools.product(ONE_STEP, SEEDS):
        marks = [pytest.mark.slow] if seed else []
        marks += [] if seed in (0, *RENAMED) else [pytest.mark.exhaustive]
        yield pytest.param(name, seed, marks=marks)


@pytest.mark.parametrize("name, seed", list(every_layout()))
def test_layout_is_right_or_asked(download, name, seed):
    folder, facts = download(name, seed)
    if facts.task is None:
        refused_or_asked(folder, facts)
        return
    found = detect(folder, metric=facts.metric)
    keys, asked = keys_of(found, facts)
    wrong = wrong_rows(facts, keys, asked)
    wrong += [f"{word!r} is not mentioned" for word in facts.told if word not in str(found)]
    wrong += [f"none of {some} is asked" for some in facts.must_ask if not asked & set(some)]
    if seed == 0:  # in the plain form nothing is asked that can be known
        wrong += [f"{key} is asked" for key in sorted(asked - facts.answers.keys())]
    assert not wrong, f"{wrong}\n{found}"


def refused_or_asked(folder, facts):
    """What compkit cannot learn is refused, or the task is a question."""
    try:
        found = detect(folder, metric=facts.metric)
    except ValueError as error:
        said = str(error)
    else:
        assert found.is_blocked or {question.key for question in found.questions} & set(CANNOT), found
        said = str(found)
    assert all(word in said for word in facts.told), said


def test_metric_is_asked_for_with_likely_ones(download):
    folder, _ = download("ordinal_grades")
    (question,) = [one for one in detect(folder).questions if one.key == "metric"]
    assert {"quadratic_kappa", "accuracy"} <= {str(value) for value, _ in question.choices}


def test_archives_are_told_about_until_they_are_unpacked(download):
    folder, facts = download("not_unpacked")
    try:
        said = str(detect(folder, metric=facts.metric))
    except ValueError as error:
        said = str(error)
    assert all(word in said for word in facts.told), said
    for archive in ("train", "test"):
        shutil.unpack_archive(folder / f"{archive}.zip", folder)
    found = detect(folder, metric=facts.metric)
    assert not wrong_rows(facts, *keys_of(found, facts))


@pytest.mark.slow
def test_two_hundred_thousand_files_take_seconds(tmp_path):
    ids = [f"{number:06x}" for number in range(200_000)]
    for part, some in (("train", ids[:150_000]), ("test", ids[150_000:])):
        (tmp_path / part).mkdir()
        for id_ in some:
            os.close(os.open(tmp_path / part / f"{id_}.png", os.O_CREAT))
    lines = [f"{id_},{('elm', 'oak', 'ash')[place % 3]}" for place, id_ in enumerate(ids[:150_000])]
    (tmp_path / "train.csv").write_text("\n".join(["id,tree", *lines]))
    (tmp_path / "sample.csv").write_text("\n".join(["id,tree", *(f"{id_},elm" for id_ in ids[150_000:])]))
    started = time.process_time()  # not by the clock: other processes may be busy
    found = detect(tmp_path, metric="accuracy")
    assert time.process_time() - started < 30
    assert (found.keys["train_images"], found.keys["id_column"]) == ("train/{id}.png", "id")
