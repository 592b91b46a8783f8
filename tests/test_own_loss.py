"""The README's loss of a user's own: one file outside the package and one override."""

import re
import sys
from pathlib import Path

import pandas as pd
import pytest

from compkit.build import load_plan
from compkit.derived.predict import predict_run

README = Path(__file__).parents[1] / "README.md"


@pytest.fixture
def my_losses(tmp_path, monkeypatch):
    code = re.search(r"```python\n# my_losses.py\n(.*?)```", README.read_text(encoding="utf-8"), re.S)
    (tmp_path / "my_losses.py").write_text(code[1])
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("my_losses", None)


def test_trains_with_everything_and_predicts_when_trusted(my_losses, train):
    tricks = ["mixing=mixup", "loss/reduce=top_k", "trainer.accumulate=2", "model/head=arcface"]
    folder = train("loss=custom", "loss._target_=my_losses.Poly1", *tricks)
    history = pd.read_csv(folder / "fold_0" / "history.csv")
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0]
    with pytest.raises(ValueError, match=r"my_losses.Poly1.*trust=\[my_module\]"):
        load_plan(folder)
    path = predict_run(load_plan(folder, trust=["my_losses"]), "test", None, None)
    pd.testing.assert_frame_equal(pd.read_parquet(path), pd.read_parquet(folder / "test.parquet"))


def test_without_a_target_it_says_what_to_set(plan):
    with pytest.raises(Exception, match=r"loss\._target_"):
        plan("loss=custom")
