import builtins
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import wandb
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate

from compkit.engine.loggers import TensorBoardLogger, WandbLogger, log_all

CONF = Path(__file__).parents[2] / "conf"
ROWS = [{"epoch": epoch, "train_loss": 1 / (epoch + 1), "lr": 1e-3} for epoch in range(3)]


class FakeWandb:
    """Stands for the wandb module; `fail_at` names the call that raises."""

    def __init__(self, fail_at: str = ""):
        self.fail_at = fail_at
        self.calls: list[str] = []
        self.inits: list[dict] = []
        self.rows: list[dict] = []
        self.summary: dict = {}

    def _call(self, name: str) -> None:
        self.calls.append(name)
        if name == self.fail_at:
            raise ConnectionError("service unavailable")

    def init(self, **arguments):
        self._call("init")
        self.inits.append(arguments)
        return SimpleNamespace(
            define_metric=lambda *_, **__: None, log=self._log, finish=self._finish, summary=self.summary
        )

    def _log(self, row):
        self._call("log")
        self.rows.append(row)

    def _finish(self):
        self._call("finish")


@pytest.fixture
def fake(monkeypatch):
    def install(fail_at: str = "") -> FakeWandb:
        service = FakeWandb(fail_at)
        monkeypatch.setattr(wandb, "init", service.init)
        monkeypatch.setattr(wandb, "setup", lambda *_, **__: None)
        return service

    return install


def train(logger, folder, folds=2):
    for fold in range(folds):
        logger.start_fold(fold, "demo", {"lr": 1e-3}, folder)
        for row in ROWS:
            logger.log_epoch(row)
        logger.finish_fold({"accuracy": 0.5})


def test_tensorboard_writes_every_value_of_every_fold(tmp_path):
    train(TensorBoardLogger(), tmp_path)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for fold in range(2):
        events = EventAccumulator(str(tmp_path / "tensorboard" / f"fold_{fold}"))
        events.Reload()
        losses = events.Scalars("train_loss")
        assert [event.step for event in losses] == [0, 1, 2]
        assert [event.value for event in losses] == pytest.approx([row["train_loss"] for row in ROWS])
        assert [event.value for event in events.Scalars("final/accuracy")] == [0.5]


def test_tensorboard_missing_says_what_to_install(monkeypatch):
    def without(name, *rest):
        if name.startswith("torch.utils.tensorboard"):
            raise ImportError("No module named 'tensorboard'")
        return real(name, *rest)

    real = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ValueError, match=r"pip install compkit\[tensorboard\]"):
        TensorBoardLogger()


SHARES = np.array([0.25, 0.75])
EDGES = np.array([0.5, 1.0, 2.0])


def draw_all(logger, folder):
    logger.start_fold(0, "demo", {}, folder)
    drawn = (
        {"probes/gradients/conv": (SHARES, EDGES)},
        {"probes/first_filters": np.zeros((4, 5, 3), np.uint8)},
    )
    log_all([logger], ROWS[1] | {"probes/gradient_rms": 0.5}, *(lambda one=one: one for one in drawn))


