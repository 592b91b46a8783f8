"""Settings are refused by the name of their key."""

import pytest

from compkit.engine import TrainerSettings


@pytest.mark.parametrize(
    "key, value",
    [
        ("accumulate", 0),
        ("accumulate", 1.5),
        ("clip_at", -1.0),
        ("clip_p", 0),
        ("clip", "weights"),
        ("early_stopping_epochs", 0),
        ("checkpoint_every_steps", 2.5),
        ("probe_every", -1),
        ("clean_rows", 0.5),
        ("channels_last", "perhaps"),
        ("sync_bn", "yes"),
        ("precision", "fp8"),
    ],
)
def test_refuses(key, value):
    with pytest.raises(ValueError, match=rf"trainer\.{key}={value}"):
        TrainerSettings(**{key: value})
