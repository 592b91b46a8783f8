"""The search for an augmentation policy as a command: short trainings of one fold, then a file of conf/augment/."""

import functools
import re
import tempfile
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from compkit.augment.operations import check_names, possible
from compkit.augment.page import finding, policy_page, trials_table
from compkit.augment.search import Trial, search_policy
from compkit.augment.space import CHOICES, Policy
from compkit.data import Preprocessing
from compkit.deadline import Deadline
from compkit.engine import Console, Ranks, choose_device, choose_threads
from compkit.files import atomic_path, free_path, write_text
from compkit.pipeline import run_fold
from compkit.randomness import restore_rng, rng_state
from compkit.results import last_scores
from compkit.run.assemble import try_parts
from compkit.run.plan import Plan
from compkit.run.prepare import Prepared, prepare

PATCHED = 112  # px; 8 patches of 14 px and 7 of 16 px, so transformers take its multiples


def search_augment(
    plan: Plan,
    build_policy: Callable[[Policy], list[Any]],
    conf: Path,
    save_as: str,
    budget_minutes: float,
    confirm_top: int,
    confirm_seeds: int,
    max_trials: int | None,
    leave_out: Sequence[str] = (),
) -> Path:
    """Search a policy with the plan, a proxy of the real run, and write it as augment=<save_as>.

    Beside it goes a table of everything tried, <output_dir>/<competition>/augment_search/<save_as>.csv.

    Args:
        plan: the proxy: few epochs, few rows, small pictures; its first fold is trained.
        build_policy: a policy's nodes to its transforms.
        conf: the folder of config pages.
        save_as: the new option's name.
        budget_minutes: time for everything after the data are read.
        confirm_top, confirm_seeds: see `search_policy`.
        max_trials: end after so many; None is by the budget alone.
        leave_out: operations never tried.

    Raises:
        ValueError: a setting that cannot work.
        FileExistsError: the option exists.

    Returns:
        the option's file.
    """
    page = _page(conf, save_as)
    if not budget_minutes > 0:
        raise ValueError(f"budget_minutes={budget_minutes}: expected minutes above 0. Set budget_minutes=30.")
    left = {*check_names("leave_out", leave_out)}
    choices = [name for name in possible(CHOICES, plan.competition.channels) if name not in left]
    if not choices:
        raise ValueError(f"leave_out={sorted(left)} leaves no operation to try. Leave fewer out.")
    plan = replace(plan, predict_test=False, loggers=[], resume=False)
    ranks = Ranks(device=choose_device(plan.trainer.device))
    before, threads = rng_state(), torch.get_num_threads()
    torch.set_num_threads(choose_threads(plan.trainer.threads, 1))
    try:
        with Console() as console:
            data = prepare(plan, ranks, console)
            preprocessing = try_parts(plan, data).preprocessing
            table = free_path(plan.folder.parent / "augment_search" / f"{save_as}.csv")
            done: list[Trial] = []

            def tell(trial: Trial) -> None:
                done.append(trial)  # written each time: a search that is stopped leaves what it has seen
                with atomic_path(table) as temporary:
                    trials_table(done, plan.seed).to_csv(temporary, index=False)
                console.say(_told(trial, plan.metric.name))

            search = search_policy(
                functools.partial(proxy_score, plan, data, preprocessing, build_policy, ranks),
                plan.metric.greater_is_better,
                60 * budget_minutes,
                plan.seed,
                confirm_top,
                confirm_seeds,
                max_trials,
                choices,
                tell=tell,
            )
            result = finding(search, plan.metric.name)
            notes = _notes(plan, data, result, len(search.trials), table)
            write_text(page, policy_page(search.candidates[0].policy, save_as, notes))
            console.say(f"{result}\npolicy: {page}, use it with augment={save_as}; trials: {table}")
    finally:
        restore_rng(before)
        torch.set_num_threads(threads)
    return page


def proxy_score(
    plan: Plan,
    data: Prepared,
    preprocessing: Preprocessing,
    build_policy: Callable[[Policy], list[Any]],
    ranks: Ranks,
    policy: Policy,
    seed: int,
) -> float:
    """The metric after the last epoch of a fold trained with the policy; the folder of that run is thrown away.

    Not after the best epoch: choosing it on the rows that score would flatter unsteady trainings.
    """
    with tempfile.TemporaryDirectory() as folder:
        one = replace(
            plan, seed=seed, folder=Path(folder), make_augment=functools.partial(build_policy, policy)
        )
        fold = 0 if plan.train_folds is None else plan.train_folds[0]
        # budget_minutes ends the search, between two trials
        scores = run_fold(one, data, preprocessing, fold, ranks, Console(quiet=True), Deadline(None))
    return float(last_scores(scores)[plan.metric.name])


def smaller(image_size: int | Sequence[int], share: float) -> int | list[int]:
    """Sides of pictures times `share`, rounded to what networks take; never above the original or below 32.

    Raises:
        ValueError: the share is not above 0 and at most 1.

    >>> smaller(224, 0.5), smaller([96, 512], 0.5), smaller(300, 1.0)
    (112, [64, 224], 300)
    """
    if not 0 < share <= 1:
        raise ValueError(
            f"proxy_size={share}: expected a share of image_size, above 0 and at most 1. Set proxy_size=0.5."
        )
    if not isinstance(image_size, int):
        return [int(smaller(side, share)) for side in image_size]  # type: ignore[arg-type]
    step = PATCHED if image_size >= 2 * PATCHED else 32
    return image_size if share == 1 else min(image_size, max(step, round(image_size * share / step) * step))


def _page(conf: Path, save_as: str) -> Path:
    if not re.fullmatch(r"[A-Za-z0-9_-]+", str(save_as)):
        raise ValueError(f"save_as={save_as!r}: expected letters, digits, _ and -. Set save_as=searched.")
    page = conf / "augment" / f"{save_as}.yaml"
    if page.exists():
        raise FileExistsError(f"{page} exists and is kept. Set save_as to another name, or delete the file.")
    return page


def _told(trial: Trial, metric_name: str) -> str:
    names = ", ".join(node.get("name", member) for member, node in trial.policy.items()) or "none"
    told = f"trial {trial.number}, seed {trial.seed}: {metric_name} {trial.score:.5f}"
    return f"{told} in {trial.seconds:.0f} s ({names})"


def _notes(plan: Plan, data: Prepared, result: str, trials: int, table: Path) -> list[str]:
    """The page's header: what was found, how far to trust it, how to find it again."""
    height, width = plan.image_size
    proxy = (
        f"The scores are of a proxy: one fold of {data.folds.num_folds}, {len(data.table)} pictures of "
        f"{height} x {width} px, {plan.epochs} epochs. Compare with augment=none on the full training "
        "before you rely on it."
    )
    command = f"python scripts/search_augment.py {' '.join(plan.overrides)}".rstrip()
    lines = [result, proxy, f"{trials} trials, all in {table}.", command]
    return [wrapped for line in lines for wrapped in textwrap.wrap(line, 110, break_on_hyphens=False)]
