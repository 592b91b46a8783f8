"""Which weights predict."""

import pytest

from compkit.inference import InferenceSettings


def test_auto_is_ema_when_there_is_one():
    assert InferenceSettings().resolve(has_ema=True).weights == "ema"
    assert InferenceSettings().resolve(has_ema=False).weights == "best"
    assert InferenceSettings(weights="last").resolve(has_ema=True).weights == "last"


def test_refuses():
    with pytest.raises(ValueError, match=r"inference\.weights=raw"):
        InferenceSettings(weights="raw")
    with pytest.raises(ValueError, match=r"inference\.batch_size=0"):
        InferenceSettings(batch_size=0)
    with pytest.raises(ValueError, match="averaging=ema"):
        InferenceSettings(weights="ema").resolve(has_ema=False)
