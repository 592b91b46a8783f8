"""The search as a command: short trainings, a new option, a table."""

import numpy as np
import pandas as pd
import pytest
import torch
import yaml

from compkit.augment import OPERATIONS
from compkit.build import build_all
from compkit.trials.augment_search import search_augment, smaller

SETTINGS = {
    "save_as": "mine",
    "budget_minutes": 60,
    "confirm_top": 1,
    "confirm_seeds": 2,
    "max_trials": 2,
}


@pytest.fixture
def search(plan, tmp_path):
    """Run a search whose pages lie in a folder of the test; returns the new page."""

    def call(*overrides, **settings):
        return search_augment(
            plan("epochs=1", *overrides), build_all, tmp_path / "conf", **SETTINGS | settings
        )

    return call


def test_a_search_writes_an_option_and_a_table(search, tmp_path, capsys):
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    page = search()
    assert torch.equal(torch.get_rng_state(), before[0]) and (np.random.get_state()[1] == before[1]).all()
    text = page.read_text()
    assert page == tmp_path / "conf" / "augment" / "mine.yaml" and "proxy" in text
    assert ("Better than augment=none" in text) != ("NOT shown to be better" in text)
    table = pd.read_csv(tmp_path / "outputs" / "digits" / "augment_search" / "mine.csv")
    assert table["stage"].tolist() == ["search"] * 2 + ["confirm"] * 4
    assert table["seed"].tolist() == [0, 0, 1, 1, 2, 2] and table["policy"][0] == "{}"
    assert table["score"].between(0, 1).all()
    assert yaml.safe_load(text) == yaml.safe_load(table["policy"][1])
    build_all(yaml.safe_load(text))
    assert not (tmp_path / "outputs" / "digits" / "run").exists()  # the trainings leave nothing
    assert "trial 1, seed 0" in capsys.readouterr().out
    with pytest.raises(FileExistsError, match=r"mine\.yaml.*save_as"):
        search()
    assert page.read_text() == text


@pytest.mark.parametrize(
    "settings, message",
    [
        ({"save_as": "../mine"}, r"save_as='\.\./mine'"),
        ({"budget_minutes": 0}, "budget_minutes=0"),
        ({"leave_out": ["Twist"]}, "leave_out: got 'Twist'"),
        ({"leave_out": OPERATIONS}, "leave_out=.*no operation"),
    ],
)
def test_mistakes_end_before_the_data_are_read(search, settings, message):
    with pytest.raises(ValueError, match=message):
        search(**settings)


@pytest.mark.parametrize("side", [28, 32, 96, 128, 224, 300, 384, 512])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.75, 1])
def test_smaller_sides_are_what_networks_take(side, share):
    got = smaller(side, share)
    assert got <= side and (got == side or got % 32 == 0 or got % 112 == 0)
    assert got >= min(side, 32)


@pytest.mark.parametrize("share", [0, 1.5])
def test_a_share_of_the_size(share):
    with pytest.raises(ValueError, match="proxy_size"):
        smaller(224, share)
