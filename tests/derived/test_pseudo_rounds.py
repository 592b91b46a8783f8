"""Rounds of pseudo-labels end to end: what lies on disk, who labelled what, resuming, and what is refused."""

import functools
import json
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml

import compkit.derived.pseudo_rounds as pseudo_rounds_module
from compkit.build import build_plan, load_plan, plan_again
from compkit.competition import Folds
from compkit.demo import hidden_solution
from compkit.derived.pseudo_rounds import pseudo_rounds
from compkit.derived.pseudo_teachers import Teachers, hidden_truth, read_tables
from compkit.engine import Console, Ranks
from compkit.pipeline import run
from compkit.results import read_test
from compkit.semi import PseudoLabels, RoundSettings, Selection, split_into_parts
from compkit.types import Task

from ..commands import call_here
from ..conftest import QUICK, compose_train

CLASSES = tuple("0123456789")
EVERYTHING = {"threshold": 0, "patience": 9}  # a network of two epochs is sure of nothing


@pytest.fixture(scope="module")
def parent(tmp_path_factory, data_dir):
    """A run of two folds on digits, trained once."""
    outputs = tmp_path_factory.mktemp("outputs")
    paths = (f"data_dir={data_dir}", f"output_dir={outputs}", "name=run")
    plan = build_plan(compose_train(*QUICK, *paths))
    run(plan)
    return plan.folder


@pytest.fixture
def run_of(parent, tmp_path):
    """A copy of the run to start from or to damage, alone in its folder."""
    return shutil.copytree(parent, tmp_path / "outputs" / "digits" / "run")


def call_rounds(folder, selection=None, unlabelled="test", name=None, resume=False, **settings):
    again = functools.partial(plan_again, folder)
    given = RoundSettings(**{"rounds": 2} | EVERYTHING | settings)
    return pseudo_rounds(
        load_plan(folder), again, load_plan, given, selection or Selection(), unlabelled, name, resume
    )


@pytest.fixture(scope="module")
def rounds(parent, tmp_path_factory):
    """Two rounds on a copy of the run, trained once; (folder, entries)."""
    folder = shutil.copytree(parent, tmp_path_factory.mktemp("rounds") / "digits" / "run")
    return folder, call_rounds(folder, Selection(max_share=2.0))


def test_each_round_is_a_run_that_learns_from_earlier_models_of_its_own_fold(rounds, data_dir):
    folder, entries = rounds
    assert [one["run"] for one in entries] == ["run", "run_pseudo_1", "run_pseudo_2"]
    truth = hidden_solution("digits", data_dir)
    of_part = {id: part for id, part in zip(truth, split_into_parts(np.array(list(truth)), 2), strict=True)}
    for number, teachers in ((1, {0: "run"}), (2, {0: "run", 1: "run_pseudo_1"})):
        student = folder.parent / f"run_pseudo_{number}"
        config = yaml.safe_load((student / "config.yaml").read_text())
        path = folder.parent / "pseudo_labels" / f"{student.name}.parquet"
        assert config["pseudo_labels"] == str(path) and config["made"]["by"] == "pseudo_label"
        assert config["made"]["teachers"] == {f"part {part}": name for part, name in teachers.items()}
        pseudo = PseudoLabels.read(path, CLASSES)
        assert {of_part[id] for id in pseudo.ids} == set(teachers)
        for fold in (0, 1):
            mine = pseudo.of_student(fold)
            kept = [sum(of_part[id] == part for id in mine.ids) for part in teachers]
            assert sum(kept) == len(mine.ids) == entries[number]["kept"][str(fold)]
            assert (
                58 <= sum(kept) <= 60 and min(kept) > 25
            )  # max_share of 30 labelled rows, shared by the parts
            said = {
                part: read_test(folder.parent / name / f"fold_{fold}" / "test.parquet", CLASSES)
                for part, name in teachers.items()
            }
            by_id = {part: dict(zip(one.ids, one.values, strict=True)) for part, one in said.items()}
            want = [by_id[of_part[id]][id].argmax() for id in mine.ids]
            np.testing.assert_array_equal(mine.labels.argmax(axis=1), want)
        right = [
            truth[id] == CLASSES[row.argmax()] for id, row in zip(pseudo.ids, pseudo.labels, strict=True)
        ]
        assert entries[number]["true_accuracy"] == pytest.approx(np.mean(right))
        metrics = json.loads((student / "metrics.json").read_text())
        assert metrics["pooled"]["accuracy"] == entries[number]["score"]
        assert metrics["fold_hash"] == Folds.read(folder / "folds.csv").hash
        assert (student / "submission.csv").is_file()
    best = max(entries[0]["score"], entries[1]["score"])
    assert entries[2]["gain"] == pytest.approx(entries[2]["score"] - best)


