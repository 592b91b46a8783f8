"""Train a model on a competition: folds, out-of-fold scores, a submission and a report.

python train.py competition=digits model=resnet18
"""

from compkit.cli import entry


@entry("train")
def main(cfg):
    from compkit.build import build_plan
    from compkit.pipeline import run

    run(build_plan(cfg))


if __name__ == "__main__":
    main()
