"""Label pictures with a run's models and train new ones on them, round after round.

python scripts/pseudo_label.py run=outputs/digits/resnet18 rounds=3
"""

import functools
from dataclasses import fields

from compkit.cli import entry


@entry("pseudo_label")
def main(cfg):
    from omegaconf import OmegaConf

    from compkit.build import load_plan, plan_again
    from compkit.derived.pseudo_rounds import pseudo_rounds
    from compkit.semi import RoundSettings, Selection

    given = OmegaConf.to_container(cfg)
    settings, selection = (
        kind(**{one.name: given[one.name] for one in fields(kind)}) for kind in (RoundSettings, Selection)
    )
    pseudo_rounds(
        load_plan(cfg.run, cfg.trust),
        functools.partial(plan_again, cfg.run, trust=cfg.trust),
        functools.partial(load_plan, trust=cfg.trust),
        settings,
        selection,
        str(cfg.unlabelled),
        cfg.name,
        bool(cfg.resume),
    )


if __name__ == "__main__":
    main()
