"""scripts/soup.py makes runs that predict.py can use, from runs and from checkpoints of one run."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from compkit.build import build_plan, load_plan
from compkit.data import evaluation_draws
from compkit.derived.kitchen import Kitchen, find_ingredients
from compkit.derived.predict import predict_run
from compkit.derived.soup import choose_soup
from compkit.engine import Console, Ranks
from compkit.ensemble import align, read_members
from compkit.pipeline import run
from compkit.run.assemble import make_loader
from compkit.run.prepare import prepare

from ..commands import call_here
from ..conftest import QUICK, compose_train


@pytest.fixture(scope="module")
def runs(data_dir, tmp_path_factory):
    """A run with two snapshots, and one of another size."""
    outputs = tmp_path_factory.mktemp("outputs")
    paths = (f"data_dir={data_dir}", f"output_dir={outputs}")
    cycles = ("schedule=cosine_cycles", "schedule.cycles=2", "schedule.warmup_epochs=0")
    run(build_plan(compose_train(*QUICK, *paths, *cycles, "name=cycles")))
    run(build_plan(compose_train(*QUICK, *paths, "epochs=1", "image_size=24", "name=small")))
    return outputs / "digits"


@pytest.fixture
def soup(runs, capsys):
    """soup("method=uniform", …) of the run's two snapshots -> (exit status, stdout, stderr)."""

    def call(*arguments):
        given = (f"runs=[{runs}/cycles]", "weights=[snapshot_1,snapshot_2]", "bootstrap=20", "num_workers=0")
        return call_here(capsys, "scripts/soup.py", *given, *arguments)

    return call


@pytest.mark.parametrize("method", ["uniform", "greedy"])
def test_snapshots_become_one_network(soup, runs, method):
    status, out, err = soup(f"method={method}")
    assert status == 0 and "and its ingredients" in out, err
    made = runs / f"soup_{method}"
    metrics = json.loads((made / "metrics.json").read_text())
    assert set(metrics["members"]) == {"cycles/snapshot_1", "cycles/snapshot_2"}
    for fold in (0, 1):
        chosen = metrics["soups"][str(fold)]["ingredients"]
        names = [name.split("/")[1] for name in chosen]
        states = [load_file(runs / "cycles" / f"fold_{fold}" / f"{name}.safetensors") for name in names]
        soup_state = load_file(made / f"fold_{fold}" / "best.safetensors")
        for key, tensor in soup_state.items():
            if tensor.is_floating_point() and "running_" not in key:
                torch.testing.assert_close(tensor, sum(state[key] for state in states) / len(states))
    if method == "uniform":
        assert len(chosen) == 2
    path = predict_run(load_plan(made), "oof")
    pd.testing.assert_frame_equal(pd.read_parquet(path), pd.read_parquet(made / "oof.parquet"), rtol=1e-4)
    path = predict_run(load_plan(made), "test")
    pd.testing.assert_frame_equal(pd.read_parquet(path), pd.read_parquet(made / "test.parquet"), rtol=1e-4)
    assert align(read_members([made, runs / "cycles"])).oof.shape[0] == 2


@pytest.fixture
def kitchen(runs):
    plan = load_plan(runs / "cycles")
    with Console(quiet=True) as console:
        data = prepare(plan, Ranks(), console)
        ingredients = find_ingredients([plan], ["snapshot_1", "snapshot_2"], [0, 1])
        yield Kitchen(plan, data, ingredients, [0, 1], Ranks(), console)


