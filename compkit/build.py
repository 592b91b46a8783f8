"""Config to objects: the only module that knows Hydra's `_target_`.

A node of the config names a class and its arguments; `build` makes the object. What needs something
that only the program knows (a head its width, a loss its class counts) is `_partial_: true` and is
finished by whoever has it.
"""

import functools
import inspect
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import hydra
import numpy as np
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException, InstantiationException
from omegaconf import DictConfig, OmegaConf

from compkit.cli import config_dir
from compkit.competition import AuxiliaryColumn
from compkit.data import Preprocessing
from compkit.demo import EMBEDDED, ensure_competition
from compkit.engine import read_metadata
from compkit.explain import ExplainSettings
from compkit.run.plan import DoctorSettings, Plan
from compkit.run.prepare import picture_of

# whose classes the config of somebody else's run may make; never a function, which might read, write or run files
TRUSTED = (
    *(
        f"compkit.{part}."
        for part in ("augment", "competition", "data", "engine", "ensemble", "inference", "losses")
    ),
    *(f"compkit.{part}." for part in ("metrics", "models", "optim", "postprocess", "semi")),
    *("albumentations.", "torch.nn.", "torch.optim.", "timm.optim."),
)


def build(node: Any, **runtime: Any) -> Any:
    """Instantiate one config node; `runtime` is what only the program knows.

    Raises:
        hydra.errors.InstantiationException: caused by the constructor's own error, or an argument it lacks.

    >>> build({"_target_": "compkit.losses.Huber", "_partial_": True, "delta": 2.0})().delta
    2.0
    """
    with warnings.catch_warnings():
        # albumentations drops an unknown argument with a warning; a typo must stop the run
        warnings.filterwarnings("error", message=".*not valid for transform")
        try:
            return hydra.utils.instantiate(node, **runtime, _convert_="all")
        except InstantiationException as error:
            if isinstance(error.__cause__, UserWarning):
                raise ValueError(f"augment: {error.__cause__}. Correct the argument, or drop it.") from error
            raise


def build_all(nodes: Any) -> list[Any]:
    """The members of a dict of nodes, in its order; a member set to null is left out."""
    return [build(node) for node in (nodes or {}).values() if node is not None]


def build_plan(cfg: DictConfig) -> Plan:
    """Everything that a run of train.py is made of.

    Raises:
        ValueError: a key with a value that cannot work, by its name.
    """
    config: dict[str, Any] = OmegaConf.to_container(cfg, resolve=True)  # type: ignore[assignment]
    if cfg.competition.name in EMBEDDED:
        ensure_competition(cfg.competition.name, Path(cfg.data_dir).expanduser())
    name = cfg.name or re.sub(r"[^A-Za-z0-9_-]", "_", str(cfg.model.backbone).split(".")[0])
    config["name"] = name
    return Plan(
        name=name,
        folder=Path(cfg.output_dir).expanduser() / str(cfg.competition.name) / name,
        config=config,
        overrides=list(HydraConfig.get().overrides.task) if HydraConfig.initialized() else [],
        resume=bool(cfg.resume),
        competition=build(cfg.competition),
        folds=whole(
            "folds", cfg.folds, at_least=2, hint="competition.fold_scheme=holdout validates on one part"
        ),
        train_folds=None if cfg.train_folds == "all" else list(_as_list(config["train_folds"])),
        fold_seed=whole("fold_seed", cfg.fold_seed, at_least=0),
        group_duplicates=_true_false_or_file("group_duplicates", cfg.group_duplicates),
        epochs=whole("epochs", cfg.epochs, at_least=1),
        batch_size=whole("batch_size", cfg.batch_size, at_least=1),
        image_size=_image_size(config["image_size"]),
        seed=whole("seed", cfg.seed, at_least=0),
        num_workers=cfg.num_workers,
        limit=None if cfg.limit is None else whole("limit", cfg.limit, at_least=1),
        predict_test=bool(cfg.predict_test),
        pseudo_labels=None if cfg.pseudo_labels is None else Path(cfg.pseudo_labels).expanduser(),
        full_data=bool(cfg.full_data),
        semi=build(cfg.semi),
        load_run=load_plan,
        make_model=build(cfg.model),
        make_loss=build(cfg.loss),
        optimizer=build(cfg.optimizer),
        make_schedule=functools.partial(build, cfg.schedule),
        make_finetune=functools.partial(build, cfg.finetune),
        make_averaging=build(cfg.averaging),
        make_augment=functools.partial(build_all, cfg.augment),
        mixing=build(cfg.mixing),
        sampler=build(cfg.sampler),
        scale=build(cfg.scale)(image_size=_image_size(config["image_size"])),
        scaling=build(cfg.scaling),
        auxiliary=_auxiliary(config["auxiliary"]),
        metrics=[build(cfg.metric), *build_all(cfg.metrics)],
        trainer=build(cfg.trainer),
        inference=build(cfg.inference),
        postprocess=build(cfg.postprocess),
        explain=ExplainSettings.of(config["explain"]),
        loggers=build_all(cfg.get("logger")),
        doctor=DoctorSettings(
            _true_or_false("doctor.at_start", cfg.doctor.at_start),
            tuple(map(str, _as_list(config["doctor"]["skip"]))),
        ),
    )


