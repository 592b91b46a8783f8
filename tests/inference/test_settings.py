"""Which weights predict, and through which views."""

import pytest

from compkit.inference import InferenceSettings
from compkit.types import Task

SQUARE = (64, 64)


def test_auto_is_ema_when_there_is_one():
    assert InferenceSettings().resolve("ema").weights == "ema"
    assert InferenceSettings().resolve("none").weights == "best"
    assert InferenceSettings(weights="last").resolve("ema").weights == "last"


def test_several_weights():
    two = ["snapshot_1", "snapshot_2"]
    assert InferenceSettings(weights="snapshots").resolve("none", two).kinds == tuple(two)
    assert InferenceSettings(weights="snapshots").resolve("none", two[:1]).weights == "snapshot_1"
    settings = InferenceSettings(weights=["best", "ema", "snapshot_2"]).resolve("ema", two)
    assert settings.kinds == ("best", "ema", "snapshot_2")


def test_views_are_ordered_by_name_and_null_leaves_one_out():
    settings = InferenceSettings(views={"b": {"hflip": True}, "a": {}, "c": None})
    assert [name for name, _ in settings.ordered_views] == ["a", "b"]
    assert InferenceSettings(views={"a": None}).ordered_views[0][0] == "identity"
    assert (
        settings.record() == InferenceSettings(weights="last", views={"a": {}, "b": {"hflip": True}}).record()
    )


def test_only_other_sizes_resize():
    assert InferenceSettings(views={"a": {"scale": 0.5}}).resizes(SQUARE)
    assert not InferenceSettings(views={"a": {"crop": "center"}}).resizes(SQUARE)


@pytest.mark.parametrize("make, words", [
    (lambda: InferenceSettings(weights="raw"), r"inference\.weights=raw"),
    (lambda: InferenceSettings(weights=[]), r"inference\.weights=\[\]"),
    (lambda: InferenceSettings(weights=["best", "auto"]), "expected auto, best, last"),
    (lambda: InferenceSettings(weights=["best", "best"]), "several as"),
    (lambda: InferenceSettings(batch_size=0), r"inference\.batch_size=0"),
    (lambda: InferenceSettings(mean="harmonic"), "inference.mean: got 'harmonic'; expected one of probability"),
    (lambda: InferenceSettings(label_swaps={"left": []}), "horizontal or vertical"),
    (lambda: InferenceSettings(weights="ema").resolve("none"), "averaging=ema"),
    (lambda: InferenceSettings(weights=["best", "swa"]).resolve("ema"), "averaging=swa"),
    (lambda: InferenceSettings(weights="snapshots").resolve("none"), "keeps none. Set schedule=cosine_cycles"),
    (
        lambda: InferenceSettings(weights=["best", "snapshot_3"]).resolve("none", ["snapshot_1"]),
        r"weights=snapshot_3: there is no such snapshot, but \['snapshot_1'\]",
    ),
])  # fmt: skip
def test_refuses(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize("settings, task, size, words", [
    ({"mean": "logit"}, Task.REGRESSION, SQUARE, "inference.mean=logit is for probabilities"),
    ({"mean": "geometric"}, Task.REGRESSION, SQUARE, "inference.mean=geometric"),
    ({"views": {"turned": {"quarter_turns": 3}}}, Task.MULTICLASS, (64, 32), r"turned: a quarter turn wants square"),
    ({"views": {"small": {"scale": 0.99}}}, Task.MULTICLASS, SQUARE, r"small\.scale=0\.99 is rounded to image_size"),
    ({"label_swaps": {"vertical": [["a", "x"]]}}, Task.MULTICLASS, SQUARE, "no class 'x'"),
])  # fmt: skip
def test_what_does_not_fit_the_competition_is_refused(settings, task, size, words):
    with pytest.raises(ValueError, match=words):
        InferenceSettings(**settings).check(task, ("a", "b"), size)


def test_half_turns_are_no_matter_of_shape():
    InferenceSettings(views={"a": {"quarter_turns": 2}}).check(Task.MULTICLASS, ("a",), (64, 32))
