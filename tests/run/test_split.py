"""Folds of a run: whole subjects, and the values of a fold column that validate."""

import cv2
import numpy as np
import pytest

from compkit.competition import Folds
from compkit.engine import Console, Ranks
from compkit.run.prepare import prepare


@pytest.fixture
def folder(tmp_path):
    """Three pictures of each of 20 patients, in mixed order, and an official split."""
    (tmp_path / "train").mkdir()
    lines = ["id,patient,part,label"]
    for number in np.random.default_rng(0).permutation(60).tolist():
        patient = number // 3
        part = ("train", "val", "extra")[min(patient // 8, 2)]
        lines.append(f"{number:02},p{patient},{part},{'ab'[patient % 2]}")
        cv2.imwrite(str(tmp_path / "train" / f"{number:02}.png"), np.full((8, 8, 3), number, np.uint8))
    (tmp_path / "train.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


@pytest.fixture
def folds(plan, folder):
    def call(*overrides) -> tuple[Folds, np.ndarray]:
        fixed = (
            "competition=folder",
            f"competition.path={folder}",
            "competition.test_images=null",
            "limit=null",
        )
        with Console(quiet=True) as console:
            prepared = prepare(
                plan(*fixed, "competition.sample_submission=null", *overrides), Ranks(), console
            )
        assert prepared.table.subjects is not None
        return prepared.folds, prepared.table.subjects

    return call


def test_subjects_are_the_groups(folds):
    made, subjects = folds("competition.subject_column=patient", "folds=5")
    assert made.scheme == "stratified_group" and (made.groups == subjects).all()
    assert all(len(set(made.fold[subjects == name])) == 1 for name in set(subjects))
    assert set(made.fold) == set(range(5))


def test_validation_folds_say_what_validates_whatever_folds_says(folds):
    split = ("competition.fold_column=part", "competition.validation_folds=[val]", "folds=5")
    made, subjects = folds("competition.subject_column=patient", *split)
    assert made.num_folds == 1 and made.scheme == "predefined"
    assert set(subjects[made.valid_rows(0)]) == {f"p{number}" for number in range(8, 16)}
    assert len(made.train_rows(0)) == 36


def test_schemes_that_would_tear_subjects_are_refused(folds):
    with pytest.raises(ValueError, match="apart"):
        folds("competition.subject_column=patient", "competition.fold_scheme=random")
