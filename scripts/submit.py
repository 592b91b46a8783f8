"""Check a run's submission, upload it to Kaggle, wait for its score and keep both in the competition's ledger.

python scripts/submit.py run=outputs/leaf/resnet18 dry_run=true
python scripts/submit.py run=outputs/leaf/resnet18 slug=leaf-classification message="first try"
"""

from compkit.cli import entry


@entry("submit")
def main(cfg):
    from compkit.build import load_plan, whole
    from compkit.derived.submit import submit_run
    from compkit.engine import Console
    from compkit.kaggle import Wishes
    from compkit.ranges import positive

    wishes = Wishes(
        bool(cfg.poll),
        bool(cfg.again),
        None if cfg.per_day is None else whole("per_day", cfg.per_day, at_least=1),
        positive("timeout_minutes", cfg.timeout_minutes, usual="30"),
        positive("poll_seconds", cfg.poll_seconds, usual="5"),
    )
    with Console() as console:
        submit_run(load_plan(cfg.run, cfg.trust), cfg.slug, cfg.message, bool(cfg.dry_run), wishes, console)


if __name__ == "__main__":
    main()
