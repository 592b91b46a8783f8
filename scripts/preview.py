"""What does the network really see? Draws the first training batch as it enters the network, with its labels.

python scripts/preview.py competition=digits augment=randaugment output=preview.png
"""

from pathlib import Path

from compkit.cli import entry


@entry("preview")
def main(cfg):
    from compkit.build import build_plan, whole
    from compkit.trials.preview import preview

    preview(build_plan(cfg), Path(cfg.output).expanduser(), whole("pictures", cfg.pictures, at_least=1))


if __name__ == "__main__":
    main()
