"""Average the weights of several runs, or of one run's checkpoints, into one network a fold.

python scripts/soup.py runs=[outputs/digits/resnet18_seed-*] method=greedy
"""

from compkit.cli import entry


@entry("soup")
def main(cfg):
    from compkit.build import image_reader, load_plan, whole, with_postprocess
    from compkit.derived.soup import soup_runs
    from compkit.ensemble import read_members

    members = read_members(cfg.runs)
    changes = {"resume": False, "trainer.device": cfg.device, "num_workers": cfg.num_workers}
    plans = [load_plan(one.folder, cfg.trust, changes) for one in members]
    soup_runs(
        [with_postprocess(plan, cfg.get("postprocess")) for plan in plans],
        members,
        cfg.method,
        None if cfg.weights is None else list(cfg.weights),
        cfg.name,
        whole("bootstrap", cfg.bootstrap, at_least=0),
        whole("seed", cfg.seed, at_least=0),
        image_reader(members[0].folder, cfg.trust),
    )


if __name__ == "__main__":
    main()
