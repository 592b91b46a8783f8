"""Train a finished run's settings on all rows, for as many epochs as its folds have needed.

python scripts/refit.py run=outputs/digits/resnet18
"""

import functools

from compkit.cli import entry


@entry("refit")
def main(cfg):
    from compkit.build import image_reader, load_plan, plan_again, whole
    from compkit.derived.refit import refit

    epochs = cfg.epochs if cfg.epochs == "auto" else whole("epochs", cfg.epochs, at_least=1)
    seeds = whole("seeds", cfg.seeds, at_least=1)
    parent = load_plan(cfg.run, cfg.trust)
    again = functools.partial(plan_again, cfg.run, trust=cfg.trust)
    refit(parent, again, image_reader(cfg.run, cfg.trust), cfg.name, epochs, seeds, bool(cfg.resume))


if __name__ == "__main__":
    main()
