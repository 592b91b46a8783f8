"""A run's config cut down to what prediction needs: nothing of person or machine, nothing that could run code."""

import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

# key of the config -> what its nodes may build: a class of this package, or of this name
BUILDS = {
    "competition": "compkit.competition.Competition",
    "model": "compkit.models",
    "inference": "compkit.inference.InferenceSettings",
    "postprocess": "compkit.postprocess",
    "metric": "compkit.metrics",
    "trainer": "compkit.engine.TrainerSettings",
    "scale": "compkit.data",
}
PLAIN = ("name", "image_size", "batch_size", "train_folds", "full_data")
PATHS = (
    "train_table",
    "test_table",
    "sample_submission",
    "train_images",
    "test_images",
    "train_join",
    "test_join",
)


def read_yaml(path: Path) -> dict[str, Any]:
    """A config as plain values.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is no YAML of keys and values, or would have to run code to be one.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such file. Set runs= to folders of finished runs: outputs/digits/a."
        )
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path}: no plain YAML ({str(error).splitlines()[0]}). Restore the file."
        ) from error
    if not isinstance(config, dict):
        raise ValueError(f"{path}: expected keys and values, got {type(config).__name__}. Restore the file.")
    return config


def scrub(config: dict[str, Any], name: str, path: Path) -> dict[str, Any]:
    """What prediction needs of a run's config.

    Kept are keys of a short list, not dropped those of another: what nobody thought of is left out.

    Args:
        config: of the run.
        name: of the run in the bundle.
        path: where the config lies, for messages.

    Raises:
        ValueError: see `check_config`.
    """
    kept = {key: config[key] for key in (*PLAIN, *BUILDS) if key in config} | {"name": name}
    model = kept["model"] | {"pretrained": False, "weights": None}
    competition = {key: value for key, value in kept["competition"].items() if key != "path"}
    # an embedded competition of this name would be made anew beside the notebook
    competition |= {"name": f"{competition['name']}_bundle", "path": "."}
    trainer = {key: kept["trainer"][key] for key in ("_target_", "precision") if key in kept["trainer"]}
    kept |= {"model": model, "competition": competition, "trainer": trainer}
    check_config(kept, path)
    return kept


def check_config(config: dict[str, Any], path: Path) -> None:
    """Refuse the config of a bundle, perhaps somebody else's, that would do more than describe predictions.

    Raises:
        ValueError: a key that `scrub` does not keep, a target that is no class of the package that belongs there, a
            value to be looked up in the environment, or a file outside the competition's folder.
    """
    strangers = sorted(set(config) - set(BUILDS) - set(PLAIN))
    if strangers:
        raise ValueError(
            f"{path}: keys {strangers[:5]} are none of a bundle's. Make the bundle anew with scripts/bundle.py."
        )
    for key, node in config.items():
        for value in _values(node):
            if isinstance(value, str) and "${" in value:
                raise ValueError(
                    f"{path}: {key} has the value {value!r}, to be looked up elsewhere; expected a resolved config, as "
                    "train.py writes it. Restore the file."
                )
        for target in _targets(node):
            check_target(target, BUILDS.get(key, ""), f"{path}: {key}")
    for key in PATHS:
        given = config["competition"].get(key)
        for value in given if isinstance(given, dict) else [given]:
            if isinstance(value, str) and (Path(value).is_absolute() or ".." in Path(value).parts):
                raise ValueError(
                    f"{path}: competition.{key}={value} leads out of the competition's folder; expected a path in it."
                )


def check_target(target: Any, allowed: str, where: str) -> None:
    """Only classes that a package of ours offers: its functions may write files or start programs.

    Args:
        target: of a config node.
        allowed: a package, or the only class there may be; "" for none.
        where: file and key, for the message.

    Raises:
        ValueError: something else.

    >>> check_target("compkit.models.GeM", "compkit.models", "config.yaml: model")
    >>> check_target("os.system", "compkit.models", "a")
    Traceback (most recent call last):
    ValueError: a is made by `_target_: os.system`, and a bundle takes only classes of compkit.models. Code of your own
    cannot be bundled: predict with scripts/predict.py, or take the run out of runs.
    """
    package, _, name = str(target).rpartition(".")
    is_offered = False
    if allowed and package == allowed:
        offered = importlib.import_module(package)
        is_offered = name in offered.__all__ and inspect.isclass(getattr(offered, name))
    if not is_offered and (str(target) != allowed or not package):
        raise ValueError(
            f"{where} is made by `_target_: {target}`, and a bundle takes only classes of {allowed or 'compkit'}. "
            "Code of your own cannot be bundled: predict with scripts/predict.py, or take the run out of runs."
        )


def _values(node: Any) -> Iterator[Any]:
    """All plain values in a tree."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield key
            yield from _values(value)
    elif isinstance(node, list):
        for value in node:
            yield from _values(value)
    else:
        yield node


def _targets(node: Any) -> Iterator[Any]:
    """What a tree would have built."""
    if isinstance(node, dict):
        if "_target_" in node:
            yield node["_target_"]
        node = list(node.values())
    if isinstance(node, list):
        for value in node:
            yield from _targets(value)
