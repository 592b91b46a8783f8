"""Commands from outside: exit status, one message, no traceback."""

import pytest

from compkit.cli import config_dir, misspelt_keys

from .commands import ROOT, call
from .conftest import QUICK


def test_conf_is_the_checkout_s():
    assert config_dir() == ROOT / "conf"


@pytest.mark.parametrize(
    "arguments, hints",
    [
        (["epocs=3"], ["epocs: no such key; did you mean 'epochs'?"]),
        (["trainer.precison=fp32"], ["trainer.precison: no such key; did you mean 'trainer.precision'?"]),
        (["optimiser=adam"], ["optimiser: no such key; did you mean 'optimizer'?"]),
        (["+extra=1", "~augment", "epochs=3", "model/pooling=gem"], []),
        (["qqqqqqqq=1"], ["qqqqqqqq: no such key"]),
        (["this is no override"], []),
    ],
)
def test_misspelt_keys(arguments, hints):
    assert misspelt_keys("train", arguments) == hints


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments, words",
    [
        (["epocs=3"], ["epocs", "did you mean 'epochs'"]),
        (["loss=focl"], ["focl", "cross_entropy"]),
        (["image_size=0"], ["error: image_size=0"]),
        (["competition=folder"], ["error: competition.path has no value", "Set competition.path="]),
    ],
)
def test_mistake_is_one_screen_and_status_2(arguments, words, tmp_path):
    status, _, err = call("train.py", *arguments, f"output_dir={tmp_path}", f"data_dir={tmp_path}/data")
    assert status == 2
    assert all(word in err for word in words), err
    assert "Traceback" not in err and len(err.splitlines()) < 40
    assert not list(tmp_path.glob("digits"))


@pytest.mark.slow
def test_full_error_shows_where(tmp_path):
    status, _, err = call("train.py", "image_size=0", f"data_dir={tmp_path}", HYDRA_FULL_ERROR="1")
    assert status == 1 and "Traceback" in err and "image_size=0" in err


@pytest.mark.slow
def test_pretrained_without_network_names_file_and_key(tmp_path):
    status, _, err = call(
        "train.py", "model.pretrained=true", f"output_dir={tmp_path}/out", f"data_dir={tmp_path}", HF_HUB_OFFLINE="1",
        HF_HOME=str(tmp_path),
    )  # fmt: skip
    assert status == 2 and "Traceback" not in err
    assert "model.weights" in err and "huggingface.co" in err
    assert not (tmp_path / "out" / "digits" / "resnet18").exists()


@pytest.mark.slow
def test_every_command_from_training_to_grade(tmp_path, data_dir):
    """train, predict, grade, report as the README has them, from a sweep of two seeds."""
    paths = [f"output_dir={tmp_path}", f"data_dir={data_dir}"]
    status, out, err = call("train.py", "-m", *QUICK, *paths, "name=s", "seed=1,2", "epochs=1")
    assert status == 0, err
    runs = sorted(path for path in (tmp_path / "digits").iterdir() if (path / "metrics.json").is_file())
    assert len(runs) == 2 and [run.name for run in runs] == ["s_seed-1", "s_seed-2"]
    assert "Traceback" not in err and "epoch   1" in out

    submission = runs[0] / "submission.csv"
    status, out, err = call(
        "scripts/grade.py", "competition=digits", f"submission={submission}", f"data_dir={data_dir}"
    )
    assert status == 0 and 0 <= float(out.split()[-1]) <= 1, err
    pattern = f"runs=[{tmp_path}/digits/s_seed-*]"
    status, out, err = call("scripts/ensemble.py", pattern, "bootstrap=20", "name=seeds")
    assert status == 0 and (tmp_path / "digits" / "seeds" / "submission.csv").is_file(), err
    status, out, err = call("scripts/predict.py", f"run={runs[0]}", "num_workers=0")
    assert status == 0 and (tmp_path / "digits" / "s_seed-1_predicted" / "submission.csv").is_file(), err
    (runs[0] / "report.html").unlink()
    status, out, err = call("scripts/report.py", f"run={runs[0]}")
    assert status == 0 and (runs[0] / "report.html").stat().st_size > 10_000, err
