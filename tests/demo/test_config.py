"""The config pages of the embedded competitions, and how task, competition and command line give way."""

from pathlib import Path

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue

from compkit.demo import ensure_competition

CONF = Path(__file__).parents[2] / "conf"


def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", overrides=list(overrides))


@pytest.mark.parametrize(
    "name, task, loss, metric",
    [
        ("digits", "multiclass", "CrossEntropy", "accuracy"),
        ("mosaic", "multilabel", "BCE", "f1_samples"),
        ("tilt", "regression", "MSE", "rmse"),
    ],
)
def test_a_competition_brings_its_task_loss_and_metric(name, task, loss, metric):
    cfg = composed(f"competition={name}")
    assert (cfg.task, cfg.competition.task) == (task, task)
    assert cfg.loss._target_ == f"compkit.losses.{loss}"
    assert instantiate(cfg.metric).name == metric
    assert cfg.model.pretrained is False


@pytest.mark.parametrize("order", [1, -1])
def test_the_command_line_wins_in_any_order(order):
    cfg = composed(*["competition=mosaic", "loss=mse", "metric=mean_columnwise_auc", "lr=0.5"][::order])
    assert cfg.loss._target_ == "compkit.losses.MSE"
    assert instantiate(cfg.metric).name == "mean_columnwise_auc"
    assert (cfg.task, cfg.lr) == ("multilabel", 0.5)


@pytest.mark.parametrize(
    "task, metric, further",
    [
        ("multiclass", "accuracy", {"accuracy", "log_loss", "f1_macro"}),
        ("multilabel", "f1_macro", {"f1_macro", "f1_samples", "mean_columnwise_auc", "average_precision"}),
        ("regression", "rmse", {"rmse", "mae", "r2"}),
    ],
)
def test_a_folder_of_ones_own_takes_the_tasks_metrics(task, metric, further):
    cfg = composed("competition=folder", "competition.path=/data/leaf", f"task={task}")
    assert instantiate(cfg.metric).name == metric
    metrics = {name: instantiate(node) for name, node in cfg.metrics.items()}
    assert {one.name for one in metrics.values()} == metrics.keys() == further
    assert all(task in one.tasks for one in metrics.values())
    assert cfg.model.pretrained is True


def test_metrics_are_added_and_dropped_one_by_one():
    cfg = composed("~metrics.log_loss", "+metric@metrics.top_k=top_k")
    assert set(cfg.metrics) == {"accuracy", "f1_macro", "top_k"}


def test_a_folder_needs_its_path():
    with pytest.raises(MissingMandatoryValue):
        OmegaConf.to_container(composed("competition=folder"), resolve=True, throw_on_missing=True)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return tmp_path_factory.mktemp("data")


@pytest.mark.parametrize(
    "name, classes, shape",
    [
        ("digits", tuple("0123456789"), (1437,)),
        ("mosaic", tuple("0123456789"), (1600, 10)),
        ("tilt", ("angle",), (1600, 1)),
    ],
)
def test_competitions_are_read_as_their_pages_say(name, classes, shape, data_dir):
    ensure_competition(name, data_dir)
    competition = instantiate(composed(f"competition={name}", f"data_dir={data_dir}").competition)
    train, test = competition.read_train(), competition.read_test()
    assert competition.classes == classes
    assert train.targets.shape == shape
    assert not np.isnan(train.targets.astype(float)).any()
    assert test.targets is None
    for table in (train, test):
        assert all(Path(file.decode()).is_file() for file in table.files[:, 0])
    if competition.group_column:
        assert 5 < train.frame[competition.group_column].nunique() < len(train)
