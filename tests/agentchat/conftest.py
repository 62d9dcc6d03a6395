"""What the tests of models share."""

import pytest

from model_server import ModelServer


@pytest.fixture
def server():
    """A model server whose script a test writes."""
    with ModelServer() as server:
        yield server


@pytest.fixture(autouse=True)
def in_a_directory_of_its_own(tmp_path, monkeypatch):
    """Models keep a cache in the current directory."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    """No test may use a key of the machine it runs on."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "AZURE_OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
