"""What each trick is worth where it should help: digits with wrong labels, with a long tail, with few pictures.

Every trick is the baseline plus its overrides, trained with the same seeds on the same training pictures and scored
on some 1100 to 1500 test pictures with right labels, by the last epoch's weights (nothing is chosen on a score).

    OMP_NUM_THREADS=1 python -m tests.ablation.tricks --data noisy --seeds 0 1 2 --out ablation.csv

Runs that the table holds already are not made again; several processes may share the work
by --data, --tricks and --seeds, each with a table of its own.
"""

import argparse
import csv
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from hydra import compose, initialize_config_dir
from safetensors import safe_open
from safetensors.torch import save_file

from compkit.build import build_plan, load_plan
from compkit.cli import config_dir
from compkit.demo.png import encode_png
from compkit.demo.source import load_source
from compkit.derived.predict import predict_run
from compkit.inference import AVERAGES
from compkit.pipeline import run

VALIDATION = 40  # rows of the fold that is validated on, which decides nothing here
COUNTS = {
    "noisy": np.full(10, 60),  # 10 % of the labels are wrong
    "long_tail": np.geomspace(100, 5, 10).round().astype(int),
    "small": np.full(10, 20),
}
BASELINE = (
    "competition=folder",
    "competition.fold_column=fold",
    "competition.channels=1",
    "folds=2",
    "train_folds=[0]",
    "inference.weights=last",
    "model=timm",
    "model.backbone=test_resnet",
    "model.pretrained=false",
    "image_size=32",
    "batch_size=32",
    "epochs=40",
    "lr=1e-3",
    "schedule.warmup_epochs=1",
    "num_workers=0",
    "trainer.threads=1",
    "metric=balanced_accuracy",
)
TRICKS = {
    "baseline": (),
    "label smoothing 0.1": ("loss=label_smoothing",),
    "mixup": ("mixing=mixup",),
    "mixup, alpha 1": ("mixing=mixup", "mixing.mixup_alpha=1.0"),
    "cutmix": ("mixing=cutmix",),
    "mixup or cutmix": ("mixing=mixup_cutmix",),
    "augment=light": ("augment=light",),
    "augment=randaugment": ("augment=randaugment", "~augment.flip", "augment.policy.fill=0"),
    "augment=trivialaugment": ("augment=trivialaugment", "~augment.flip", "augment.policy.fill=0"),
    "EMA": ("averaging=ema", "averaging.decay=0.98", "inference.weights=ema"),
    "SWA": ("averaging=swa", "inference.weights=swa"),
    "AdamW 0.05": ("optimizer=adamw",),
    "stochastic depth 0.1": ("model.drop_path_rate=0.1",),
    "dropout 0.3": ("model/neck=dropout", "model.neck.p=0.3"),
    "multi-sample dropout": ("model/head=multi_sample_dropout",),
    "GeM": ("model/pooling=gem",),
    "PK sampler": ("sampler=pk",),
    "BNNeck": ("model/neck=bnneck",),
    "triplet": ("loss=sum", "sampler=pk"),
    "BNNeck + triplet": ("model/neck=bnneck", "loss=sum", "sampler=pk"),
    "BNNeck + triplet + center": ("model/neck=bnneck", "loss=bag_of_tricks", "sampler=pk"),
    "ArcFace": ("model/head=arcface",),
    "cosine head": ("model/head=cosine",),
    "focal": ("loss=focal",),
    "OHEM": ("loss=ohem",),
    "class weights": ("loss.class_weight=inverse_frequency", "model.prior_bias=false"),
    "effective number": ("loss.class_weight=effective_number", "model.prior_bias=false"),
    "balanced sampler": ("sampler=balanced", "model.prior_bias=false"),
    "square-root sampler": ("sampler=square_root",),
    "dynamic margin": ("model/head=dynamic_margin",),
    "one cycle": ("schedule=one_cycle",),
    "progressive size": ("scale=progressive",),
    "last stride 1": ("model.last_stride=1",),
    # looked into because they did not help: what they need to
    "randaugment with flips": ("augment=randaugment",),
    "trivialaugment with flips": ("augment=trivialaugment",),
    "constant rate": ("schedule=constant",),
    "constant rate, EMA": (
        "schedule=constant",
        "averaging=ema",
        "averaging.decay=0.98",
        "inference.weights=ema",
    ),
    "constant rate, SWA": ("schedule=constant", "averaging=swa", "inference.weights=swa"),
    "resnet10t": ("model.backbone=resnet10t",),
    "resnet10t, label smoothing 0.1": ("model.backbone=resnet10t", "loss=label_smoothing"),
}


