import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from compkit.engine import Console
from compkit.kaggle import append
from compkit.report import read_leaderboard, show_leaderboard
from compkit.report.final_selection import agreement, correlation_of_tests
from compkit.report.standings import read_standings

from ..commands import call_here
from .conftest import NASTY
from .runs_of_a_competition import add_run, ledger_row
from .test_page import Page


@pytest.fixture
def leaf(tmp_path):
    return tmp_path / "outputs" / "leaf"


def find(standings, name):
    return next(one for one in standings if one.name == name)


def show(leaf, capsys, **settings):
    with Console() as console:
        path = show_leaderboard(leaf, settings.get("sort", "cv"), settings.get("html"), console)
    return path, capsys.readouterr().out


def names(board):
    return [one.name for one in board.standings]


def test_a_line_says_what_metrics_json_and_the_ledger_say(leaf):
    add_run(leaf, "a", 0.9, std=0.02, lb=0.85)
    (one,) = read_standings(leaf)
    assert (one.kind, one.state, one.metric, one.cv, one.mean, one.std) == (
        "trained",
        "finished",
        "f1",
        0.9,
        0.9,
        0.02,
    )
    assert (one.public, one.private, one.seconds, one.images_per_second) == (0.85, None, 120.0, 500.0)
    assert one.gap == pytest.approx(0.05) and one.nested is None and one.comparable


def test_runs_made_of_runs_are_ranked_by_what_is_nested(leaf):
    add_run(leaf, "a", 0.9)
    add_run(leaf, "blend", 0.91, by="ensemble", of=["a"], in_sample={"f1": 0.99})
    tuned = {"plain": 0.9, "nested": 0.95, "in_sample": 0.97}
    add_run(leaf, "tuned", 0.9, by="postprocess", of=["a"], postprocess=tuned)
    board = read_leaderboard(leaf)
    assert names(board) == ["tuned", "blend", "a"]
    tuned, blend, _ = board.standings
    assert (blend.kind, blend.cv, blend.nested, blend.in_sample, blend.seconds) == (
        "ensemble",
        0.91,
        0.91,
        0.99,
        None,
    )
    assert (tuned.nested, tuned.in_sample, tuned.parent) == (0.95, 0.97, "a")


def test_lower_is_better_where_the_metric_says_so(leaf):
    for name, cv, lb in [("a", 0.5, 0.4), ("b", 0.3, 0.6), ("c", 0.4, 0.5)]:
        add_run(leaf, name, cv, lb=lb, metric="rmse", greater_is_better=False)
    board = read_leaderboard(leaf)
    assert names(board) == ["b", "c", "a"]
    assert names(read_leaderboard(leaf, "lb")) == ["a", "c", "b"]
    assert board.picks[0].run.name == "b"
    assert "Best CV (b) and best LB (a) are different runs" in board.warnings[0]


@pytest.mark.parametrize(
    "sort, order",
    [
        ("cv", "bca"),
        ("lb", "cab"),
        ("gap", "acb"),
        ("name", "abc"),
        ("time", "cab"),
        ("speed", "bac"),
        ("mean", "bca"),
    ],
)
def test_every_order(leaf, sort, order):
    for name, cv, lb, seconds, speed in [
        ("a", 0.7, 0.7, 20, 20),
        ("b", 0.9, 0.6, 30, 30),
        ("c", 0.8, 0.75, 10, 10),
    ]:
        fold = {"best": {"f1": cv}, "seconds": seconds, "images_per_second": speed}
        add_run(leaf, name, cv, lb=lb, folds=[{"fold": 0, **fold}, {"fold": 1, **fold}])
    assert names(read_leaderboard(leaf, sort)) == list(order)


def test_runs_of_other_folds_metrics_and_fewer_folds_are_marked_and_not_ranked(leaf, capsys):
    add_run(leaf, "a", 0.7)
    add_run(leaf, "b", 0.71)
    add_run(leaf, "c", 0.72)
    add_run(leaf, "split", 0.99, fold_hash="beef")
    add_run(leaf, "measure", 0.98, metric="auc")
    add_run(leaf, "one_fold", 0.97, folds=[{"fold": 0, "best": {"f1": 0.97}}])
    add_run(leaf, "refit", 0.72, by="refit", scores_of="c")
    board = read_leaderboard(leaf)
    assert names(board)[:3] == ["c", "b", "a"] and board.picks[0].run.name == "c"
    assert [one.name for one in board.standings if one.comparable] == ["c", "b", "a"]
    _, out = show(leaf, capsys)
    for words in ("other folds (beef)", "another metric: auc", "1 of 2 folds", "scores of c"):
        assert words in out


