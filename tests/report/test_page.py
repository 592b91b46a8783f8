import base64
import json
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest

from compkit.report import write_report
from compkit.report.section import number

VOID = {"meta", "img", "link", "br", "hr", "input"}
BEFORE, AFTER = (
    ["scores", "doctor", "data", "diagnosis", "curves", "mistakes"],
    ["groups", "folds", "reproduce"],
)
SECTIONS = {
    "multiclass": [*BEFORE, "confusion", "calibration", "classes", *AFTER],
    "multilabel": [*BEFORE, "calibration", "classes", *AFTER],
    "regression": [*BEFORE, "residuals", *AFTER],
}


class Page(HTMLParser):
    """Parses a page; fails on wrong nesting, keeps attributes, and the text of each section."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.sections: dict[str, str] = {"": ""}
        self.tags: set[str] = set()
        self._section = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "section":
            self._section = dict(attrs)["id"]
            self.sections[self._section] = ""
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> at {self.getpos()}"

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.sections[self._section] += data + "\n"


def page_of(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("task", SECTIONS)
def test_page_is_complete_valid_and_self_contained(make_run, picture, task):
    path = write_report(make_run(task=task), picture)
    assert path.name == "report.html"
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert [name for name in page.sections if name] == SECTIONS[task]
    assert "script" not in page.tags and "link" not in page.tags and "iframe" not in page.tags
    assert "default-src 'none'" in text
    for _, name, value in page.attributes:
        if name in ("src", "href", "xlink:href", "data", "action", "poster"):
            assert value.startswith(("#", "data:image/jpeg;base64,"))
        assert not name.startswith("on")
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style and "@import" not in style
    assert "http://" not in text and "https://" not in text
    targets = {value for _, name, value in page.attributes if name == "id"}
    links = {value.removeprefix("#") for tag, name, value in page.attributes if (tag, name) == ("a", "href")}
    assert links == targets


@pytest.mark.parametrize("task", SECTIONS)
def test_names_are_escaped(make_run, picture, task):
    text = write_report(make_run(task=task), picture).read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;" in text


@pytest.mark.parametrize("task", SECTIONS)
def test_scores_are_those_of_metrics_json(make_run, picture, task):
    folder = make_run(task=task, num_folds=4)
    page = page_of(write_report(folder, picture))
    metrics = json.loads((folder / "metrics.json").read_text())
    metric = metrics["metric"]
    top, scores = page.sections[""], page.sections["scores"].split("\n")
    assert f"{number(metrics['mean'][metric])} ± {number(metrics['std'][metric])}" in top
    assert number(metrics["pooled"][metric]) in top
    assert ", ".join(str(fold["best_epoch"]) for fold in metrics["folds"]) in top
    for fold in metrics["folds"]:
        for name in (metric, "second_metric"):
            assert number(fold["best"][name]) in scores
        assert number(fold["last"][metric]) in scores
        assert str(fold["train_rows"]) in scores and str(fold["val_rows"]) in scores
    for kind in ("mean", "std", "pooled"):
        assert number(metrics[kind][metric]) in scores
    assert metrics["fold_hash"] in page.sections["folds"]


def test_baseline_is_the_majority_or_what_the_run_says(make_run):
    folder = make_run()
    share = pd.read_parquet(folder / "oof.parquet")["target"].value_counts(normalize=True).max()
    assert number(share) in page_of(write_report(folder, None)).sections[""]
    metrics = json.loads((folder / "metrics.json").read_text())
    (folder / "metrics.json").write_text(json.dumps(metrics | {"baseline": {"accuracy": 0.54321}}))
    assert "0.5432" in page_of(write_report(folder, None)).sections[""]


def test_worst_mistakes_are_the_highest_losses_with_their_pictures(make_run, picture):
    folder = make_run()
    page = page_of(write_report(folder, picture))
    frame = pd.read_parquet(folder / "oof.parquet")
    values = frame.filter(like="pred_")
    names = values.columns.str.removeprefix("pred_")
    true = values.to_numpy()[np.arange(len(frame)), names.get_indexer(frame["target"])]
    called = names[values.to_numpy().argmax(1)]
    wrong = frame.assign(true=true)[called != frame["target"]].nsmallest(24, "true")
    shown = [
        value.removeprefix("Image ") for tag, name, value in page.attributes if (tag, name) == ("img", "alt")
    ]
    assert shown == wrong["id"].tolist()
    first = next(value for tag, name, value in page.attributes if (tag, name) == ("img", "src"))
    data = np.frombuffer(base64.b64decode(first.split(",")[1]), np.uint8)
    image = cv2.cvtColor(cv2.imdecode(data, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    assert image.shape == (96, 128, 3)
    want = cv2.resize(picture(shown[0]), (128, 96), interpolation=cv2.INTER_AREA)
    assert np.abs(image.astype(float) - want).mean() < 12


@pytest.mark.parametrize("task", SECTIONS)
def test_without_pictures_says_why(make_run, task):
    def gone(name: str) -> np.ndarray:
        raise FileNotFoundError(name)

    folder = make_run(task=task)
    assert "no images were at hand" in page_of(write_report(folder, None)).sections["mistakes"]
    assert "could not be read" in page_of(write_report(folder, gone)).sections["mistakes"]
    assert "could not be read" in page_of(write_report(folder, lambda name: None)).sections["mistakes"]


def test_no_mistakes(make_run):
    folder = make_run()
    frame = pd.read_parquet(folder / "oof.parquet")
    frame["target"] = frame.filter(like="pred_").idxmax(axis=1).str.removeprefix("pred_")
    frame.to_parquet(folder / "oof.parquet")
    page = page_of(write_report(folder, None))
    assert "No image is called wrong" in page.sections["mistakes"]
    assert "Most confused pairs" not in page.sections["confusion"]


def test_unfinished_run(make_run, picture):
    folder = make_run(num_folds=5, trained=1)
    for name in ("metrics.json", "oof.parquet"):
        (folder / name).unlink()
    page = page_of(write_report(folder, picture))
    assert "Unfinished" in page.sections[""] and "oof.parquet is not there" in page.sections[""]
    assert "no score yet" in page.sections["scores"]
    assert "Fold 0, 10 epochs" in page.sections["curves"]
    assert "svg" in page.tags


def test_run_that_has_only_begun(tmp_path):
    (tmp_path / "config.yaml").write_text("name: demo\n")
    page = page_of(write_report(tmp_path, None))
    assert "no curves" in page.sections["curves"]
    (tmp_path / "config.yaml").write_text("name: demo\nmade: {by: ensemble, runs: [a]}\n")
    assert "curves" not in page_of(write_report(tmp_path, None)).sections
    assert "folds.csv is not there" in page.sections["folds"]


def test_one_fold_has_no_spread(make_run):
    page = page_of(write_report(make_run(trained=1), None))
    assert "no spread" in page.sections[""] and "±" not in page.sections[""]
    assert "standard deviation" not in page.sections["scores"]


def test_score_that_could_not_be_computed(make_run):
    folder = make_run()
    metrics = json.loads((folder / "metrics.json").read_text())
    metrics["folds"][0]["best"]["second_metric"] = metrics["mean"]["second_metric"] = None
    (folder / "metrics.json").write_text(json.dumps(metrics))
    assert "n/a" in page_of(write_report(folder, None)).sections["scores"]


def test_data_counts_classes_by_fold(make_run):
    folder = make_run(rows=90, classes=3)
    frame = pd.read_parquet(folder / "oof.parquet")
    page = page_of(write_report(folder, None))
    cells = [line.strip() for line in page.sections["data"].split("\n") if line.strip()]
    for name, row in pd.crosstab(frame["target"], frame["fold"]).iterrows():
        start = cells.index(str(name))
        assert cells[start + 1 : start + 5] == [str(count) for count in (row.sum(), *row)]
    assert "groups" in page.sections["folds"]


def test_rows_outside_validation_are_named(make_run):
    folder = make_run()
    folds = pd.read_csv(folder / "folds.csv")
    folds.loc[:9, "fold"] = -1
    folds.to_csv(folder / "folds.csv", index=False)
    assert "never validated" in page_of(write_report(folder, None)).sections["folds"]


def test_reproduce_has_command_config_and_environment(make_run):
    folder = make_run()
    environment = {"git_commit": "0123abcd", "git_diff": "-old\n+new", "command": "train.py"}
    (folder / "environment.json").write_text(json.dumps(environment | {"hardware": {"cores": 8}}))
    text = page_of(write_report(folder, None)).sections["reproduce"]
    assert """python train.py competition=digits 'name=it'"'"'s a demo'""" in text
    for part in ("0123abcd", "hardware.cores", "+new", "lr: 0.001"):
        assert part in text


def test_texts_have_a_limit(make_run):
    folder = make_run()
    (folder / "config.yaml").write_text("a: " + "b" * 499_997)
    assert "400000 more characters left out" in page_of(write_report(folder, None)).sections["reproduce"]


def test_thousand_classes_stay_small(make_run, picture):
    path = write_report(make_run(classes=1000, rows=3000, num_folds=5, epochs=100), picture)
    assert path.stat().st_size < 5e6
    page = page_of(path)
    assert "the matrix is not drawn" in page.sections["confusion"]
    assert "Most confused pairs" in page.sections["confusion"]
    assert "The 30 classes of lowest F1" in page.sections["classes"]
    assert "never called right" in page.sections["classes"]
    assert "the 30 rarest and the 30 most frequent" in page.sections["data"]


def test_sixty_classes_are_drawn_and_small(make_run):
    path = write_report(make_run(classes=60, rows=3000), None)
    assert path.stat().st_size < 5e6
    assert "truth down, prediction across" in page_of(path).sections["confusion"]


def test_many_regression_columns_are_cut(make_run):
    page = page_of(write_report(make_run(task="regression", classes=8), None))
    assert "2 further target columns are left out" in page.sections["residuals"]
