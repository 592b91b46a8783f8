"""Look at a competition's data before training: damaged files, duplicates, shortcuts, wrong labels, test unlike train.

python scripts/inspect_data.py competition=digits
python scripts/inspect_data.py competition=digits run=outputs/digits/resnet18
"""

from compkit.cli import entry


@entry("inspect_data")
def main(cfg):
    from compkit.build import build_plan
    from compkit.inspection import inspect_data

    print(inspect_data(build_plan(cfg), cfg.run, cfg.output, bool(cfg.overwrite)))


if __name__ == "__main__":
    main()