def test_the_table_of_rounds_is_on_disk(rounds):
    folder, entries = rounds
    written = json.loads((folder.parent / "run_pseudo_rounds.json").read_text())
    assert written == json.loads(json.dumps(entries)) and written[1]["made_with"]["threshold"] == 0
    table = pd.read_csv(folder.parent / "run_pseudo_2" / "rounds.csv")
    assert table["run"].tolist() == ["run", "run_pseudo_1", "run_pseudo_2"]
    assert table["score"].tolist() == pytest.approx([one["score"] for one in entries])


def test_finished_rounds_are_kept_and_others_go_on_only_with_the_same_labels(rounds):
    folder, entries = rounds
    before = {path: path.read_bytes() for path in folder.parent.rglob("*.parquet")}
    assert call_rounds(folder, Selection(max_share=2.0), resume=True) == entries
    assert {path: path.read_bytes() for path in before} == before
    with pytest.raises(ValueError, match=r"round 1 was labelled with other settings.*name="):
        call_rounds(folder, Selection(max_share=1.0), resume=True)
    with pytest.raises(ValueError, match="run_pseudo_1 exists already"):
        call_rounds(folder, Selection(max_share=2.0))
    with pytest.raises(ValueError, match=r"has itself learnt from pseudo-labels.*started from.*run=.*/run$"):
        call_rounds(folder.parent / "run_pseudo_1")


