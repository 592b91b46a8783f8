"""Tune another post-processing on a finished run's out-of-fold predictions, as a run beside it.

python scripts/postprocess.py run=outputs/mosaic/resnet18 postprocess=thresholds
"""

from compkit.cli import entry


@entry("postprocess")
def main(cfg):
    from compkit.build import image_reader, load_plan, with_postprocess
    from compkit.derived.postprocess import postprocess_run
    from compkit.engine import Console

    plan = with_postprocess(load_plan(cfg.run, cfg.trust, {"resume": False}), cfg.get("postprocess"))
    with Console() as console:
        postprocess_run(plan, cfg.name, image_reader(cfg.run, cfg.trust), console)


if __name__ == "__main__":
    main()
