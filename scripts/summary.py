"""Print what a network is made of: layers, output shapes, parameters, FLOPs.

python scripts/summary.py model=resnet50 image_size=384
"""

from compkit.cli import entry


@entry("summary")
def main(cfg):
    import torch

    from compkit.build import build_plan, whole
    from compkit.engine import Console, Ranks
    from compkit.models import SUMMARY_HEADINGS, summarise_model
    from compkit.run.assemble import make_learner
    from compkit.run.prepare import prepare

    depth, plan = whole("depth", cfg.depth, at_least=1), build_plan(cfg)
    with Console() as console:
        data = prepare(plan, Ranks(), Console(quiet=True))
        learner = make_learner(plan, data, data.folds.train_rows(0), Ranks())
        learner.finetune.apply(learner.model, 0)
        channels, (height, width) = plan.competition.channels, plan.image_size
        summary = summarise_model(learner.model, torch.zeros(1, channels, height, width), depth)
        title = f"{cfg.model.backbone}, one image of {channels} x {height} x {width}"
        console.table(title, SUMMARY_HEADINGS, [row.cells() for row in summary.rows])
        console.say(summary.describe())


if __name__ == "__main__":
    main()
