"""A run's folder."""

import json
import os
import secrets

import pytest
import torch
import yaml

from compkit.run.folder import check_name, check_writable, differences, json_text, open_run

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", ["..", "a/b", "/tmp/x", "a b", "", ".hidden", "a\nb", "$HOME", "a=b", "a,b"])
def test_names_are_plain_folder_names(tmp_path, name):
    with pytest.raises(ValueError, match="expected letters"):
        check_name(name, tmp_path / "runs" / name.strip(), resume=False)


def test_taken_name(tmp_path):
    check_name("run", tmp_path / "run", resume=False)
    open_run(tmp_path / "run", {"lr": 0.1}, [], CPU)
    with pytest.raises(ValueError, match="exists already"):
        check_name("run", tmp_path / "run", resume=False)
    check_name("run", tmp_path / "run", resume=True)


def test_continuing_needs_the_same_settings(tmp_path):
    folder = tmp_path / "run"
    open_run(folder, {"lr": 0.1, "epochs": 3, "trainer": {"device": "cpu", "accumulate": 1}}, ["lr=0.1"], CPU)
    (folder / "fold_0").mkdir()
    (folder / "fold_0" / ".tmp-half").write_text("torn")
    open_run(
        folder, {"lr": 0.1, "epochs": 9, "trainer": {"device": "auto", "accumulate": 1}}, ["epochs=9"], CPU
    )
    assert not (folder / "fold_0" / ".tmp-half").exists()
    assert yaml.safe_load((folder / "config.yaml").read_text())["epochs"] == 9
    with pytest.raises(ValueError, match=r"trainer\.accumulate was 1, is 2"):
        open_run(folder, {"lr": 0.1, "epochs": 9, "trainer": {"device": "auto", "accumulate": 2}}, [], CPU)
    assert yaml.safe_load((folder / "config.yaml").read_text())["trainer"]["accumulate"] == 1


def test_added_and_removed_keys_are_differences():
    assert differences({"a": 1}, {"b": None, "a": 1}) == []
    assert differences({"a": 1}, {"b": 2, "a": 1}) == ["b was None, is 2"]
    assert differences({"logger": {"wandb": {"mode": "x"}}}, {}) == []


def test_environment_tells_versions_and_no_secrets(tmp_path, monkeypatch):
    secret = secrets.token_hex(20)
    monkeypatch.setenv("WANDB_API_KEY", secret)
    open_run(tmp_path / "run", {}, [], CPU)
    text = (tmp_path / "run" / "environment.json").read_text()
    environment = json.loads(text)
    assert torch.__version__.startswith(environment["torch"]) and environment["hardware"]["cores"] >= 1
    assert secret not in text
    assert os.path.expanduser("~") + "/" not in str(
        {key: environment[key] for key in environment if key != "git_diff"}
    )


def test_json_has_no_nan():
    assert json.loads(json_text({"a": [float("nan"), float("inf"), 1.5], "b": {"c": float("nan")}})) == {
        "a": [None, None, 1.5],
        "b": {"c": None},
    }


def test_a_place_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(PermissionError, match="output_dir"):
        check_writable(tmp_path / "file" / "digits" / "run")
    check_writable(tmp_path / "new" / "digits" / "run")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
