"""Explain a finished run: where its network looked in its worst mistakes, its embeddings, and any pictures by id.

python scripts/explain.py run=outputs/digits/resnet18
python scripts/explain.py run=outputs/digits/resnet18 worst=0 points=0 ids=[01268,00500]
"""

from compkit.cli import entry


@entry("explain")
def main(cfg):
    from compkit.build import image_reader, load_plan
    from compkit.derived.explain import explain_run

    changes = {
        "explain.worst": cfg.worst,
        "explain.points": cfg.points,
        "train_folds": cfg.folds,
        "trainer.device": cfg.device,
        "num_workers": cfg.num_workers,
    }
    plan = load_plan(cfg.run, cfg.trust, changes)
    print(explain_run(plan, [str(id) for id in cfg.ids], image_reader(cfg.run, cfg.trust)))


if __name__ == "__main__":
    main()
