"""Another post-processing of a finished run's predictions, as a run beside it."""

import shutil
from pathlib import Path

from compkit.competition import Folds
from compkit.engine import Console
from compkit.run.outcome import ImageOf, conclude, derive_plan, fold_scores, open_derived
from compkit.run.plan import Plan


def postprocess_run(plan: Plan, name: str | None, image_of: ImageOf, console: Console) -> Path:
    """Take over a run's predictions and conclude anew with the plan's post-processing.

    Args:
        plan: of the run, with the post-processing wanted.
        name: of the new run; None is the run's, with the option behind it.
        image_of: the picture of an id, for the report.
        console: where scores are shown.

    Returns:
        the new run's folder.

    Raises:
        FileNotFoundError: the run has not finished.
        ValueError: the name is taken, or the post-processing cannot serve the run's metric.
    """
    for needed in ("oof.parquet", "folds.csv"):
        if not (plan.folder / needed).is_file():
            raise FileNotFoundError(
                f"run={plan.folder}: has no {needed}, so it is no finished run. Finish it with train.py … resume=true."
            )
    made = {"by": "postprocess", "runs": [str(plan.folder)]}
    new = derive_plan(plan, name or f"{plan.folder.resolve().name}_{plan.postprocess.name}", made)
    folds = Folds.read(plan.folder / "folds.csv")
    open_derived(new, folds, console)
    for file in ("oof.parquet", "test.parquet"):
        if (plan.folder / file).is_file():
            shutil.copyfile(plan.folder / file, new.folder / file)
    conclude(new, fold_scores(new), folds.hash, image_of, console)
    return new.folder
