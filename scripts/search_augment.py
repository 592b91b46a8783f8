"""Which augmentation suits these pictures? Searches a policy and writes it as an option of `augment`.

python scripts/search_augment.py competition=digits model=resnet18 budget_minutes=30 save_as=digits
"""

from compkit.cli import config_dir, entry


@entry("search_augment")
def main(cfg):
    from compkit.build import build_all, build_plan, whole
    from compkit.ranges import above_zero_to_one, positive
    from compkit.trials.augment_search import search_augment, smaller

    rows = whole("proxy_rows", cfg.proxy_rows, at_least=1)
    cfg.augment, cfg.epochs = {}, whole("proxy_epochs", cfg.proxy_epochs, at_least=1)
    cfg.limit = rows if cfg.limit is None else min(rows, cfg.limit)
    cfg.image_size = smaller(cfg.image_size, above_zero_to_one("proxy_size", cfg.proxy_size, "0.5"))
    search_augment(
        build_plan(cfg),
        build_all,
        config_dir(),
        cfg.save_as,
        positive("budget_minutes", cfg.budget_minutes, "30"),
        whole("confirm_top", cfg.confirm_top, at_least=1),
        whole("confirm_seeds", cfg.confirm_seeds, at_least=2),
        None if cfg.max_trials is None else whole("max_trials", cfg.max_trials, at_least=2),
        cfg.leave_out,
    )


if __name__ == "__main__":
    main()
