import yaml

from compkit.report import read_run, write_report
from compkit.report.reproduce import data_hash, reproduce

from .runs_of_a_competition import add_run
from .test_page import page_of


def change(folder, **settings):
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | settings))
    return folder


def test_seeds_and_hashes_are_told(make_run):
    folder = make_run(rows=60)
    text = page_of(write_report(folder, None)).sections["reproduce"]
    assert "f00dfeed" in text and data_hash(read_run(folder).oof) in text and "\n7\n" in text


def test_settings_that_differ_from_the_parent_are_told(make_run):
    first = make_run("first", rows=60)
    (first / "train.log").write_text("2026-01-01 10:00:00  fold 0\n")
    second = change(make_run("second", rows=60), lr=0.5, data_dir="/elsewhere", model={"name": "<b>x</b>"})
    text = page_of(write_report(second, None)).sections["reproduce"]
    assert "Settings that differ from first" in text and "0.5" in text and '"<b>x</b>"' in text
    assert "not there" in text
    differences = text[text.index("Settings that differ") : text.index("Environment")]
    assert "data_dir" not in differences
    assert "Settings that differ" not in page_of(write_report(first, None)).sections["reproduce"]


def test_the_same_settings_differ_in_none(make_run):
    (make_run("first", rows=60) / "train.log").write_text("2026-01-01 10:00:00  fold 0\n")
    text = page_of(write_report(make_run("second", rows=60), None)).sections["reproduce"]
    assert "none" in text[text.index("Settings that differ") :]


def test_a_run_made_of_others_is_held_against_the_first_of_them(tmp_path):
    leaf = tmp_path / "leaf"
    for name in ("old", "b"):
        add_run(leaf, name, 0.5)
    blend = add_run(leaf, "blend", 0.6, by="ensemble", of=["b", "old"])
    lonely = add_run(tmp_path / "moss", "blend", 0.6, by="ensemble", of=["gone"])
    for folder in (blend, lonely):
        (folder / "oof.parquet").unlink(missing_ok=True)
    titles = [table.title for table in reproduce(read_run(blend)).tables]
    assert "Settings that differ from b" in titles
    assert not any("differ" in table.title for table in reproduce(read_run(lonely)).tables)


def test_the_hash_of_the_data_tells_labels_apart(make_run):
    oof = read_run(make_run(rows=30)).oof
    other = oof.targets.copy()
    other[0] = (other[0] + 1) % len(oof.classes)
    assert data_hash(oof) != data_hash(type(oof)(oof.task, oof.ids, oof.fold, other, oof.values, oof.classes))
