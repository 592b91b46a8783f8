"""The official client, signed in as a planted user and pointed at a server of ours."""

import pytest

from .fake_service import KEY, USER, FakeKaggle


@pytest.fixture
def kaggle(monkeypatch, tmp_path):
    """The server; the client's environment leads to it, and to nothing else."""
    home = tmp_path / "home_of_planted_owner"
    home.mkdir()
    fake = FakeKaggle()
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, fake.url)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(home / ".kaggle"))
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    monkeypatch.setenv("KAGGLE_USERNAME", USER)
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    monkeypatch.delenv("KAGGLE_API_TOKEN", raising=False)
    from kaggle.api.kaggle_api_extended import KaggleApi

    # what the class took from the environment when it was first imported, perhaps by an earlier test
    monkeypatch.setattr(KaggleApi, "args", ["--local"])
    monkeypatch.setattr(KaggleApi, "config", str(home / ".kaggle" / "kaggle.json"))
    yield fake
    fake.close()
