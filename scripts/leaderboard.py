"""All runs of a competition side by side, on the terminal and as a page; which two submissions to select.

python scripts/leaderboard.py competition=digits
"""

from compkit.cli import entry


@entry("leaderboard")
def main(cfg):
    from pathlib import Path

    from compkit.engine import Console
    from compkit.report import show_leaderboard

    if ("competition" in cfg) == (cfg.folder is not None):
        raise ValueError("expected one of competition=… and folder=…. Set competition=digits, for example.")
    folder = Path(cfg.folder) if cfg.folder else Path(cfg.output_dir) / str(cfg.competition.name)
    html = None if cfg.html is None else Path(cfg.html).expanduser()
    with Console() as console:
        print(show_leaderboard(folder.expanduser(), cfg.sort, html, console))


if __name__ == "__main__":
    main()
