"""Config to objects, and whose configs are trusted."""

import numpy as np
import pytest
import yaml
from hydra.errors import InstantiationException

from compkit.build import build, build_all, check_targets, image_reader, load_plan, whole


def test_build_names_the_constructor_s_own_error():
    with pytest.raises(InstantiationException) as caught:
        build({"_target_": "compkit.losses.Huber", "delta": -1})
    assert isinstance(caught.value.__cause__, ValueError) and "delta" in str(caught.value.__cause__)


def test_unknown_augmentation_argument_is_an_error():
    with pytest.raises(ValueError, match="angle"):
        build({"_target_": "albumentations.HorizontalFlip", "angle": 3})


def test_members_set_to_null_are_left_out():
    node = {"flip": {"_target_": "albumentations.HorizontalFlip"}, "light": None}
    assert [type(one).__name__ for one in build_all(node)] == ["HorizontalFlip"]


@pytest.mark.parametrize("value", [0, 1.5, "many", True, None, float("nan"), float("inf")])
def test_whole_numbers(value):
    with pytest.raises(ValueError, match=r"epochs=.*at least 1"):
        whole("epochs", value, at_least=1)


@pytest.mark.parametrize(
    "target",
    ["os.system", "compkit.build.warnings.warn", "compkit.build.hydra.utils.call", "torch.load", "builtins.eval",
     "compkitevil.Loss", "subprocess.run", "torch.hub.load", "compkit.files.write_text", "compkit.build.load_plan",
     "compkit.run.folder.open_run", "torch.nn.init.normal_", "compkit.engine.save_weights",
     "albumentations.core.serialization.load"],
)  # fmt: skip
def test_a_stranger_s_config_cannot_run_code(train, target):
    folder = train("epochs=1", "train_folds=[0]")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["loss"] = {"nested": [{"_target_": target}]}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(ValueError, match="trusted"):
        load_plan(folder)


def test_own_modules_can_be_trusted(tmp_path):
    check_targets({"_target_": "tests.engine.conftest.tiny_net"}, ["tests"], tmp_path)
    with pytest.raises(ValueError, match="trust="):
        check_targets({"_target_": "tests.engine.conftest.tiny_net"}, [], tmp_path)


def test_no_run_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="run="):
        load_plan(tmp_path)


def test_pictures_of_a_run_on_disk(train, tmp_path):
    folder = train("epochs=1", "train_folds=[0]")
    picture = image_reader(folder)
    plan = load_plan(folder)
    ids = plan.competition.read_train(plan.limit).ids
    assert picture(ids[0]).shape == (32, 32, 3)
    assert picture("unknown") is None
    blend = tmp_path / "blend"  # of a run made of the run: its pictures are the same
    for name, of in (("mean", folder), ("blend", tmp_path / "mean")):
        made = plan.config | {"made": {"by": "ensemble", "runs": [str(of)]}}
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text(yaml.safe_dump(made))
    assert np.array_equal(image_reader(blend)(ids[0]), picture(ids[0]))
    for weights in folder.glob("fold_*/*.safetensors"):
        weights.unlink()
    assert image_reader(blend)(ids[0]) is None and image_reader(folder)(ids[0]) is None


def test_home_folder_is_understood_where_the_shell_leaves_it(plan, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    built = plan("competition=folder", "competition.path='~/leaf'", "output_dir='~/out'")
    assert built.competition.path == tmp_path / "leaf"
    assert built.folder == tmp_path / "out" / "folder" / "run"


def test_a_run_older_than_a_group_of_options_gets_its_default(train):
    folder = train("epochs=1", "train_folds=[0]", "batch_size=13")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    for key in ("semi", "postprocess", "pseudo_labels", "full_data"):
        del config[key]
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    plan = load_plan(folder)
    assert plan.full_data is False and plan.pseudo_labels is None and plan.batch_size == 13
    assert type(plan.postprocess).__name__ == "NoPostprocess"
