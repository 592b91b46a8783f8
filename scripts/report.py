"""Write a run's report.html anew from what it has written so far, or hold several runs against the first of them.

python scripts/report.py run=outputs/digits/resnet18
python scripts/report.py runs=[outputs/digits/resnet18,outputs/digits/resnet34]
"""

from pathlib import Path

from compkit.cli import entry


@entry("report")
def main(cfg):
    from compkit.build import image_reader
    from compkit.report import write_comparison, write_report

    if (cfg.run is None) == (cfg.runs is None):
        raise ValueError("expected one of run=… and runs=[…]. Set run=outputs/digits/resnet18, for example.")
    if cfg.run is not None:
        if cfg.html is not None:
            raise ValueError(
                f"html={cfg.html}: is for runs=[…]; a run's page is report.html in its own folder."
            )
        folder = Path(cfg.run).expanduser()
        print(write_report(folder, image_reader(folder)))
    else:
        html = None if cfg.html is None else Path(cfg.html).expanduser()
        print(write_comparison([Path(run).expanduser() for run in cfg.runs], html))


if __name__ == "__main__":
    main()
