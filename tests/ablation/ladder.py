"""What each step from checkpoints to a submission is worth on the embedded competitions' hidden test labels.

    OMP_NUM_THREADS=1 python -m tests.ablation.ladder --ladders digits mosaic tilt --seeds 0 1 2 --root /tmp/ladder
    OMP_NUM_THREADS=1 python -m tests.ablation.ladder --ladders few_labels teachers --seeds 0 1 2 --root /tmp/ladder

Every step is a command as a user types it; its gain is over the step before, in few_labels and teachers over the first
one. Steps whose run is there already are not made again.
"""

import argparse
import runpy
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
from hydra.core.hydra_config import HydraConfig

from compkit.demo import EMBEDDED, ensure_competition
from compkit.demo.folder import solution_path
from compkit.demo.grade import read_values
from compkit.metrics import RMSE, Accuracy, FBeta, LogLoss
from tests.commands import ROOT

BACKBONES = ("test_resnet", "test_convnext2", "test_efficientnet_gn")
LEARN_MOSAIC = ("test_resnet", "test_byobnet", "test_nfnet")  # the others learn nothing of it in so few steps
STUDENT = "test_convnext"
COMMON = ("model=timm", "model.pretrained=false", "folds=3", "num_workers=0", "trainer.threads=1")
# few rows: where everything is right already no step can gain
COMPETITIONS: dict[str, tuple[str, ...]] = {
    "digits": ("metric=log_loss", "limit=300", "epochs=30", "batch_size=32", "lr=2e-3", "augment=light"),
    "mosaic": (
        "metric=log_loss",
        "limit=600",
        "epochs=40",
        "image_size=48",
        "batch_size=16",
        "lr=2e-3",
        "augment=light",
    ),
    "tilt": (
        "limit=600",
        "epochs=20",
        "batch_size=32",
        "lr=2e-3",
        "augment=light",
        "augment.geometry.rotate=[0,0]",
    ),
}
# flips and other sizes make other digits of them; what is left are shifts by a pixel, as augment=light makes them
SHIFTS = [
    "~inference.candidates.small",  # 24 pixels, too few for one of the networks
    *(
        f"+inference.candidates.{place}={{crop:{place},crop_fraction:0.97}}"
        for place in ("top_left", "top_right", "bottom_left", "bottom_right")
    ),
]
METRICS = {
    "digits": [Accuracy(), LogLoss()],
    "mosaic": [FBeta(average="samples"), LogLoss()],
    "tilt": [RMSE()],
}


def command(script: str, *arguments: str) -> None:
    """Run a command in this process.

    Raises:
        RuntimeError: it ended with another exit status than 0.
    """
    try:
        with mock.patch.object(sys, "argv", [script, *arguments]):
            runpy.run_path(str(ROOT / script), run_name="__main__")
    except SystemExit as stop:
        if stop.code:
            raise RuntimeError(f"{script} {' '.join(arguments)}: exit status {stop.code}") from stop
    finally:
        HydraConfig.instance().cfg = None


class Workplace:
    """One competition and seed: where its runs lie, how they are made and scored."""

    def __init__(self, root: Path, competition: str, seed: int, settings: tuple[str, ...]) -> None:
        self.root, self.competition, self.seed = root, competition, seed
        self.runs = root / f"seed_{seed}" / competition
        self.settings = settings

    def train(self, name: str, *overrides: str) -> Path:
        """Train a run, unless it is there."""
        if not (self.runs / name / "metrics.json").is_file():
            paths = (f"data_dir={self.root / 'data'}", f"output_dir={self.runs.parent}", "resume=true")
            command(
                "train.py", *COMMON, *paths, *self.settings, f"seed={self.seed}", f"name={name}", *overrides
            )
        return self.runs / name

    def derive(self, script: str, name: str, *arguments: str) -> Path:
        """Make a run of others, unless it is there."""
        if not (self.runs / name / "metrics.json").is_file():
            command(f"scripts/{script}.py", *arguments, f"name={name}")
        return self.runs / name


def truth(root: Path, competition: str, classes: list[str]) -> dict[str, Any]:
    """The hidden labels by id, as metrics take them."""
    ensure_competition(competition, root / "data")
    values = read_values(solution_path(competition, root / "data"), EMBEDDED[competition])
    if competition == "tilt":
        return {id: np.array([value]) for id, value in values.items()}
    if competition == "mosaic":
        return {id: np.array([float(name in value) for name in classes]) for id, value in values.items()}
    return {id: classes.index(value) for id, value in values.items()}


def test_scores(path: Path, root: Path, competition: str) -> dict[str, float]:
    """Scores of a test.parquet against the hidden labels."""
    frame = pd.read_parquet(path)
    columns = [name for name in frame if name.startswith("pred_")]
    known = truth(root, competition, [name.removeprefix("pred_") for name in columns])
    targets = np.array([known[id] for id in frame["id"]])
    values = frame[columns].to_numpy(np.float64)
    return {metric.name: metric(targets, values) for metric in METRICS[competition]}


