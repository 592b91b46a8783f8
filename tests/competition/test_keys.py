import pytest

from compkit.competition import Competition


def make(folder, task="multiclass", **keys):
    return Competition("pets", folder, task, **keys)


@pytest.mark.parametrize(
    "keys, message",
    [
        ({"subject_average": "median"}, r"subject_average=median: expected one of mean, max"),
        (
            {"train_images": "train/*/{id}.png"},
            r"train_images: 'train/\*/\{id\}\.png'; expected at most one \*",
        ),
        ({"test_images": "test/{id}/**"}, r"test_images: .*one \*\*/ between folders"),
        (
            {"test_rows": {"split": ["test"]}},
            r"competition\.test_rows=.*competition\.test_table, which is null",
        ),
        ({"test_join": {"meta.csv": "id"}}, r"competition\.test_join=.*which is null"),
        ({"test_ids": "{id}.png"}, r"competition\.test_ids=.*which is null"),
        ({"train_table": None, "train_join": {"meta.csv": "id"}}, r"train_join=.*train_table, which is null"),
        ({"train_table": None, "train_ids": "{id}.png"}, r"train_ids=.*train_table, which is null"),
        ({"train_table": None, "class_column": "kind"}, r"class_column=.*train_table, which is null"),
        ({"train_table": None, "train_rows": {"a": ["b"]}}, r"train_rows=.*train_table, which is null"),
        (
            {
                "train_table": None,
                "train_images": "{channel}/{label}.png",
                "channels": 2,
                "channel_files": ["r", "g"],
            },
            r"\{channel\} needs a table that lists the pictures",
        ),
        ({"train_ids": "{class}"}, r"train_ids='\{class\}': expected \{id\} once"),
        ({"sample_ids": "{id}_{kind}"}, r"sample_ids=.*expected \{id\} once"),
        ({"sample_ids": "{id}{class}"}, r"sample_ids=.*something between them"),
        (
            {"train_ids": "{id}_{class}", "class_column": "kind"},
            r"class_column=kind: competition\.train_ids says",
        ),
        (
            {"sample_ids": "{id}_{class}", "sample_class_column": "kind"},
            r"sample_class_column=kind: competition\.sample_ids",
        ),
        (
            {"class_column": "kind", "target_column": ["x", "y"]},
            r"target_column: 'x', 'y'; a table with a row for each class",
        ),
        (
            {"class_column": "label", "task": "regression"},
            r"class_column=label: is the target_column.*task=regression",
        ),
        ({"validation_folds": ["val"]}, r"validation_folds=\['val'\]: needs competition\.fold_column"),
        (
            {"validation_folds": ["val"], "fold_column": "split", "fold_scheme": "group"},
            r"fold_scheme auto or predefined",
        ),
        (
            {"validation_folds": [], "fold_column": "split"},
            r"validation_folds=\[\]: expected values that differ",
        ),
        (
            {"validation_folds": [1, "1"], "fold_column": "split"},
            r"expected values that differ, at least one",
        ),
        (
            {"submission_names": {"cat": "x", "dog": "x"}},
            r"submission_names: 'x', 'x'; expected another name",
        ),
        (
            {"submission_names": {"cow": "x"}, "classes": ["cat", "dog"]},
            r"submission_names: 'cow' are no competition\.classes",
        ),
    ],
)
def test_keys_that_cannot_be_meant_are_refused_before_anything_is_read(tmp_path, keys, message):
    with pytest.raises(ValueError, match=message):
        make(tmp_path / "no", **keys)


def test_id_columns_follow_each_other(tmp_path):
    names = [
        (one.id_column, one.test_id_column, one.sample_id_column)
        for one in (
            make(tmp_path),
            make(tmp_path, test_id_column="b"),
            make(tmp_path, test_id_column="b", sample_id_column="c"),
        )
    ]
    assert names == [("id", "id", "id"), ("id", "b", "b"), ("id", "b", "c")]


def test_what_the_command_line_makes_numbers_becomes_text(tmp_path):
    keys = make(
        tmp_path, header=False, id_column=0, target_column=1, train_rows={2: [0, "x"]}, submission_names={0: 1},
        fold_column=3, validation_folds=[4],
    )  # fmt: skip
    assert (keys.id_column, keys.target_columns, keys.one_target_column) == ("0", ["1"], True)
    assert keys.train_rows == {"2": ("0", "x")} and keys.submission_names == {"0": "1"}
    assert (keys.fold_column, keys.validation_folds) == ("3", ("4",))
    assert make(tmp_path, train_rows={"split": "train"}).train_rows == {"split": ("train",)}


@pytest.mark.parametrize(
    "keys, has",
    [
        ({}, False),
        ({"train_images": "a/**/{id}.png"}, False),
        ({"train_images": "a/{id}/*.png"}, True),
        ({"test_images": "a/{id}_*"}, True),
        ({"subject_column": "patient"}, True),
        ({"train_table": None, "train_images": "a/{label}/*.png"}, False),
        ({"test_images": None}, False),
    ],
)
def test_subjects_come_from_a_column_or_a_pattern(tmp_path, keys, has):
    assert make(tmp_path, **keys).has_subjects == has
