import pytest

from compkit.engine import Console

from .harness import Result, results, show_results
from .variants import FAULTS


def test_the_table_counts_what_was_named_and_false_alarms(capsys):
    done = [
        Result("few_rows", "vit", 0, frozenset({"gap"}), frozenset({"gap", "overfit"})),
        Result("few_rows", "vit", 1, frozenset({"gap"}), frozenset()),
        Result("plain", "vit", 0, frozenset(), frozenset({"gap"})),
        Result("plain", "vit", 1, frozenset(), frozenset()),
    ]
    with Console() as console:
        show_results(done, console)
    said = capsys.readouterr().out
    assert said.count("WRONG") == 2
    assert "faults named: 1 of 2; false alarms: 1 of 2 healthy" in said


@pytest.mark.slow
@pytest.mark.parametrize("name", [*FAULTS, "plain", "constant", "mixup", "label_smoothing", "angles"])
def test_real_trainings_are_told_apart(name, tmp_path_factory):
    root = tmp_path_factory.getbasetemp() / "harness"
    [found] = results(root, [0], only=[name], nets=["resnet"])
    assert found.is_right, found
