"""Where soups are cooked and tasted: weights of several runs averaged, and what the average predicts."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from compkit.data import Preprocessing
from compkit.engine import (
    Console,
    Ranks,
    choose_precision,
    epoch_windows,
    network_input,
    read_metadata,
)
from compkit.ensemble import average_states, check_same_network
from compkit.inference import per_subject
from compkit.optim import batch_norm_reestimation
from compkit.randomness import derive_seed
from compkit.run.assemble import fold_table, make_fold_data, make_loader
from compkit.run.plan import Plan
from compkit.run.predict_table import predict_rows
from compkit.run.prepare import Prepared
from compkit.run.trained_fold import TrainedFold, fold_settings, load_fold

Soup = tuple[int, ...]  # positions of ingredients, rising


@dataclass(frozen=True)
class Ingredient:
    """One run's weights of one kind, in each fold."""

    name: str
    folder: Path
    kind: str

    def file(self, fold: int) -> Path:
        """Its weights of a fold."""
        return self.folder / f"fold_{fold}" / f"{self.kind}.safetensors"


def find_ingredients(
    plans: Sequence[Plan], kinds: Sequence[str] | None, folds: Sequence[int]
) -> list[Ingredient]:
    """The weights of these kinds in every run; by default those that each run predicts with.

    Raises:
        FileNotFoundError: a fold lacks them.
        ValueError: fewer than two, or of networks that see pictures or name classes differently.
    """
    found = []
    for plan in plans:
        wanted = kinds or fold_settings(plan, folds[0]).kinds
        name = plan.folder.resolve().name
        found += [
            Ingredient(name if len(wanted) == 1 else f"{name}/{kind}", plan.folder, kind) for kind in wanted
        ]
    if len(found) < 2:
        raise ValueError(
            f"a soup needs at least two ingredients, got {[one.name for one in found]}. Set runs= to several runs, or "
            "weights= to several of one, such as weights=[snapshot_1,snapshot_2,best]."
        )
    for fold in folds:
        for one in found:
            if not one.file(fold).is_file():
                raise FileNotFoundError(
                    f"{one.file(fold)}: no such weights; expected them in each of the folds {list(folds)}. Set "
                    "weights= to kinds that all runs keep, or train the run to its end."
                )
        check_same_network([_shapes(one.file(fold)) for one in found], [str(one.file(fold)) for one in found])
        metadata = [read_metadata(one.file(fold)) for one in found]
        for key in ("classes", "preprocessing"):
            for one, other in zip(found[1:], metadata[1:], strict=True):
                if other[key] != metadata[0][key]:
                    raise ValueError(
                        f"{one.file(fold)}: its {key} differ from those of {found[0].file(fold)}; weights can only be "
                        "averaged of networks that see and answer alike. Blend predictions with scripts/ensemble.py."
                    )
    return found


def _shapes(path: Path) -> dict[str, list[int]]:
    """The shapes of the weights in a file, from its header alone."""
    with safe_open(path, framework="pt") as file:
        return {key: file.get_slice(key).get_shape() for key in file.keys()}  # noqa: SIM118  # no mapping