def test_tensorboard_draws_histograms_and_pictures(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logger = TensorBoardLogger()
    draw_all(logger, tmp_path)
    logger.finish_fold({})
    events = EventAccumulator(str(tmp_path / "tensorboard" / "fold_0"))
    events.Reload()
    [histogram] = events.Histograms("probes/gradients/conv")
    assert histogram.step == 1 and histogram.histogram_value.bucket == SHARES.tolist()
    assert events.Images("probes/first_filters")[0].width == 5
    assert events.Scalars("probes/gradient_rms")[0].value == 0.5


def test_wandb_draws_histograms_and_pictures_and_an_outage_stops_nothing(fake, tmp_path):
    service = fake()
    draw_all(WandbLogger("digits"), tmp_path)
    _, histograms, pictures = service.rows
    assert histograms["probes/gradients/conv"].histogram == SHARES.tolist() and histograms["epoch"] == 1
    assert (pictures["probes/first_filters"].image.size, pictures["epoch"]) == ((5, 4), 1)
    service = fake("log")
    with pytest.warns(UserWarning, match="service unavailable"):
        draw_all(WandbLogger("digits"), tmp_path)
    assert service.calls == ["init", "log"]


def test_loggers_that_do_not_draw_get_the_row_alone():
    rows = []

    class Plain:
        def log_epoch(self, row):
            rows.append(row)

    log_all([Plain()], ROWS[0], *[lambda: pytest.fail("made for nobody")] * 2)
    assert rows == [ROWS[0]]


def test_wandb_finishes_each_fold_before_the_next(fake, tmp_path):
    service = fake()
    train(WandbLogger("digits"), tmp_path)
    assert service.calls == ["init", "log", "log", "log", "finish"] * 2
    assert [call["group"] for call in service.inits] == ["demo", "demo"]
    assert service.rows == ROWS * 2
    assert service.summary == {"accuracy": 0.5}


def test_wandb_id_lasts_over_a_resume_and_differs_otherwise(fake, tmp_path):
    service = fake()
    for folder in ("a", "a", "b"):
        train(WandbLogger("digits"), tmp_path / folder)
    ids = [call["id"] for call in service.inits]
    assert ids[:2] == ids[2:4]
    assert len(set(ids)) == 4
    assert {call["resume"] for call in service.inits} == {"allow"}


@pytest.mark.parametrize("fail_at, calls", [("init", 1), ("log", 2), ("finish", 5)])
def test_wandb_failure_warns_once_and_turns_off(fake, tmp_path, fail_at, calls):
    service = fake(fail_at)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        train(WandbLogger("digits"), tmp_path)
    assert len(caught) == 1
    assert "service unavailable" in str(caught[0].message)
    assert len(service.calls) == calls


def test_wandb_disabled_calls_nothing(fake, tmp_path):
    service = fake()
    train(WandbLogger("digits", mode="disabled"), tmp_path)
    assert service.calls == []
    assert list(tmp_path.iterdir()) == []


def test_wandb_offline_works_without_network_and_silently(tmp_path, capfd, recwarn):
    train(WandbLogger("digits", mode="offline", tags=("a",)), tmp_path)
    captured = capfd.readouterr()
    assert captured.out == captured.err == ""
    assert not [warning for warning in recwarn if "wandb" in str(warning.message)]
    assert len(list((tmp_path / "wandb").glob("offline-run-*/*.wandb"))) == 2


def test_wandb_online_without_login_warns(tmp_path, monkeypatch, capfd):
    for name in ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "no_netrc"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path))
    with pytest.warns(UserWarning, match="wandb login"):
        train(WandbLogger("digits", timeout_seconds=2), tmp_path)
    assert capfd.readouterr().out == ""


def test_wandb_bad_settings():
    with pytest.raises(ValueError, match=r"logger\.wandb\.mode"):
        WandbLogger("digits", mode="on")
    with pytest.raises(ValueError, match=r"logger\.wandb\.timeout_seconds"):
        WandbLogger("digits", timeout_seconds=0)


@pytest.mark.parametrize(
    "choice, names",
    [
        ("csv", []),
        ("tensorboard", ["tensorboard"]),
        ("wandb", ["wandb"]),
        ("[tensorboard,wandb]", ["tensorboard", "wandb"]),
    ],
)
def test_options_compose_and_build(tmp_path, choice, names):
    (tmp_path / "main.yaml").write_text(
        f"defaults: [_self_, logger: csv]\ncompetition: {{name: digits}}\n"
        f"hydra: {{searchpath: ['file://{CONF}']}}\n"
    )
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        config = compose("main", overrides=[f"logger={choice}"])
    loggers = {name: instantiate(node) for name, node in config.logger.items()}
    assert list(loggers) == names
    if "wandb" in loggers:
        assert loggers["wandb"].project == "digits"
