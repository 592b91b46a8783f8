"""Which learning rate? A range test with all settings of the run; or, with plot_schedule=true, the schedule drawn.

python scripts/lr_find.py competition=digits model=resnet18 optimizer=adamw
"""

from compkit.cli import entry


@entry("lr_find")
def main(cfg):
    from compkit.build import build_plan, whole
    from compkit.ranges import positive
    from compkit.trials.find_lr import find_lr, plot_schedule

    plan = build_plan(cfg)
    if cfg.plot_schedule:
        plot_schedule(plan)
    else:
        start, end = positive("start", cfg.start, "1e-7"), positive("end", cfg.end, "1")
        find_lr(plan, start, end, whole("steps", cfg.steps, at_least=10))


if __name__ == "__main__":
    main()