def test_a_folder_is_labelled_as_the_test_set_would_be(run_of, data_dir, tmp_path):
    """Its pictures once more under other names, two of them broken or known; the labels of a round are the same."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    tests = sorted((data_dir / "digits" / "test").iterdir())[:30]
    for path in tests:
        shutil.copy(path, pictures / f"new_{path.name}")
    (pictures / "broken.png").write_bytes(b"")
    plan, ranks = load_plan(run_of), Ranks()
    with Console(quiet=True) as console:
        table, labelled = read_tables(plan, str(pictures), ranks, console)
        classes = plan.competition.classes
        from_folder = Teachers([plan], table, classes, False, ranks, console).predict(0, 1)
        test, _ = read_tables(plan, "test", ranks, console)
        from_test = Teachers([plan], test, classes, True, ranks, console).predict(0, 1)
    assert table.ids.tolist() == [f"new_{path.name}" for path in tests]
    rows = [test.ids.tolist().index(path.stem) for path in tests]
    np.testing.assert_allclose(from_folder, from_test[rows], rtol=1e-4, atol=1e-6)
    folds = Folds.read(run_of / "folds.csv")
    assert {fold: len(labels) for fold, labels in labelled.items()} == {
        fold: len(folds.train_rows(fold)) for fold in (0, 1)
    }


def test_training_pictures_are_left_out_of_a_folder(run_of, data_dir, capsys):
    plan, ranks = load_plan(run_of), Ranks()
    with Console() as console:
        table, _ = read_tables(plan, str(data_dir / "digits" / "train"), ranks, console)
    trained = set(Folds.read(run_of / "folds.csv").ids)
    assert len(table) == 1437 - 60 and not {id.removesuffix(".png") for id in table.ids} & trained
    assert "60 of 1437 pictures are training pictures" in capsys.readouterr().out


def test_rounds_stop_when_the_score_stalls_or_nothing_is_sure(run_of, capsys, monkeypatch):
    # rounds that are as good as the run they start from, and no better
    monkeypatch.setattr(pseudo_rounds_module, "run", lambda plan: shutil.copytree(run_of, plan.folder))
    entries = call_rounds(run_of, patience=2, rounds=4, name="stalled")
    out = capsys.readouterr().out
    assert len(entries) == 3 and "no gain above 0 in the last 2 round(s)" in out
    assert "no round is better than run itself" in out
    entries = call_rounds(run_of, threshold=[0, 1], name="unsure")
    out = capsys.readouterr().out
    assert (
        len(entries) == 2 and "round 2: of 360 pictures none is kept for the model(s) of fold(s) 0, 1" in out
    )
    assert not (run_of.parent / "unsure_2").exists()


def test_nothing_sure_in_the_first_round_tells_how_sure_they_are(run_of):
    with pytest.raises(
        ValueError, match=r"threshold=1\.0, and their confidences are: 10 % below 0\.\d+.*lower threshold"
    ):
        call_rounds(run_of, threshold=1)
    assert not (run_of.parent / "pseudo_labels").exists()


def test_the_truth_is_known_of_embedded_competitions_alone(plan):
    digits, mosaic, tilt = (plan(f"competition={name}") for name in ("digits", "mosaic", "tilt"))
    for one in (digits, mosaic, tilt):
        one.competition.read_train()
    ids = digits.competition.read_test().ids
    truth = hidden_truth(digits, ids)
    assert truth.shape == (360,) and (np.bincount(truth, minlength=10) > 20).all()
    assert hidden_truth(digits, np.array(["unknown"])) is None
    labels = hidden_truth(mosaic, mosaic.competition.read_test().ids)
    assert labels.shape == (400, 10) and set(labels.sum(axis=1)) <= {1, 2, 3, 4}
    assert hidden_truth(tilt, tilt.competition.read_test().ids) is None


def edit(path, change):
    """Rewrite a YAML file."""
    path.write_text(yaml.safe_dump(change(yaml.safe_load(path.read_text()))))


@pytest.mark.parametrize(
    "damage, words",
    [
        (lambda run: (run / "oof.parquet").unlink(), r"lacks oof\.parquet.*not finished"),
        (lambda run: edit(run / "config.yaml", lambda one: one | {"full_data": True}), "was trained on all rows"),
        (lambda run: edit(run / "config.yaml", lambda one: one | {"made": {"by": "ensemble"}}), "made by ensemble"),
        (lambda run: [path.unlink() for path in run.rglob("fold_*/*") if path.suffix in (".safetensors", ".parquet")], "no weights"),
    ],
)  # fmt: skip
def test_a_run_that_cannot_teach_is_refused(run_of, damage, words):
    damage(run_of)
    with pytest.raises(ValueError, match=words):
        call_rounds(run_of)
    assert not (run_of.parent / "run_pseudo_1").exists()


def test_a_fold_without_weights_or_predictions_is_named(run_of):
    shutil.rmtree(run_of / "fold_1")
    with pytest.raises(ValueError, match="fold 1 has no weights"):
        call_rounds(run_of)


def test_predictions_of_another_test_set_are_refused(run_of):
    path = run_of / "fold_1" / "test.parquet"
    frame = pd.read_parquet(path)
    frame[3:].to_parquet(path)
    with pytest.raises(ValueError, match=rf"lacks 3 pictures of the test set: .*{frame['id'][0]}"):
        call_rounds(run_of)


def test_pictures_that_cannot_be_labelled(run_of, data_dir, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        call_rounds(run_of, unlabelled=str(tmp_path / "nowhere"))
    known = tmp_path / "known"
    known.mkdir()
    (known / "a.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"unlabelled=.*known: no picture of it can be read"):
        call_rounds(run_of, unlabelled=str(known))
    edit(run_of / "config.yaml", lambda one: one | {"limit": None})
    whole = pd.read_csv(data_dir / "digits" / "train.csv", dtype=str)
    folds = pd.DataFrame({"id": whole["id"], "fold": np.arange(len(whole)) % 2, "group": ""})
    folds.to_csv(run_of / "folds.csv", index=False)
    with pytest.raises(ValueError, match="all of its pictures are training pictures"):
        call_rounds(run_of, unlabelled=str(data_dir / "digits" / "train"))
    edit(
        run_of / "config.yaml", lambda one: one | {"competition": one["competition"] | {"test_images": None}}
    )
    with pytest.raises(ValueError, match="unlabelled=test: the competition has no test pictures"):
        call_rounds(run_of)


def test_numbers_are_all_kept():
    assert RoundSettings(rounds=2).thresholds(Task.REGRESSION) == [None, None]
    assert RoundSettings(rounds=2).thresholds(Task.MULTILABEL) == [0.9, 0.9]
    with pytest.raises(ValueError, match=r"without a confidence.*threshold=auto"):
        RoundSettings(threshold=0.5).thresholds(Task.REGRESSION)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["rounds=0"], "rounds: got 0"),
        (["parts=1"], "parts: got 1"),
        (["patience=0"], "patience: got 0"),
        (["min_gain=-1"], "min_gain: got -1"),
        (["seed=-1"], "seed: got -1"),
        (["threshold=1.5"], "threshold: got 1.5"),
        (["threshold=high"], "threshold: got 'high'"),
        (["threshold=[0.9,0.8]"], "2 numbers for 3 rounds"),
        (["kind=firm"], "kind: got 'firm'"),
        (["round=3"], "did you mean 'rounds'?"),
        (["name=a/b"], "expected letters"),
    ],
)
def test_a_mistake_is_one_message_and_status_2(parent, capsys, arguments, words):
    status, _, err = call_here(capsys, "scripts/pseudo_label.py", f"run={parent}", *arguments)
    assert status == 2 and words in err and "Traceback" not in err, err


def test_the_command_trains_soft_rounds(run_of, capsys):
    given = ("rounds=1", "threshold=0", "kind=soft", "sharpen=0.5", "balance=2", "name=soft")
    status, out, err = call_here(capsys, "scripts/pseudo_label.py", f"run={run_of}", *given)
    assert status == 0 and "soft: rounds of pseudo-labels" in out and "keep that" in out, err
    pseudo = PseudoLabels.read(run_of.parent / "pseudo_labels" / "soft_1.parquet", CLASSES)
    assert not pseudo.is_hard
    np.testing.assert_allclose(pseudo.labels.sum(axis=1), 1, rtol=1e-5)