class Kitchen:
    """Soups of the ingredients, each tasted once on the rows that its fold held out.

    Args:
        plan: of the first run, with its data; pictures are augmented as there for the statistics of batch norms.
        data: of that run.
        ingredients: what may go into a soup.
        folds: those that have weights.
        ranks: where networks are.
        console: told of each soup that is tasted.
    """

    def __init__(
        self,
        plan: Plan,
        data: Prepared,
        ingredients: Sequence[Ingredient],
        folds: Sequence[int],
        ranks: Ranks,
        console: Console,
    ) -> None:
        self.plan, self.data, self.ingredients = plan, data, ingredients
        self.folds, self.ranks, self.console = folds, ranks, console
        self.values = functools.cache(self._values)
        self.sign = 1 if plan.metric.greater_is_better else -1
        model = self.cook(folds[0], (0,), renew=False).model
        self.has_batch_norm = any(isinstance(one, _BatchNorm) for one in model.modules())

    def cook(self, fold: int, soup: Soup, renew: bool) -> TrainedFold:
        """The soup's network of a fold; `renew`: with statistics of batch norms measured on its training rows."""
        chosen = [self.ingredients[one] for one in soup]
        first = replace(
            self.plan, folder=chosen[0].folder, inference=replace(self.plan.inference, weights=chosen[0].kind)
        )
        trained = load_fold(first, fold, self.ranks)
        files = [one.file(fold) for one in chosen]
        trained.model.load_state_dict(
            average_states([load_file(file) for file in files], [str(file) for file in files])
        )
        if renew:
            self._renew_batch_norm(fold, trained.model, trained.preprocessing)
        return trained

    def worth(self, folds: Sequence[int], soup: Soup, renew: bool) -> float:
        """The metric on the rows that these folds held out, greater for better."""
        rows = np.concatenate([self.data.folds.valid_rows(fold) for fold in folds])
        values = np.concatenate([self.values(fold, soup, renew) for fold in folds])
        return self.sign * float(self.plan.metric(*self.of_subjects(rows, values)))

    def of_subjects(self, rows: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Targets and predictions of these rows, or of the subjects that they show."""
        table = self.data.table
        subjects = None if table.subjects is None else table.subjects[rows]
        return per_subject(table.labels[rows], values, subjects, self.plan.competition.subject_average)

    def best_worth(self, folds: Sequence[int], soup: Soup) -> float:
        """The better of averaged and of renewed statistics; a single ingredient keeps its own."""
        return max(self.worth(folds, soup, renew) for renew in self.ways(soup))

    def ways(self, soup: Soup) -> list[bool]:
        """Whether to renew batch norms: what can be tried."""
        return [True, False] if self.has_batch_norm and len(soup) > 1 else [False]

    def renews(self, folds: Sequence[int], soup: Soup) -> bool:
        """Whether renewed statistics score at least as well on these folds."""
        return True in self.ways(soup) and self.worth(folds, soup, True) >= self.worth(folds, soup, False)

    def _values(self, fold: int, soup: Soup, renew: bool) -> np.ndarray:
        names = " + ".join(self.ingredients[one].name for one in soup)
        self.console.say(f"fold {fold}: {names}" + (", batch norms measured anew" if renew else ""))
        rows = self.data.folds.valid_rows(fold)
        return predict_rows(self.plan, self.data.table, rows, self.cook(fold, soup, renew), self.ranks).values

    def _renew_batch_norm(self, fold: int, model: nn.Module, preprocessing: Preprocessing) -> None:
        """Pass the fold's training rows through the network, as its last epoch saw them."""
        plan, ranks = self.plan, self.ranks
        finetune = plan.make_finetune()
        finetune.groups(model, plan.optimizer.lr, plan.optimizer.weight_decay)
        finetune.apply(model, plan.epochs - 1)  # norms that were frozen then keep their statistics
        loader = make_loader(plan, fold_table(plan, self.data, fold)[0], preprocessing, ranks, augment=True)
        fold_data = make_fold_data(plan, self.data, preprocessing, fold, loader)
        seed = derive_seed(plan.seed, fold)
        windows = epoch_windows(fold_data, plan.trainer.accumulate, 1, seed, plan.epochs - 1, plan.epochs)
        draws = [draw for window in windows for draw in window[0]]
        dtype = choose_precision(plan.trainer.precision, ranks.device)
        with torch.no_grad(), batch_norm_reestimation(model, model):
            for batch in loader.batches(draws):
                images = batch.images.to(ranks.device)
                with torch.autocast(ranks.device.type, dtype, enabled=dtype is not None):
                    model(network_input(images, preprocessing, plan.trainer))