def build_variants(config_name: str, variants: Mapping[str, str | None]) -> dict[str, Plan]:
    """Plans of the command line under way, each with further overrides, written with spaces between; null is left out.

    Raises:
        ValueError: overrides that Hydra refuses, by the key `tricks.<name>`.
    """
    plans, given = {}, list(HydraConfig.get().overrides.task)
    for name, overrides in variants.items():
        if overrides is not None:
            try:
                plans[name] = build_plan(hydra.compose(config_name, overrides=[*given, *overrides.split()]))
            except HydraException as error:
                why = str(error).splitlines()[0]  # Hydra goes on with all options and its search path
                raise ValueError(f"tricks.{name}={overrides}: {why}") from error
    return plans


def load_plan(run: str | Path, trust: Sequence[str] = (), changes: dict[str, Any] | None = None) -> Plan:
    """The plan of a run that lies on disk, from its config.yaml, without any weights but its own.

    Args:
        run: the run's folder.
        trust: modules of your own that its config may also instantiate, such as `my_losses`.
        changes: dotted keys and their new values, such as {"trainer.device": "cpu"}.

    Raises:
        FileNotFoundError: no run there.
        ValueError: its config names a target outside what is trusted.
    """
    own = {"resume": True, "model.pretrained": False, "model.weights": None}
    plan = build_plan(_read_config(run, trust, own | (changes or {})))
    return replace(plan, folder=Path(run).expanduser())


def plan_again(
    run: str | Path, name: str, changes: dict[str, Any] | None = None, trust: Sequence[str] = ()
) -> Plan:
    """The plan of a new run beside one that lies on disk, trained as that one was but for the changes.

    Args:
        run: the folder of the run on disk.
        name: of the new run.
        changes, trust: as in `load_plan`, whose errors it raises too.
    """
    plan = build_plan(_read_config(run, trust, {"name": name} | (changes or {})))
    config = {key: value for key, value in plan.config.items() if key != "made"}
    return replace(plan, folder=Path(run).expanduser().parent / name, config=config)


def with_inference(plan: Plan, node: DictConfig) -> Plan:
    """The plan of a run on disk, predicting by another option of conf/inference.

    What flips do to labels and which weights predict stay the run's own where the option leaves them open.
    """
    config: dict[str, Any] = OmegaConf.to_container(node, resolve=True)  # type: ignore[assignment]
    own = plan.config["inference"]
    for key in ("label_swaps", "negated"):
        if not any(config[key].values()):
            config[key] = own.get(key, {})
    if config["weights"] == "auto":
        config["weights"] = own["weights"]
    return replace(plan, inference=build(config), config=plan.config | {"inference": config})


def with_postprocess(plan: Plan, node: DictConfig | None) -> Plan:
    """The plan of a run on disk with another option of conf/postprocess; None leaves the run's own."""
    if node is None:
        return plan
    config: dict[str, Any] = OmegaConf.to_container(node, resolve=True)  # type: ignore[assignment]
    return replace(plan, postprocess=build(config), config=plan.config | {"postprocess": config})


