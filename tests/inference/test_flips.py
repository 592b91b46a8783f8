"""Labels of mirrored pictures."""

import numpy as np
import pytest
import torch

from compkit.demo.tilt import turn
from compkit.inference import FlippedLabels, View
from compkit.types import Task

CLASSES = ("left_eye", "right_eye", "chin", "yaw")
H, V = View(hflip=True), View(vflip=True)


def test_swaps_and_signs_by_side():
    flips = FlippedLabels(
        {"horizontal": [["left_eye", "right_eye"]], "vertical": [["chin", "left_eye"]]},
        {"horizontal": ["yaw"]},
    )
    values = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    assert flips.undo(values, View(), CLASSES).tolist() == [[1, 2, 3, 4]]
    assert flips.undo(values, H, CLASSES).tolist() == [[2, 1, 3, -4]]
    assert flips.undo(values, V, CLASSES).tolist() == [[3, 2, 1, 4]]
    assert flips.undo(values, View(hflip=True, vflip=True), CLASSES).tolist() == [[3, 1, 2, -4]]


@pytest.mark.parametrize("mirror", [np.fliplr, np.flipud])
def test_a_mirrored_digit_of_tilt_leans_the_other_way(mirror):
    """So conf/competition/tilt.yaml negates its angle for both sides."""
    source = np.random.default_rng(0).integers(0, 17, (8, 8), dtype=np.uint8) * 15
    for tenths in (-450, -123, 7, 300):
        np.testing.assert_array_equal(mirror(turn(source, tenths)), turn(mirror(source), -tenths))


@pytest.mark.parametrize("make, words", [
    (lambda: FlippedLabels({"left": []}), r"label_swaps\.left: expected horizontal or vertical"),
    (lambda: FlippedLabels({}, {"up": ["yaw"]}), r"negated\.up: expected"),
    (lambda: FlippedLabels({"horizontal": [["a", "b", "c"]]}), "expected pairs of classes"),
    (lambda: FlippedLabels({"horizontal": ["ab"]}), "expected pairs of classes"),
    (lambda: FlippedLabels({"horizontal": [["a", "b"], ["b", "c"]]}), "each class once"),
    (
        lambda: FlippedLabels({"horizontal": [["a", "chin"]]}).check(CLASSES, Task.MULTILABEL, []),
        r"label_swaps: no class 'a'; there are \['left_eye'",
    ),
    (lambda: FlippedLabels({}, {"vertical": ["a"]}).check(CLASSES, Task.REGRESSION, []), "negated: no class 'a'"),
    (
        lambda: FlippedLabels({}, {"horizontal": ["yaw"]}).check(CLASSES, Task.MULTICLASS, []),
        "negated is for regression, and the task is multiclass",
    ),
    (
        lambda: FlippedLabels({}, {"horizontal": ["yaw"]}).check(
            CLASSES, Task.REGRESSION, [("turned", View(quarter_turns=1))]
        ),
        r"views\.turned: a quarter turn.*~inference\.views\.turned",
    ),
])  # fmt: skip
def test_refuses(make, words):
    with pytest.raises(ValueError, match=words):
        make()
