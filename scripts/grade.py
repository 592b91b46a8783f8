"""Score a submission to an embedded competition; the last line is the score alone.

python scripts/grade.py competition=digits submission=outputs/digits/resnet18/submission.csv
"""

from compkit.cli import entry


@entry("grade")
def main(cfg):
    from pathlib import Path

    from compkit.demo import grade

    metric, score = grade(cfg.competition.name, Path(cfg.submission), Path(cfg.data_dir))
    print(f"{cfg.submission}: {metric} on the hidden solution of {cfg.competition.name}")
    print(score)


if __name__ == "__main__":
    main()