def test_unfinished_and_damaged_runs_are_listed_as_such(leaf, capsys):
    add_run(leaf, "good", 0.7)
    (add_run(leaf, "under_way") / "fold_0").mkdir()
    (leaf / "under_way" / "fold_0" / "scores.json").write_text("{}")
    (leaf / "under_way" / "fold_0" / "history.csv").write_text("epoch\n0\n")
    (add_run(leaf, "torn", 0.8) / "metrics.json").write_text('{"metric": "f1"')
    (add_run(leaf, "empty", 0.8) / "metrics.json").write_text('{"metric": "f1"}')
    (add_run(leaf, "odd", 0.8) / "metrics.json").write_text('["f1"]')
    (add_run(leaf, "no_yaml", 0.8) / "config.yaml").write_text("a: [b")
    (add_run(leaf, "no_config", 0.8) / "config.yaml").unlink()
    add_run(leaf, "nan", 0.8, pooled={"f1": None})
    add_run(leaf, "on_all", config={"full_data": True})
    (leaf / "folds").mkdir()  # not a run
    states = {one.name: (one.state, one.why) for one in read_standings(leaf)}
    assert states.pop("good") == ("finished", "") == states.pop("nan")
    assert states.pop("under_way") == ("unfinished", "folds done: 1")
    assert states.pop("on_all") == ("unfinished", "trained on all rows: no score")
    assert states["empty"] == ("damaged", "metrics.json lacks 'pooled'")
    assert set(states) == {"torn", "empty", "odd", "no_yaml", "no_config"}
    assert {state for state, _ in states.values()} == {"damaged"}
    path, out = show(leaf, capsys)
    assert all(name in out and name in path.read_text() for name in states)


def test_changes_are_against_the_parent_as_one_would_type_them(leaf):
    add_run(
        leaf, "z_first", 0.7, overrides=["model=resnet18", "num_workers=2"], started="2026-10-01 10:00:00"
    )
    add_run(leaf, "b", 0.7, overrides=["model=resnet18", "lr=0.01"], config={"lr": 0.01})
    add_run(leaf, "c", 0.7, overrides=["data_dir=/x"])
    add_run(leaf, "d", 0.7, overrides=["model=resnet18"], config={"epochs": 9})
    add_run(leaf, "e", 0.7, by="ensemble", of=["b", "c"], overrides=["runs=[b,c]", "method=hill_climb"])
    add_run(leaf, "f", 0.7, by="ensemble", of=["gone"], overrides=["method=rank"])
    found = {one.name: (one.parent, one.changes) for one in read_standings(leaf)}
    assert found == {
        "z_first": ("", ("model=resnet18",)),
        "b": ("z_first", ("lr=0.01",)),
        "c": ("z_first", ("model as by default",)),
        "d": ("z_first", ("epochs=9",)),
        "e": ("b", ("method=hill_climb",)),
        "f": ("z_first", ("method=rank",)),
    }


def test_scores_are_of_the_file_that_lies_there(leaf):
    folder = add_run(leaf, "a", 0.9, lb=0.85)
    (folder / "submission.csv").write_text("id,label\n1,other\n")
    (one,) = read_standings(leaf)
    assert (one.public, one.lb_note, one.gap) == (0.85, "of an earlier file", None)
    add_run(leaf, "b", 0.9, status="pending")
    assert find(read_standings(leaf), "b").lb_note == "pending"


def test_agreement_is_scipy_s(leaf):
    rng = np.random.default_rng(3)
    cv = rng.uniform(0.5, 0.9, 6)
    lb = cv + rng.normal(0, 0.1, 6)
    for number, pair in enumerate(zip(cv, lb, strict=True)):
        add_run(leaf, f"run{number}", float(pair[0]), lb=float(pair[1]))
    add_run(leaf, "without", 0.7)
    add_run(leaf, "elsewhere", 0.1, lb=0.99, fold_hash="beef")
    found = agreement(read_standings(leaf))
    assert found.count == 6
    assert found.pearson == pytest.approx(stats.pearsonr(cv, lb).statistic)
    assert found.spearman == pytest.approx(stats.spearmanr(cv, lb).statistic)


