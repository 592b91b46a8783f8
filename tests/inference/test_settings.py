"""Which weights predict."""

import pytest

from compkit.inference import InferenceSettings


def test_auto_is_ema_when_there_is_one():
    assert InferenceSettings().resolve("ema").weights == "ema"
    assert InferenceSettings().resolve("none").weights == "best"
    assert InferenceSettings(weights="last").resolve("ema").weights == "last"


def test_refuses():
    with pytest.raises(ValueError, match=r"inference\.weights=raw"):
        InferenceSettings(weights="raw")
    with pytest.raises(ValueError, match=r"inference\.batch_size=0"):
        InferenceSettings(batch_size=0)
    with pytest.raises(ValueError, match="averaging=ema"):
        InferenceSettings(weights="ema").resolve("none")
