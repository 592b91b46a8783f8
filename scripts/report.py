"""Write a run's report.html anew, from what the run has written so far.

python scripts/report.py run=outputs/digits/resnet18
"""

from pathlib import Path

from compkit.cli import entry


@entry("report")
def main(cfg):
    from compkit.build import image_reader
    from compkit.report import write_report

    folder = Path(cfg.run)
    print(write_report(folder, image_reader(folder)))


if __name__ == "__main__":
    main()
