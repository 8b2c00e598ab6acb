"""What every test gets: a home of its own, so that no test meets another one's store."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`$MMBOT_HOME`, empty."""
    folder = tmp_path / "home"
    monkeypatch.setenv("MMBOT_HOME", str(folder))
    monkeypatch.delenv("MMBOT_DATABASE_URL", raising=False)
    return folder
