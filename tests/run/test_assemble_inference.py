"""What is wrong with the views of a prediction is said before the first epoch."""

import pytest

from compkit.engine import Console
from compkit.run.trial import open_trial


def tried(plan):
    """Everything that is tried before a run."""
    with open_trial(plan, Console(quiet=True)):
        pass


def test_networks_are_told_of_other_sizes_only_where_there_are_some(plan):
    for override in ("inference=multiscale", "inference=search"):
        assert plan(override).size_options == {"dynamic_size": True}
    for option in ("tta_d4", "tta_ten_crop"):
        assert plan(f"inference={option}").size_options == {}


def test_a_transformer_looks_at_other_sizes(plan):
    small = (
        "model.backbone=test_vit",
        "image_size=160",
        "limit=20",
        "batch_size=4",
        "inference=multiscale_flip",
    )
    tried(plan(*small))


@pytest.mark.parametrize("overrides, words", [
    (["inference=multiscale", "model.backbone=levit_128s", "image_size=64"], "does not take"),
    (["inference=tta_d4", "image_size=[32,48]"], r"inference\.views\.hflip_turn_270: a quarter turn wants square"),
    (["inference=tta_d4", "competition=tilt"], r"a quarter turn, but flips change labels"),
    (["inference=tta_flip", "inference.mean=logit", "competition=tilt"], "inference.mean=logit is for probabilities"),
    (["inference=tta_flip", "inference.label_swaps.horizontal=[[6,nine]]"], "label_swaps: no class 'nine'"),
    (["inference=snapshots"], "inference.weights=snapshots: this run keeps none"),
    (["inference.weights=[best,snapshot_3]", "schedule=cosine_cycles"], "snapshot_3: there is no such snapshot"),
    (["inference.weights=[best,ema]"], "averaging=ema"),
])  # fmt: skip
def test_refused_before_the_first_epoch(plan, overrides, words):
    small = [] if "image_size" in str(overrides) else ["image_size=32"]
    with pytest.raises(ValueError, match=words):
        tried(plan("limit=20", "batch_size=4", "model.pretrained=false", *small, *overrides))
