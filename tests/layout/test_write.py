"""The page that is written: read back by Hydra it says what was found, whatever the names are."""

import pytest
from omegaconf import OmegaConf

from compkit.layout import BLOCKED, Findings
from compkit.layout.write import config_text, write_config, yaml_value

AWKWARD = [
    "no", "1e3", "007", "0x1F", "null", "~", "", " cat", "a: b", "#1", "- x", "é", "犬", "{id}", "[a]", "it's", '"q"',
    "a,b", "*", "&a", "!x", "%", "@", "1_000", "12:30", "2020-01-01", "y", ".5", "+1", "nan", "a\tb",
]  # fmt: skip


def findings(**keys):
    found = Findings(metric_k=3)
    wanted = {
        "name": "leaf", "path": "/data/leaf", "task": "multiclass", "metric": "accuracy", "train_table": "train.csv",
        "id_column": "uid", "target_column": "y", "train_images": "train/{id}.png", "test_images": None,
        "sample_submission": None,
    } | keys  # fmt: skip
    for key, value in wanted.items():
        found.set(key, value, "as it\nis: # so")
    return found


@pytest.mark.parametrize("name", AWKWARD)
def test_names_come_back_as_they_are(name):
    value = {"a": name, "b": [name, None, 1, True], "c": {name: name}}
    text = "\n".join(f"{key}: {yaml_value(one)}" for key, one in value.items())
    assert OmegaConf.to_container(OmegaConf.create(text)) == value


def test_dollars_are_no_interpolations():
    text = f"a: {yaml_value('x ${b} y')}"
    assert OmegaConf.create(text).a == "x ${b} y"


def test_every_question_stands_above_its_key():
    found = findings(classes=["no", "1e3"])
    choices = [(None, "none of them"), ("site", "several pictures each")]
    found.ask("group_column", "Which column " + "says it, " * 30, choices, None)
    text = config_text(found, "command")
    read = OmegaConf.to_container(OmegaConf.create(text))
    assert read["competition"]["classes"] == ["no", "1e3"] and read["metric"] == {"k": 3}
    assert read["competition"]["group_column"] is None
    above = text[: text.index("  group_column:")].splitlines()
    assert "  #   site: several pictures each" in above and any(
        "# question: Which column" in one for one in above
    )
    assert max(map(len, text.splitlines())) <= 120 and text.splitlines()[1].startswith(
        "# The competition leaf"
    )


def test_a_blocked_key_is_asked_for_by_hydra():
    found = findings()
    found.ask("target_column", "Which?", [], BLOCKED)
    assert found.is_blocked
    assert OmegaConf.is_missing(OmegaConf.create(config_text(found, "command")).competition, "target_column")


def test_pages_are_not_overwritten_unasked(tmp_path):
    page = tmp_path / "leaf.yaml"
    write_config(findings(), page, "command", overwrite=False)
    with pytest.raises(ValueError, match=r"exists already.*overwrite=true"):
        write_config(findings(), page, "command", overwrite=False)
    write_config(findings(task="regression", metric="rmse"), page, "command", overwrite=True)
    assert "override /task: regression" in page.read_text()
    page.write_text("# mine\n")
    with pytest.raises(ValueError, match="not written by this command"):
        write_config(findings(), page, "command", overwrite=True)
    assert page.read_text() == "# mine\n"
