"""The commands that try things out before a run, what they leave, what they say, their exit status."""

import cv2
import pandas as pd
import pytest
import yaml

from .commands import ROOT, call_here
from .conftest import QUICK


@pytest.fixture
def command(data_dir, tmp_path, capsys):
    """Run a script on a few digits: command("lr_find", "steps=10") -> (exit status, stdout, stderr)."""

    def run(script, *arguments):
        paths = (f"data_dir={data_dir}", f"output_dir={tmp_path / 'outputs'}", "predict_test=false")
        return call_here(capsys, f"scripts/{script}.py", *QUICK, *paths, *arguments)

    return run


def test_lr_find_leaves_a_page_and_a_curve(command, tmp_path):
    status, out, err = command("lr_find", "steps=10", "name=a")
    assert status == 0 and "another batch size or optimizer wants another rate" in out, err
    folder = tmp_path / "outputs" / "digits" / "lr_find"
    assert "Learning rate range test" in (folder / "a.html").read_text()
    assert len(pd.read_csv(folder / "a.csv")) == 10


def test_plot_schedule_leaves_a_page(command, tmp_path):
    status, out, err = command("lr_find", "plot_schedule=true", "schedule=one_cycle", "epochs=5", "name=a")
    assert status == 0 and "lr " in out, err
    assert (tmp_path / "outputs" / "digits" / "lr_find" / "a_schedule.html").is_file()


def test_find_batch_size_says_what_was_tried(command):
    status, out, err = command("find_batch_size", "start=4", "largest=8")
    assert status == 0, err
    assert [line.split(":")[0] for line in out.splitlines()[:2]] == ["batch_size=4", "batch_size=8"]
    assert "larger ones were not tried, as largest=8" in out and "GPU" not in out


def test_preview_draws_a_sheet(command, tmp_path):
    path = tmp_path / "sheet.png"
    status, out, err = command(
        "preview", "mixing=mixup_cutmix", "augment=medium", "pictures=8", f"output={path}"
    )
    assert status == 0 and str(path) in out, err
    assert cv2.imread(str(path)).shape[1] > 8 * 112


def test_summary_lists_layers(command):
    status, out, err = command("summary", "finetune=freeze")
    assert status == 0 and "head.linear" in out and "frozen" in out and "parameters" in out, err


def test_search_augment_writes_an_option(command, tmp_path):
    option = ROOT / "conf" / "augment" / f"test_{tmp_path.name}.yaml"
    arguments = ("proxy_epochs=1", "proxy_rows=40", "proxy_size=1", "confirm_top=1", "confirm_seeds=2")
    try:
        status, out, err = command(
            "search_augment", f"save_as={option.stem}", "budget_minutes=1", "max_trials=2", *arguments
        )
        assert status == 0 and option.stem in out, err
        assert isinstance(yaml.safe_load(option.read_text()), dict)
    finally:
        option.unlink(missing_ok=True)


def test_benchmark_times_one_trick(command):
    left_out = [f"tricks.{name}=null" for name in ("lovasz", "ce_lovasz", "focal", "triplet", "arcface")]
    sizes = ("image_size=32", "batch_size=16", "num_workers=0", "rounds=1", "tricks.mixup_cutmix=null")
    status, out, err = command("benchmark", "what=tricks", *sizes, *left_out)
    assert status == 0 and "top_k" in out and "cost / step" in out and "lovasz" not in out, err


@pytest.mark.parametrize(
    "script, arguments, words",
    [
        ("lr_find", ["start=1", "end=0.1"], "error: start=1 end=0.1: expected 0 < start < end"),
        ("lr_find", ["start=abc"], "error: start: got 'abc'; expected a number > 0"),
        ("lr_find", ["steps=abc"], "error: steps=abc: expected a whole number"),
        ("lr_find", ["stepz=10"], "did you mean 'steps'?"),
        ("find_batch_size", ["largest=0"], "error: largest=0: expected a whole number"),
        ("find_batch_size", ["start=16", "largest=8"], "error: start=16 largest=8"),
        ("preview", ["output=sheet.txt"], "error: output=sheet.txt: expected a .png or .jpg file"),
        ("preview", ["mixing=mixupp"], "mixup_cutmix"),
        ("summary", ["depth=0"], "error: depth=0"),
        ("search_augment", ["budget_minutes=long"], "error: budget_minutes: got 'long'"),
        ("search_augment", ["proxy_size=2"], "error: proxy_size: got 2"),
        (
            "benchmark",
            ["what=trick"],
            "error: what=trick: expected loop, tricks, probes, memory, inspection or hill_climb",
        ),
        ("benchmark", ["what=tricks", "+tricks.more='loss=focl'"], "error: tricks.more=loss=focl: In"),
        ("benchmark", ["what=tricks", "+tricks.more='loss focal'"], "error: tricks.more=loss focal"),
    ],
)
def test_a_mistake_is_one_screen_and_status_2(command, tmp_path, script, arguments, words):
    status, _, err = command(script, *arguments)
    assert status == 2 and words in err, err
    assert "Traceback" not in err and len(err.splitlines()) < 24
    assert not (tmp_path / "outputs").exists()
