"""Bundles and runs of somebody else, each with a trap: none may run code, read or write outside, or tell secrets."""

import getpass
import hashlib
import json
import pickle
import zipfile

import numpy as np
import pytest
import yaml
from safetensors.torch import load_file, save_file

from compkit.bundle import open_bundle, predict, read_manifest
from compkit.bundle.scrub import check_config, read_yaml, scrub
from compkit.cli import config_dir
from compkit.engine import read_metadata

from .conftest import blend, stack


class Trap:
    """What a pickle runs when it is opened."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.fixture
def sprung(tmp_path):
    """A file that must not appear."""
    path = tmp_path / "sprung"
    yield path
    assert not path.exists()


def forge(bundle, name, data):
    """Put other bytes into a bundle, and a bundle.json that vouches for them: the attacker made it."""
    path = bundle / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    about = json.loads((bundle / "bundle.json").read_text())
    about["files"][name] = hashlib.sha256(data).hexdigest()
    (bundle / "bundle.json").write_text(json.dumps(about))


def change_manifest(bundle, change):
    about = json.loads((bundle / "bundle.json").read_text())
    change(about)
    (bundle / "bundle.json").write_text(json.dumps(about))


def change_config(bundle, key, value):
    """Set a dotted key of the config of run `a`, and vouch for it."""
    path = bundle / "runs" / "a" / "config.yaml"
    config = yaml.safe_load(path.read_text())
    node = config
    *above, last = key.split(".")
    for part in above:
        node = node[part]
    node[last] = value
    forge(bundle, "runs/a/config.yaml", yaml.safe_dump(config).encode())


def test_a_changed_file_is_found_before_anything_is_read(runs, data, bundle):
    made = bundle(runs / "a")
    weights = made / "runs" / "a" / "fold_0" / "best.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(changed)
    with pytest.raises(ValueError, match=r"best.safetensors: not the file that was bundled"):
        open_bundle(made, data)


def test_a_missing_file_is_named(runs, data, bundle):
    made = bundle(runs / "a")
    (made / "runs" / "a" / "config.yaml").unlink()
    with pytest.raises(FileNotFoundError, match=r"config.yaml: missing"):
        open_bundle(made, data)


def test_a_file_that_nobody_told_of_is_refused(runs, data, bundle):
    made = bundle(runs / "a")
    (made / "runs" / "a" / "fold_0" / "ema.safetensors").write_bytes(b"x")  # would predict instead of `best`
    with pytest.raises(ValueError, match=r"ema.safetensors: bundle.json does not tell of this file"):
        open_bundle(made, data)


@pytest.mark.parametrize(
    "name", ["../outside", "/etc/passwd", "runs/../../outside", "runs\\..\\..\\x", "", "a\0b"]
)
def test_names_that_lead_out_of_the_bundle_are_refused(runs, bundle, tmp_path, name):
    made = bundle(runs / "a")
    (tmp_path / "outside").write_text("mine")
    change_manifest(made, lambda about: about["files"].update({name: hashlib.sha256(b"mine").hexdigest()}))
    with pytest.raises(ValueError, match=r"leads out of the bundle"):
        read_manifest(made)


@pytest.mark.parametrize("of", ["file", "folder"])
def test_links_that_lead_out_of_the_bundle_are_refused(runs, bundle, tmp_path, of):
    made = bundle(runs / "a")
    fold = made / "runs" / "a" / "fold_0"
    moved = tmp_path / "outside"
    (fold if of == "folder" else fold / "best.safetensors").rename(moved)
    (fold if of == "folder" else fold / "best.safetensors").symlink_to(moved)
    with pytest.raises(ValueError, match=r"leads out of the bundle"):
        read_manifest(made)


def test_a_bundle_that_is_itself_reached_by_a_link_is_fine(runs, bundle, tmp_path):
    (tmp_path / "link").symlink_to(bundle(runs / "a"))
    assert read_manifest(tmp_path / "link")["task"] == "multiclass"


@pytest.mark.parametrize("text", ["", "[]", "{", '{"files": []}', '{"files": {}}', "[" * 5000])
def test_a_damaged_manifest_is_one_message(tmp_path, text):
    (tmp_path / "bundle.json").write_text(text)
    with pytest.raises(ValueError, match=r"bundle.json: (damaged|of format)"):
        read_manifest(tmp_path)


def test_no_bundle_and_another_format_are_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"a folder that scripts/bundle.py made"):
        read_manifest(tmp_path)
    (tmp_path / "bundle.json").write_text('{"format": 99, "files": {}}')
    with pytest.raises(ValueError, match=r"of format 99; this compkit reads 1"):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda about: about["runs"][0]["node"].update(weights_of="../../outside"),
        lambda about: about["runs"][0]["node"].update(name="../a"),
        lambda about: about["runs"][0]["node"].update(kind="code"),
        lambda about: about["runs"][0]["node"].update(folds="abc"),
        lambda about: about.update(task="run"),
        lambda about: about.pop("classes"),
    ],
)
def test_a_tree_that_makes_no_sense_is_refused(runs, data, bundle, change):
    made = bundle(runs / "a")
    change_manifest(made, change)
    with pytest.raises(ValueError, match=r"bundle.json makes no sense"):
        open_bundle(made, data)


def test_weights_that_no_hash_is_told_of_are_refused(runs, data, bundle):
    made = bundle(runs / "a")
    change_manifest(made, lambda about: about["runs"].append({"name": "z", "node": about["runs"][0]["node"]}))
    with pytest.raises(ValueError, match=r"tells no hash of it"):
        open_bundle(made, data)


TARGETS = [
    ("model._target_", "os.system", "os.system"),
    ("model._target_", "compkit.files.write_text", "only classes of compkit.models"),
    ("model._target_", "compkit.models.read_weights", "only classes of compkit.models"),
    ("model._target_", "compkit.models.weights.torch.load", "only classes of compkit.models"),
    ("model._target_", "compkit.build.load_plan", "only classes of compkit.models"),
    ("competition._target_", "compkit.bundle.predict", "only classes of compkit.competition.Competition"),
    ("metric._target_", "my_metrics.Best", "Code of your own cannot be bundled"),
    ("inference.views", {"x": {"_target_": "builtins.eval"}}, "builtins.eval"),
    ("image_size", [{"_target_": "os.system"}], "os.system"),
    ("semi", {"_target_": "compkit.semi.LabelsAlone"}, "none of a bundle's"),
    ("name", "${oc.env:HOME}", "looked up elsewhere"),
    ("competition.test_table", "../../secrets.csv", "leads out of the competition's folder"),
    ("competition.sample_submission", "/etc/passwd", "leads out of the competition's folder"),
    ("competition.test_images", "../{id}.png", "leads out of the competition's folder"),
]


@pytest.mark.parametrize("key, value, words", TARGETS)
def test_a_config_can_only_describe_predictions(runs, data, bundle, key, value, words):
    made = bundle(runs / "a")
    change_config(made, key, value)
    with pytest.raises(ValueError, match=words):
        open_bundle(made, data)


@pytest.mark.parametrize(
    "key, value, words", [one for one in TARGETS if one[0] not in ("semi", "image_size")]
)
def test_a_run_that_would_run_code_is_refused_when_it_is_bundled(
    runs, bundle, copy_of, tmp_path, key, value, words
):
    run = copy_of(runs / "a", "a")
    config = yaml.safe_load((run / "config.yaml").read_text())
    group, _, name = key.partition(".")
    if key == "name":
        config["model"]["backbone"] = value
    else:
        config[group][name] = value
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(ValueError, match=words):
        bundle(run)
    assert not (tmp_path / "made").exists()


def test_yaml_that_would_run_code_is_refused(runs, data, bundle, sprung):
    made = bundle(runs / "a")
    trap = f"!!python/object/apply:builtins.open ['{sprung}', 'w']"
    forge(made, "runs/a/config.yaml", f"model: {trap}\n".encode())
    with pytest.raises(ValueError, match=r"no plain YAML"):
        open_bundle(made, data)


def test_yaml_that_is_no_config_is_refused(tmp_path):
    (tmp_path / "config.yaml").write_text("- a\n")
    with pytest.raises(ValueError, match=r"expected keys and values, got list"):
        read_yaml(tmp_path / "config.yaml")
    with pytest.raises(FileNotFoundError, match=r"Set runs= to folders"):
        read_yaml(tmp_path / "none.yaml")


def test_pickled_weights_are_refused(runs, data, bundle, tmp_path, sprung):
    made = bundle(runs / "a")
    forge(made, "runs/a/fold_0/best.safetensors", pickle.dumps(Trap(sprung)))
    with pytest.raises(ValueError, match=r"best.safetensors: not weights of a compkit run"):
        predict(made, data, tmp_path / "out", changes={"num_workers": 0})


def test_pickled_weights_of_a_run_are_refused(runs, bundle, copy_of, sprung):
    run = copy_of(runs / "a", "a")
    (run / "fold_0" / "best.safetensors").write_bytes(pickle.dumps(Trap(sprung)))
    with pytest.raises(ValueError, match=r"not weights of a compkit run"):
        bundle(run)


def test_a_pickle_among_level2_models_is_refused(runs, data, bundle, tmp_path, sprung):
    made = bundle(stack(runs, "stacked"))
    trap = np.empty(1, dtype=object)
    trap[0] = Trap(sprung)
    path = tmp_path / "level2.npz"
    np.savez(path, **{"0/kind": trap})
    forge(made, "runs/stacked/level2.npz", path.read_bytes())
    with pytest.raises(ValueError, match=r"makes no sense \(ValueError: Object arrays cannot be loaded"):
        open_bundle(made, data)


@pytest.mark.parametrize("id", ["../secret", "/etc/hostname", "a/../../secret"])
def test_ids_cannot_reach_pictures_outside(runs, data, bundle, copy_of, tmp_path, id):
    made, changed = bundle(runs / "a"), copy_of(data)
    sample = changed / "sample_submission.csv"
    sample.write_text(sample.read_text() + f"{id},0\n")
    (tmp_path / "secret.png").write_bytes((data / "test" / "00001.png").read_bytes())
    with pytest.raises((ValueError, FileNotFoundError), match=r"outside|missing"):
        predict(made, changed, tmp_path / "out", changes={"num_workers": 0})
    assert (tmp_path / "out" / "submission.csv").is_file()  # the prior was there before


SECRETS = {
    "WANDB_API_KEY": "0123456789abcdef-planted-wandb",
    "KAGGLE_KEY": "feedfacefeedface-planted-kaggle",
    "HF_TOKEN": "hf_plantedplantedplanted",
    "MY_PASSWORD": "correct-horse-planted",
}
USER = "zaphodbeeblebrox"


@pytest.fixture
def person(tmp_path, monkeypatch):
    """A home with a user name in its path, keys in the environment and in files."""
    home = tmp_path / "home" / USER
    (home / ".kaggle").mkdir(parents=True)
    (home / ".kaggle" / "kaggle.json").write_text(
        json.dumps({"username": "zb-kaggle-name", "key": "planted-in-file-1"})
    )
    (home / ".netrc").write_text("machine api.wandb.ai\n  login user\n  password planted-in-netrc-1\n")
    for name, value in {**SECRETS, "HOME": str(home), "USER": USER, "LOGNAME": USER}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("KAGGLE_CONFIG_DIR", raising=False)
    monkeypatch.setattr(getpass, "getuser", lambda: USER)
    return home


def every_byte(folder):
    """Name and content of every file, unpacked where it is an archive, with its comments."""
    for path in sorted(folder.rglob("*")):
        yield str(path.relative_to(folder)), str(path.relative_to(folder)).encode()
        if path.is_file():
            yield path.name, path.read_bytes()
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as archive:
                yield f"{path.name} comment", archive.comment
                for member in archive.infolist():
                    yield member.filename, archive.read(member) + member.comment + member.extra


def test_nothing_of_the_person_goes_along(runs, bundle, copy_of, person):
    """Planted in the environment, in files of the home, in the config, the weights' header and the run's own files."""
    run = person / "outputs" / "digits" / f"{USER}_a"
    run.parent.mkdir(parents=True)
    copy_of(runs / "a", "a").rename(run)
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["model"]["weights"] = f"{person}/weights.pth"
    config |= {
        "logger": {"wandb": {"api_key": SECRETS["WANDB_API_KEY"], "entity": USER}},
        "data_dir": f"{person}/data",
    }
    config |= {
        "pseudo_labels": f"{person}/pseudo.csv",
        "made": {"by": "refit", "run": f"{person}/x"},
        "note": USER,
    }
    config["trainer"]["max_hours"] = 9
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    (run / "overrides.txt").write_text(f"logger.wandb.api_key={SECRETS['WANDB_API_KEY']}\n")
    weights = run / "fold_0" / "best.safetensors"
    header = {
        "compkit": json.dumps(read_metadata(weights) | {"by": USER, "path": str(person)}),
        "author": USER,
    }
    save_file(load_file(weights), weights, metadata=header)
    made = bundle(run)
    wanted = [
        *SECRETS.values(),
        USER,
        str(person),
        "planted",
        "zb-kaggle-name",
        "pseudo.csv",
        str(run.parent),
    ]
    for name, data in every_byte(made):
        for secret in wanted:
            assert secret.encode() not in data, (name, secret)


@pytest.mark.parametrize(
    "place, words",
    [
        (lambda home: SECRETS["HF_TOKEN"], "the value of the environment variable HF_TOKEN"),
        (lambda home: "planted-in-file-1", "a key out of kaggle.json"),
        (lambda home: "planted-in-netrc-1", "a key out of .netrc"),
        (lambda home: f"{home}/pictures", "your user name|your home folder"),
    ],
)
def test_what_the_cut_cannot_know_stops_the_bundle(runs, bundle, copy_of, person, tmp_path, place, words):
    run = copy_of(runs / "a", "a")
    config = yaml.safe_load((run / "config.yaml").read_text())
    config["competition"]["empty_token"] = place(person)  # a key that prediction needs
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(ValueError, match=words) as error:
        bundle(run)
    assert place(person) not in str(error.value) and not (tmp_path / "made").exists()
    assert not list(tmp_path.glob(".tmp-*"))


def test_configs_of_the_user_s_other_competitions_stay_at_home(runs, bundle, copy_of, monkeypatch):
    pages = copy_of(config_dir(), "conf")
    for name in ("competition/own.yaml", "experiment/own/001_a.yaml"):
        (pages / name).parent.mkdir(parents=True, exist_ok=True)
        (pages / name).write_text(f"# Mine.\npath: /home/{USER}/data\n")
    monkeypatch.setattr("compkit.bundle.wheel.config_dir", lambda: pages)
    found = list(every_byte(bundle(runs / "a")))
    assert not [name for name, data in found if USER.encode() in data]
    assert "compkit/conf/competition/digits.yaml" in [name for name, _ in found]


def test_scrubbing_keeps_what_prediction_needs_and_nothing_else(runs):
    path = blend(runs, "blend") / "config.yaml"
    kept = scrub(read_yaml(path), "x", path)
    assert set(kept) <= {
        *(
            "name",
            "image_size",
            "batch_size",
            "train_folds",
            "full_data",
            "competition",
            "model",
            "inference",
        ),
        *("postprocess", "metric", "trainer", "scale"),
    }
    assert kept["model"]["weights"] is None and kept["competition"]["path"] == "."
    check_config(kept, path)
