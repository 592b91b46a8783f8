"""Stack runs: a model that learns from their out-of-fold predictions, written as a run of its own.

python scripts/stack.py runs=[outputs/digits/resnet18,outputs/digits/resnet34] stacker=logistic
"""

from compkit.cli import entry


@entry("stack")
def main(cfg):
    from omegaconf import OmegaConf

    from compkit.build import build, image_reader, load_plan, whole, with_postprocess
    from compkit.derived.stack import stack_runs
    from compkit.ensemble import read_members

    members = read_members(cfg.runs)
    first, again = members[0].folder, {"resume": False, "full_data": False}  # a blend with a refit has folds
    stack_runs(
        with_postprocess(load_plan(first, cfg.trust, again), cfg.get("postprocess")),
        members,
        build(cfg.stacker),
        list(cfg.columns),
        cfg.test_features,
        cfg.name,
        OmegaConf.to_container(cfg.stacker, resolve=True),
        whole("bootstrap", cfg.bootstrap, at_least=0),
        whole("seed", cfg.seed, at_least=0),
        image_reader(first, cfg.trust),
    )


if __name__ == "__main__":
    main()
