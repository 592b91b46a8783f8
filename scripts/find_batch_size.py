"""Which batch fits into memory, and how fast is it? Tries whole training steps with all settings of the run.

python scripts/find_batch_size.py competition=digits model=resnet50 image_size=384
"""

from compkit.cli import entry


@entry("find_batch_size")
def main(cfg):
    from compkit.build import build_plan, whole
    from compkit.trials.find_batch_size import find_batch_size

    largest = None if cfg.largest is None else whole("largest", cfg.largest, at_least=1)
    find_batch_size(build_plan(cfg), whole("start", cfg.start, at_least=1), largest)


if __name__ == "__main__":
    main()