def test_agreement_of_too_few_or_equal_scores_is_not_claimed(leaf):
    for name in "abc":
        add_run(leaf, name, 0.7, lb=0.5)
    assert (
        agreement(read_standings(leaf)) == (3, None, None) or agreement(read_standings(leaf)).pearson is None
    )
    assert agreement(read_standings(leaf)[:2]).count == 2


def test_the_second_is_of_another_kind_and_the_least_like_the_first(leaf):
    add_run(leaf, "blend", 0.90, by="ensemble", noise=0.0, in_sample={"f1": 0.95})
    add_run(leaf, "near", 0.895, noise=0.1)
    add_run(leaf, "unlike", 0.893, noise=2.0)
    add_run(leaf, "blend_too", 0.899, by="ensemble", noise=5.0, in_sample={"f1": 0.95})
    add_run(leaf, "far", 0.80, noise=9.0)
    board = read_leaderboard(leaf)
    assert [pick.run.name for pick in board.picks] == ["blend", "unlike"]
    assert board.picks[0].why == "best nested CV, f1 0.9000"
    frames = [pd.read_parquet(leaf / name / "test.parquet") for name in ("blend", "unlike")]
    want = np.mean([np.corrcoef(frames[0][name], frames[1][name])[0, 1] for name in ("pred_a", "pred_b")])
    assert f"({want:.3f})" in board.picks[1].why and "of another kind (trained)" in board.picks[1].why


def test_with_one_kind_the_least_correlated_near_one_is_taken(leaf):
    for name, cv, noise in [("a", 0.90, 0), ("b", 0.899, 0.1), ("c", 0.892, 3), ("d", 0.5, 9)]:
        add_run(leaf, name, cv, noise=noise)
    assert [pick.run.name for pick in read_leaderboard(leaf).picks] == ["a", "c"]


def test_with_none_near_the_best_of_another_kind_is_taken(leaf):
    add_run(leaf, "a", 0.90, std=0.001)
    add_run(leaf, "b", 0.85)
    add_run(leaf, "blend", 0.80, by="ensemble", in_sample={"f1": 0.9})
    picks = read_leaderboard(leaf).picks
    assert [pick.run.name for pick in picks] == ["a", "blend"]
    assert picks[1].why == "the best of another kind (ensemble), 0.1000 behind a"


def test_the_same_predictions_are_not_selected_twice(leaf):
    add_run(leaf, "a", 0.90, noise=0)
    add_run(leaf, "copy", 0.90, noise=0)
    assert [pick.run.name for pick in read_leaderboard(leaf).picks] == ["a"]


def test_what_cannot_be_submitted_is_not_selected(leaf):
    (add_run(leaf, "a", 0.90) / "submission.csv").unlink()
    add_run(leaf, "b", 0.80)
    assert [pick.run.name for pick in read_leaderboard(leaf).picks] == ["b"]


def test_correlation_needs_common_ids_and_classes(leaf):
    for name in "abcd":
        add_run(leaf, name, 0.5)
    a, b, c, d = read_standings(leaf)
    frame = pd.read_parquet(b.folder / "test.parquet")
    frame.sample(frac=1, random_state=0).to_parquet(b.folder / "test.parquet")
    first = pd.read_parquet(a.folder / "test.parquet")
    want = np.mean([np.corrcoef(first[name], frame[name])[0, 1] for name in ("pred_a", "pred_b")])
    assert correlation_of_tests(a, b) == pytest.approx(want)
    frame[:100].to_parquet(c.folder / "test.parquet")
    frame.drop(columns="pred_b").to_parquet(d.folder / "test.parquet")
    assert correlation_of_tests(a, c) is None and correlation_of_tests(a, d) is None
    (c.folder / "test.parquet").write_bytes(b"torn")
    assert correlation_of_tests(a, c) is None
    first.assign(pred_a=1.0, pred_b=1.0).to_parquet(a.folder / "test.parquet")
    assert correlation_of_tests(a, b) is None