def climb(place: Workplace) -> dict[str, dict[str, float]]:
    """From one fold's model to a stack of three networks."""
    backbones = LEARN_MOSAIC if place.competition == "mosaic" else BACKBONES
    plain = [place.train(name, f"model.backbone={name}") for name in backbones]
    viewed = [
        place.derive("predict", f"{run.name}_tta", f"run={run}", "inference=search", *SHIFTS) for run in plain
    ]
    three = f"runs=[{','.join(map(str, viewed))}]"
    blend = place.derive("ensemble", "blend", three, "method=optimize", "bootstrap=0")
    mean = place.derive("ensemble", "mean", three, "method=mean", "bootstrap=0")
    stack = place.derive(
        "stack", "stack", three, f"stacker={'ridge' if place.competition == 'tilt' else 'logistic'}"
    )

    def of(path: Path) -> dict[str, float]:
        return test_scores(path, place.root, place.competition)

    singles = [of(path) for path in sorted(plain[0].glob("fold_*/test.parquet"))]
    single = {name: float(np.mean([one[name] for one in singles])) for name in singles[0]}
    steps = {"one fold's model": single, "fold ensemble": of(plain[0] / "test.parquet")}
    steps |= {"+ TTA": of(viewed[0] / "test.parquet"), "mean of 3 backbones": of(mean / "test.parquet")}
    return steps | {"blend of 3": of(blend / "test.parquet"), "stack": of(stack / "test.parquet")}


def few_labels(place: Workplace) -> dict[str, dict[str, float]]:
    """digits with ten labels a class and the 360 test pictures without any, which is where all are scored."""
    ema = ("averaging=ema", "averaging.decay=0.98")
    alone = place.train("alone", *ema)
    steps = {"supervised": alone}
    for number in (1, 2, 3):
        steps[f"pseudo-labels, round {number}"] = place.runs / f"alone_pseudo_{number}"
    if not (place.runs / "alone_pseudo_rounds.json").is_file():
        command("scripts/pseudo_label.py", f"run={alone}", "threshold=0.6", "balance=2", "patience=3")
    for weight in (0, 10):
        name = f"mean_teacher_{weight}"
        given = ("semi=mean_teacher", f"semi.weight={weight}", "averaging.decay=0.98")
        steps[f"mean teacher, weight {weight}"] = place.train(name, *given)
    return {
        step: test_scores(run / "test.parquet", place.root, place.competition) for step, run in steps.items()
    }


def teachers(place: Workplace) -> dict[str, dict[str, float]]:
    """A network of 0.2 M weights alone, and taught by two that are better."""
    teaching = [place.train(name, f"model.backbone={name}") for name in BACKBONES[::2]]
    student = f"model.backbone={STUDENT}"
    steps = {"student alone": place.train(STUDENT, student)}
    given = f"semi.teachers=[{','.join(map(str, teaching))}]"
    steps["student distilled"] = place.train("distilled", student, "semi=distillation", given)
    steps |= {f"teacher {run.name}": run for run in teaching}
    return {
        step: test_scores(run / "test.parquet", place.root, place.competition) for step, run in steps.items()
    }


LADDERS = {
    **{name: (name, settings, climb) for name, settings in COMPETITIONS.items()},
    "few_labels": (
        "digits",
        ("limit=100", "epochs=60", "batch_size=16", "lr=1e-3", "augment=light", "model.backbone=test_resnet"),
        few_labels,
    ),
    "teachers": ("digits", COMPETITIONS["digits"], teachers),
}


def show(rows: list[dict[str, Any]]) -> None:
    """Mean and standard deviation over seeds, and the gain paired by seed."""
    table = pd.DataFrame(rows)
    for (ladder, metric), part in table.groupby(["ladder", "metric"], sort=False):
        wide = part.pivot_table(index="step", columns="seed", values="score", sort=False)
        print(f"\n{ladder}: {metric} on the hidden test labels, {wide.shape[1]} seeds")
        base = None
        for step, scores in wide.iterrows():
            gain = "" if base is None else f"   {(scores - base).mean():+.4f} +- {(scores - base).std():.4f}"
            print(f"  {step:26s} {scores.mean():.4f} +- {scores.std():.4f}{gain}")
            base = scores if base is None or ladder in COMPETITIONS else base


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ladders", nargs="+", default=list(LADDERS), choices=list(LADDERS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--root", type=Path, default=Path("data/ladder"))
    given = parser.parse_args()
    rows = []
    for seed in given.seeds:
        for ladder in given.ladders:
            competition, settings, steps = LADDERS[ladder]
            root = given.root if ladder != "few_labels" else given.root / ladder
            place = Workplace(root, competition, seed, (f"competition={competition}", *settings))
            for step, scores in steps(place).items():
                names = {"ladder": ladder, "seed": seed, "step": step}
                rows += [names | {"metric": metric, "score": score} for metric, score in scores.items()]
    show(rows)


if __name__ == "__main__":
    main()
