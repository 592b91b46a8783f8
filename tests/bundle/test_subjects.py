"""A submission of subjects, each shown by several pictures, from a bundle."""

import pandas as pd
import pytest

from compkit.build import build_plan
from compkit.bundle import predict
from compkit.pipeline import run

from ..conftest import QUICK, compose_train
from .conftest import blend, stack
from .test_prediction import HERE, assert_same, said


@pytest.fixture(scope="module")
def patients(data, tmp_path_factory):
    """Digits in which three pictures of the same digit are one patient, and five-fold runs `a` and `b` of them."""
    root = tmp_path_factory.mktemp("patients")
    (root / "train").symlink_to(data / "train")
    (root / "test").symlink_to(data / "test")
    train = pd.read_csv(data / "train.csv", dtype=str).sort_values("label", kind="stable")
    train["patient"] = "p" + (train.groupby("label").cumcount() // 3).astype(str) + "_" + train["label"]
    train.groupby("patient").filter(lambda rows: len(rows) == 3).groupby("label").head(12).to_csv(
        root / "train.csv", index=False
    )
    test = pd.read_csv(data / "sample_submission.csv", dtype=str)[["id"]].iloc[:36]
    test["patient"] = [f"t{row % 12}" for row in range(36)]
    test.sample(frac=1, random_state=0).to_csv(root / "test.csv", index=False)
    sample = pd.DataFrame({"patient": [f"t{row}" for row in range(12)][::-1], "label": "0"})
    sample.to_csv(root / "sample_submission.csv", index=False)
    outputs = tmp_path_factory.mktemp("patient_outputs")
    keys = (
        "test_table=test.csv",
        "subject_column=patient",
        "subject_average=max",
        "sample_id_column=patient",
    )
    given = (f"competition.path={root}", "competition.name=patients", *(f"competition.{key}" for key in keys))
    channels = (
        "competition.channels=1",
        "model.pretrained=false",
        "limit=null",
        "epochs=1",
        f"output_dir={outputs}",
    )
    for name in ("a", "b"):
        seed = f"seed={'ab'.index(name)}"
        run(build_plan(compose_train(*QUICK, "competition=folder", *given, *channels, f"name={name}", seed)))
    return root, outputs / "patients"


@pytest.mark.parametrize("kind", ["plain", "blend", "stack"])
def test_subjects_are_predicted_as_the_run_did(patients, bundle, tmp_path, kind):
    root, runs = patients
    made_of = {
        "plain": lambda: runs / "a",
        "blend": lambda: blend(runs, "blend"),
        "stack": lambda: stack(runs, "stacked"),
    }
    folder = made_of[kind]()
    path = predict(bundle(folder), root, tmp_path / "out", changes=HERE)
    assert len(said(path)) == 12
    assert_same(folder, tmp_path / "out")
    pd.testing.assert_frame_equal(said(path), said(folder / "submission.csv"))