def test_batch_norms_are_those_of_the_training_rows(kitchen):
    """Renewed statistics of the first norm are the mean and variance of what enters it."""
    trained = kitchen.cook(0, (0, 1), renew=True)
    name, norm = next(
        (name, one) for name, one in trained.model.named_modules() if isinstance(one, torch.nn.BatchNorm2d)
    )
    trained.model.eval()
    seen = []
    norm.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    loader = make_loader(kitchen.plan, kitchen.data.table, trained.preprocessing, Ranks(), augment=False)
    rows = kitchen.data.folds.train_rows(0)
    with torch.no_grad():
        for batch in loader.batches(evaluation_draws(rows, 100, 0, 1)):
            trained.model(trained.preprocessing.normalise(batch.images))
    entered = torch.cat(seen)
    # batches of 16 with a last one that may be smaller count equally, hence the tolerance
    torch.testing.assert_close(norm.running_mean, entered.mean(dim=(0, 2, 3)), rtol=0.1, atol=0.05)
    plain = kitchen.cook(0, (0, 1), renew=False).model.get_submodule(name)
    assert not torch.equal(plain.running_mean, norm.running_mean)
    again = kitchen.cook(0, (0, 1), renew=True).model.get_submodule(name)
    assert torch.equal(again.running_mean, norm.running_mean)


def test_a_fold_s_rows_do_not_decide_about_its_soup(kitchen):
    """With the labels of fold 0 turned over, what enters the soup of fold 0 stays the same."""
    before = choose_soup(kitchen, "greedy", [1])
    rows = kitchen.data.folds.valid_rows(0)
    kitchen.data.table.labels[rows] = (kitchen.data.table.labels[rows] + 1) % 10
    kitchen.values.cache_clear()
    assert choose_soup(kitchen, "greedy", [1]) == before


def test_renewed_norms_are_kept_if_they_score_as_well(kitchen):
    soup = (0, 1)
    assert kitchen.has_batch_norm and kitchen.ways(soup) == [True, False] and kitchen.ways((1,)) == [False]
    for fold in (0, 1):
        renewed, averaged = (kitchen.worth([fold], soup, renew) for renew in (True, False))
        assert kitchen.renews([fold], soup) == (renewed >= averaged)
        assert kitchen.best_worth([fold], soup) == max(renewed, averaged)
    assert not kitchen.renews([0], (0,))


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["method=stir"], "error: method: got 'stir'; expected one of uniform, greedy"),
        (["weights=null"], "a soup needs at least two ingredients, got ['cycles']"),
        (["weights=[best,swa]"], "swa.safetensors: no such weights"),
        (["runs=[{runs}/cycles,{runs}/small]", "weights=[best]"], "its preprocessing differ"),
        (["name=small"], "small exists already"),
    ],
)
def test_a_mistake_is_one_message_and_leaves_nothing(soup, runs, arguments, words):
    before = sorted(path.name for path in runs.iterdir())
    status, _, err = soup(*(one.format(runs=runs) for one in ["name=refused", *arguments]))
    assert status == 2 and words in err and "Traceback" not in err, err
    assert sorted(path.name for path in runs.iterdir()) == before


def test_data_that_changed_since(soup, runs):
    """The folds that the data gives are not those that the weights were trained on."""
    folder = runs / "cycles"
    metrics = json.loads((folder / "metrics.json").read_text())
    try:
        (folder / "metrics.json").write_text(json.dumps(metrics | {"fold_hash": "0" * 64}))
        status, _, err = soup("name=refused")
        assert status == 2 and "the data gives" in err
    finally:
        (folder / "metrics.json").write_text(json.dumps(metrics))
    assert np.isfinite(metrics["pooled"]["accuracy"])


def test_another_network_is_refused_before_anything_is_loaded(runs, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(runs / "cycles", other)
    weights = other / "fold_1" / "best.safetensors"
    state = load_file(weights)
    name = next(key for key in state if state[key].ndim == 4)
    save_file(state | {name: state[name][:-1].contiguous()}, weights, read_metadata_text(weights))
    with pytest.raises(ValueError, match=f"other/fold_1/best.safetensors: is another network.*{name}"):
        find_ingredients([load_plan(runs / "cycles"), load_plan(other)], ["best"], [0, 1])


def read_metadata_text(path):
    """The metadata as it stands in the file."""
    with safe_open(path, framework="pt") as file:
        return file.metadata()
