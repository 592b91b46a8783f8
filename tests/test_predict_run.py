"""Predictions of a run on disk are those the run itself made."""

import shutil

import numpy as np
import pandas as pd
import pytest

from compkit.build import load_plan
from compkit.predict_run import predict_run


@pytest.mark.parametrize("competition, extra", [("digits", ["averaging=ema"]), ("tilt", [])])
def test_test_and_oof_are_the_run_s_own_wherever_it_was_moved(train, tmp_path, competition, extra):
    folder = tmp_path / "moved"
    shutil.move(train(f"competition={competition}", "epochs=1", *extra), folder)
    for what in ("test", "oof"):
        path = predict_run(load_plan(folder), what, None, None)
        assert path == folder / f"predicted_{what}.parquet"
        pd.testing.assert_frame_equal(pd.read_parquet(path), pd.read_parquet(folder / f"{what}.parquet"))
    with pytest.raises(ValueError, match="exists already"):
        predict_run(load_plan(folder), "test", None, None)


def test_any_folder_of_pictures_and_chosen_folds(train, data_dir, tmp_path):
    folder = train("epochs=1")
    pictures = tmp_path / "pictures"
    shutil.copytree(data_dir / "digits" / "test", pictures / "deep")
    broken = sorted((pictures / "deep").iterdir())[0]
    broken.write_bytes(b"")
    path = predict_run(
        load_plan(folder, changes={"train_folds": [1]}), "test", str(pictures), str(tmp_path / "p.parquet")
    )
    got = pd.read_parquet(path)
    table = pd.read_parquet(folder / "oof.parquet")
    prior = table["target"][table["fold"] == 0].value_counts(normalize=True)  # what fold 1 trained on
    unread = got.set_index("id").loc[f"deep/{broken.name}"]
    np.testing.assert_allclose([unread[f"pred_{name}"] for name in prior.index], prior, rtol=1e-6)
    got = got[got["id"] != f"deep/{broken.name}"]
    want = pd.read_parquet(folder / "fold_1" / "test.parquet").set_index("id")
    got.index = [id.removeprefix("deep/").removesuffix(".png") for id in got["id"]]
    columns = want.filter(like="pred_").columns
    np.testing.assert_allclose(got[columns], want.loc[got.index, columns], rtol=1e-4, atol=1e-6)


def test_refusals(train, tmp_path):
    folder = train("epochs=1", "train_folds=[0]")
    with pytest.raises(ValueError, match="what=train"):
        predict_run(load_plan(folder), "train", None, None)
    with pytest.raises(ValueError, match=r"folds \[0\]"):
        predict_run(load_plan(folder, changes={"train_folds": [1]}), "test", None, None)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        predict_run(load_plan(folder), "test", str(tmp_path / "nowhere"), None)
