"""What every command shares: Hydra around it, and users' mistakes told in one message.

Imported before torch, whose threads read the environment once. When loading processes and torch's
threads outnumber the cores, OpenMP's default spinning slowed a training step up to 30-fold; not spinning at all
slows small steps by a quarter when nothing competes. A thousand spins, about 10 µs, cost nothing measurable in
either case.
"""

import os

if "OMP_WAIT_POLICY" not in os.environ:
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")

import difflib
import functools
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from hydra import compose, initialize_config_dir
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.errors import HydraException, InstantiationException
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from compkit.deadline import OutOfTime

USER_ERROR = 2  # exit status of a mistake of the user's; 1 is one of ours, with its traceback
MISTAKES = (ValueError, OSError, ModuleNotFoundError, InstantiationException, OmegaConfBaseException)


def config_dir() -> Path:
    """The folder of config pages: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    return package / "conf" if (package / "conf").is_dir() else package.parent / "conf"


class OwnPages(SearchPathPlugin):
    """Pages of one's own in `conf` of the current folder, where scripts/init.py of an installed compkit writes them."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Look there behind the project's own pages."""
        own = Path.cwd() / "conf"
        if (own / "competition").is_dir() and own.resolve() != config_dir().resolve():
            search_path.append("own", f"file://{own}")


Plugins.instance().register(OwnPages)


def entry(config_name: str) -> Callable[[Callable[[DictConfig], Any]], Callable[[], None]]:
    """`@hydra.main` with exit status 2 and one message, instead of a traceback, for users' mistakes.

    `HYDRA_FULL_ERROR=1` shows the traceback.
    """

    def decorate(main: Callable[[DictConfig], Any]) -> Callable[[], None]:
        @functools.wraps(main)
        def command() -> None:
            composed = False

            @functools.wraps(main)
            def task(cfg: DictConfig) -> None:
                nonlocal composed
                composed = True
                _name_sweep_job(cfg)
                try:
                    main(cfg)
                except OutOfTime:  # told already; a sweep ends here too
                    sys.exit(0)
                except MISTAKES as error:
                    if os.environ.get("HYDRA_FULL_ERROR") == "1":
                        raise
                    print(f"error: {root_message(error)}", file=sys.stderr)
                    sys.exit(USER_ERROR)

            try:
                hydra.main(version_base="1.3", config_path=str(config_dir()), config_name=config_name)(task)()
            except SystemExit as stop:
                if stop.code != 1 or composed:
                    raise
                # Hydra itself refused the command line and has said why
                for hint in misspelt_keys(config_name, sys.argv[1:]):
                    print(hint, file=sys.stderr)
                sys.exit(USER_ERROR)

        return command

    return decorate


def root_message(error: BaseException) -> str:
    """The message of the first error in a chain: what our code said, without Hydra's frame around it.

    >>> root_message(InstantiationException("Error in call to target …"))
    'Error in call to target …'
    """
    while isinstance(error, InstantiationException) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, MissingMandatoryValue):
        return f"{error.full_key} has no value and needs one. Set {error.full_key}=…"
    return str(error)


def misspelt_keys(config_name: str, arguments: list[str]) -> list[str]:
    """For each override whose key the config lacks, the key that was probably meant.

    >>> misspelt_keys("train", ["epoch=3", "lr=1"])
    ["epoch: no such key; did you mean 'epochs'?"]
    """
    try:
        with initialize_config_dir(str(config_dir()), version_base="1.3"):
            cfg = compose(config_name, return_hydra_config=True)
        overrides = OverridesParser.create().parse_overrides(_overrides(arguments))
    except (HydraException, OmegaConfBaseException):
        return []
    known = [*_leaves(OmegaConf.to_container(cfg)), *cfg.hydra.runtime.choices]
    hints = []
    for override in overrides:
        key = override.key_or_group
        if (
            override.is_add()
            or override.is_delete()
            or key in known
            or OmegaConf.select(cfg, key) is not None
        ):
            continue
        close = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
        hints.append(f"{key}: no such key" + (f"; did you mean {close[0]!r}?" if close else ""))
    return hints


def _leaves(node: Any, prefix: str = "") -> list[str]:
    if not isinstance(node, dict):
        return [prefix]
    leaves = [prefix] if prefix else []
    for key, value in node.items():
        if key != "hydra":
            leaves += _leaves(value, f"{prefix}.{key}" if prefix else str(key))
    return leaves


def _name_sweep_job(cfg: DictConfig) -> None:
    """In a --multirun every job's run is named after what sets it apart, such as `resnet18_seed-1`."""
    job = HydraConfig.get()
    if job.mode != RunMode.MULTIRUN or "name" not in cfg:
        return
    given = OverridesParser.create().parse_overrides(_overrides(sys.argv[1:]))
    swept = {override.key_or_group for override in given if override.is_sweep_override()}
    apart = [text for text in job.overrides.task if text.split("=")[0] in swept]
    base = cfg.name or str(cfg.model.backbone).split(".")[0]
    # no character that a later `run=…` would have to quote
    cfg.name = "_".join(re.sub(r"[^A-Za-z0-9._-]+", "-", part) for part in [base, *apart])


def _overrides(arguments: list[str]) -> list[str]:
    """The command line without flags such as --multirun."""
    return [one for one in arguments if "=" in one and not one.startswith("-")]