def test_best_lb_elsewhere_is_warned_of(leaf):
    add_run(leaf, "a", 0.9, lb=0.80)
    add_run(leaf, "b", 0.8, lb=0.85)
    assert "Best CV (a) and best LB (b) are different runs" in read_leaderboard(leaf).warnings[0]
    add_run(leaf, "c", 0.95)
    assert read_leaderboard(leaf).warnings == ["c has the best CV and no LB yet; the best LB so far is b's."]


def test_the_page_is_valid_self_contained_and_escaped(leaf, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "home_of_planted_owner"))
    nasty = NASTY.replace("/", "∕")  # a folder's name has no slash
    add_run(
        leaf,
        nasty,
        0.9,
        lb=0.85,
        overrides=[f"note={NASTY}", f"weights={tmp_path}/home_of_planted_owner/w.pt"],
    )
    add_run(leaf, "b", 0.8, lb=0.86)
    add_run(leaf, "c", 0.7, lb=0.70)
    path, out = show(leaf, capsys)
    assert path == leaf / "leaderboard.html"
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert [name for name in page.sections if name] == ["runs", "details", "agreement", "final", "changes"]
    assert "<script" not in text and "&lt;script&gt;" in text
    assert not re.search(r"https?://|url\(|@import", text)
    assert "script" not in page.tags and text.count("<circle") == 6
    assert all(value.startswith("#") for _, name, value in page.attributes if name in ("href", "src"))
    assert "home_of_planted_owner" not in text + out and "weights=~/w.pt" in text
    assert show(leaf, capsys)[0] == path  # written anew


def test_a_page_of_forty_one_runs_is_not_folded_away(leaf, capsys):
    for number in range(41):
        add_run(leaf, f"run{number}", 0.5)
    path, _ = show(leaf, capsys)
    assert "<details><summary>Runs" not in path.read_text()


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([], "expected one of competition=… and folder=…"),
        (["competition=digits", "folder=outputs/leaf"], "expected one of competition=… and folder=…"),
        (["competition=tilt"], "tilt: no such folder"),
        (["folder={empty}"], "has no runs. Train one first"),
        (["folder={leaf}", "sort=best"], "error: sort: got 'best'; expected one of cv"),
        (["folder={leaf}", "html=page.txt"], "expected a name ending in .html"),
        (["folder={leaf}", "html={other}"], "exists, and is no leaderboard"),
        (["folder={damaged}"], "ledger.csv: line 1"),
    ],
)
def test_a_mistake_is_one_message_and_status_2(leaf, tmp_path, capsys, arguments, words):
    places = {name: tmp_path / name for name in ("empty", "damaged")} | {
        "leaf": leaf,
        "other": tmp_path / "a.html",
    }
    places["empty"].mkdir()
    places["other"].write_text("<title>my own</title>")
    add_run(leaf, "a", 0.5)
    add_run(places["damaged"], "a", 0.5)
    (places["damaged"] / "ledger.csv").write_text("a,b\n")
    given = [one.format(**places) for one in arguments]
    status, _, err = call_here(capsys, "scripts/leaderboard.py", f"output_dir={tmp_path / 'outputs'}", *given)
    assert status == 2 and words in err and len(err.splitlines()) == 1, err
    assert places["other"].read_text() == "<title>my own</title>" and not (leaf / "leaderboard.html").exists()


def test_the_command_ends_with_the_page_s_path(tmp_path, capsys):
    leaf = tmp_path / "outputs" / "digits"
    add_run(leaf, "a", 0.5)
    page = tmp_path / "b.html"
    status, out, err = call_here(
        capsys, "scripts/leaderboard.py", "competition=digits", f"output_dir={leaf.parent}", f"html={page}"
    )
    assert status == 0 and out.splitlines()[-1] == str(page) and page.is_file(), err


def test_private_scores_have_a_column_once_known(leaf, capsys):
    folder = add_run(leaf, "a", 0.5)
    assert "private" not in show(leaf, capsys)[1]
    append(leaf / "ledger.csv", replace(ledger_row(folder, 0.5, 0.25), lb_private=0.125))
    assert "private" in show(leaf, capsys)[1]