def image_reader(run: str | Path, trust: Sequence[str] = ()) -> Callable[[str], np.ndarray | None]:
    """A function from an id to its picture, uint8 [H, W, 3], for the report of a run on disk.

    A run without weights shows its pictures as the first of the runs it is made of.
    """
    plan = load_plan(run, trust)
    weights = sorted(plan.folder.glob("fold_*/*.safetensors"))
    if not weights:
        made_of = plan.config.get("made", {}).get("runs", [])[:1]
        is_there = made_of and (Path(made_of[0]).expanduser() / "config.yaml").is_file()
        return image_reader(made_of[0], trust) if is_there else lambda id: None
    preprocessing = Preprocessing.from_dict(read_metadata(weights[0])["preprocessing"])
    return picture_of([plan.competition.read_train(plan.limit)], preprocessing)


def check_targets(node: Any, trust: Sequence[str], path: Path) -> None:
    """Refuse a config, perhaps somebody else's, that would run more than models and transforms."""
    if isinstance(node, list):
        for value in node:
            check_targets(value, trust, path)
    if not isinstance(node, dict):
        return
    target = node.get("_target_")
    if target is not None:
        own = tuple(f"{module}." for module in trust)
        is_known = str(target).startswith((*TRUSTED, *own))
        found = hydra.utils.get_object(target) if is_known else None
        # a dotted path may also walk through an import: `compkit.data.warnings.…` is not ours
        home = f"{getattr(found, '__module__', '')}."
        if not home.startswith(own) and not (inspect.isclass(found) and home.startswith(TRUSTED)):
            raise ValueError(
                f"{path}: `_target_: {target}` is no class of the trusted {', '.join((*TRUSTED, *own))}. "
                "If the code is yours, add its module: trust=[my_module]."
            )
    for value in node.values():
        check_targets(value, trust, path)


def _read_config(run: str | Path, trust: Sequence[str], changes: dict[str, Any]) -> DictConfig:
    """The config of a run on disk, with some keys changed."""
    path = Path(run).expanduser() / "config.yaml"
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such file. Set run= to a run's folder, such as outputs/digits/resnet18."
        )
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    check_targets(config, trust, path)
    cfg = DictConfig(_defaults_of_new_keys(config) | config)
    for key, value in changes.items():
        OmegaConf.update(cfg, key, value)
    return cfg


def _defaults_of_new_keys(config: dict[str, Any]) -> dict[str, Any]:
    """What conf/train.yaml says of keys and groups that it did not have when the run was made."""
    return {key: value for key, value in deepcopy(_defaults()).items() if key not in config}


@functools.cache
def _defaults() -> dict[str, Any]:
    """conf/train.yaml without a command line, composed once: it takes a second, and ensembles read many runs."""
    inside_a_command = GlobalHydra.instance().is_initialized()
    with nullcontext() if inside_a_command else initialize_config_dir(str(config_dir()), version_base="1.3"):
        return OmegaConf.to_container(compose("train"), resolve=True)  # type: ignore[return-value]


def whole(key: str, value: Any, at_least: int, hint: str = "") -> int:
    """A whole number from the config, or an error that names its key.

    >>> whole("epochs", 3, at_least=1)
    3
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or value % 1 != 0 or value < at_least:  # infinity and NaN leave NaN
        raise ValueError(
            f"{key}={value}: expected a whole number, at least {at_least}. Set {key}={max(at_least, 5)}, for example"
            + (f"; {hint}." if hint else ".")
        )
    return int(value)


def _true_or_false(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{key}={value}: expected true or false. Set {key}=true.")
    return value


def _true_false_or_file(key: str, value: Any) -> bool | Path:
    if isinstance(value, bool):
        return value
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key}={value}: expected true, false, or the path of a file. Set {key}=true.")
    return Path(value).expanduser()


def _image_size(value: Any) -> tuple[int, int]:
    sides = _as_list(value)
    if len(sides) not in (1, 2):
        raise ValueError(f"image_size={value}: expected one side or [height, width]. Set image_size=224.")
    sizes = [whole("image_size", side, at_least=1) for side in sides]
    return sizes[0], sizes[-1]


def _auxiliary(columns: dict[str, Any] | None) -> dict[str, AuxiliaryColumn]:
    found = {}
    for name, column in (columns or {}).items():
        try:
            found[name] = AuxiliaryColumn(**column)
        except TypeError as error:
            raise ValueError(
                f"auxiliary.{name}={column}: expected keys column, task and weight ({error}). "
                f"Set +auxiliary.{name}={{column:{name},task:multiclass,weight:0.3}}."
            ) from error
    return found


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
