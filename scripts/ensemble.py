"""Blend runs: the mean of their predictions, of their ranks, or with weights learned on out-of-fold rows.

python scripts/ensemble.py runs=[outputs/digits/resnet18,outputs/digits/resnet34] method=hill_climb
"""

from compkit.cli import entry


@entry("ensemble")
def main(cfg):
    from compkit.build import build, image_reader, load_plan, whole, with_postprocess
    from compkit.derived.ensemble import ensemble_runs
    from compkit.ensemble import Blending, read_members

    members = read_members(cfg.runs)
    first, again = members[0].folder, {"resume": False, "full_data": False}  # a blend with a refit has folds
    ensemble_runs(
        with_postprocess(load_plan(first, cfg.trust, again), cfg.get("postprocess")),
        members,
        Blending(cfg.method, cfg.weights, cfg.per_class, cfg.top, cfg.max_rounds),
        cfg.name,
        build(cfg.metric) if "metric" in cfg else None,
        whole("bootstrap", cfg.bootstrap, at_least=0),
        whole("seed", cfg.seed, at_least=0),
        image_reader(first, cfg.trust),
    )


if __name__ == "__main__":
    main()