def make_data(name: str, folder: Path) -> None:
    """Write the competition; the test pictures are all that training and validation leave."""
    images, digits = load_source()
    rng = np.random.default_rng(1)
    order = rng.permutation(len(digits))
    train = np.concatenate(
        [order[digits[order] == digit][:count] for digit, count in enumerate(COUNTS[name])]
    )
    rest = order[~np.isin(order, train)]
    valid, test = rest[:VALIDATION], rest[VALIDATION:]
    labels = digits.copy()
    if name == "noisy":
        wrong = rng.permutation(train)[: len(train) // 10]
        labels[wrong] = (digits[wrong] + rng.integers(1, 10, len(wrong))) % 10
    for part, rows in (("train", [*train, *valid]), ("test", test)):
        (folder / part).mkdir(parents=True)
        for row in rows:
            (folder / part / f"{row}.png").write_bytes(encode_png(images[row]))
    fold = [1] * len(train) + [0] * VALIDATION
    table = {"id": [*train, *valid], "label": labels[[*train, *valid]], "fold": fold}
    pd.DataFrame(table).to_csv(folder / "train.csv", index=False)
    pd.DataFrame({"id": test, "label": 0}).to_csv(folder / "sample_submission.csv", index=False)


def score(data: str, overrides: tuple[str, ...], seed: int, root: Path) -> tuple[float, float]:
    """Accuracy and mean recall of the classes on the test pictures."""
    if not (root / data).is_dir():
        make_data(data, root / data)
    with tempfile.TemporaryDirectory() as output:
        where = (f"competition.path={root / data}", f"competition.name={data}", f"output_dir={output}")
        with initialize_config_dir(str(config_dir()), version_base="1.3"):
            cfg = compose("train", overrides=[*BASELINE, *where, f"seed={seed}", "name=run", *overrides])
        plan = build_plan(cfg)
        run(plan)
        test = pd.read_parquet(plan.folder / "test.parquet")
        if plan.inference.weights in AVERAGES:
            test = predict_last_average(plan.folder, plan.inference.weights)
    truth = load_source()[1][test["id"].astype(int)]
    is_right = test.filter(regex="^pred_").to_numpy().argmax(axis=1) == truth
    return float(is_right.mean()), float(np.mean([is_right[truth == digit].mean() for digit in range(10)]))


def predict_last_average(folder: Path, kind: str) -> pd.DataFrame:
    """Test predictions of the average as the last epoch left it; the run itself keeps that of its best epoch."""
    weights = folder / "fold_0" / f"{kind}.safetensors"
    metadata = safe_open(weights, framework="pt").metadata()
    last = torch.load(folder / "fold_0" / "last.pt", weights_only=True)["averaging"]["model"]
    save_file({name: tensor.contiguous() for name, tensor in last.items()}, weights, metadata)
    return pd.read_parquet(predict_run(load_plan(folder), "test", None, None))


def show(out: Path) -> None:
    """The table: mean and standard deviation over seeds, and the paired gain over the baseline."""
    table = pd.read_csv(out)
    for data, part in table.groupby("data", sort=False):
        wide = part.pivot_table(index="trick", columns="seed", values="recall", sort=False)
        gain = wide - wide.loc["baseline"]
        print(f"\n{data}: mean recall on the test pictures, {wide.shape[1]} seeds")
        for trick, row in wide.iterrows():
            paired = gain.loc[trick]
            print(
                f"  {trick:28s} {row.mean():.4f} +- {row.std():.4f}   gain {paired.mean():+.4f} +- {paired.std():.4f}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", nargs="+", default=list(COUNTS), choices=list(COUNTS))
    parser.add_argument("--tricks", nargs="+", default=list(TRICKS), choices=list(TRICKS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path, default=Path("ablation.csv"))
    parser.add_argument("--root", type=Path, default=Path("data/ablation"))
    given = parser.parse_args()
    if not given.out.exists():
        given.out.write_text("data,trick,seed,accuracy,recall\n")
    for seed in given.seeds:
        for data in given.data:
            for trick in given.tricks:
                done = pd.read_csv(given.out)
                if ((done["data"] == data) & (done["trick"] == trick) & (done["seed"] == seed)).any():
                    continue
                accuracy, recall = score(data, TRICKS[trick], seed, given.root)
                with given.out.open("a", newline="") as file:
                    csv.writer(file).writerow([data, trick, seed, f"{accuracy:.5f}", f"{recall:.5f}"])
    show(given.out)


if __name__ == "__main__":
    main()
