"""Desk files, written where a test wants one."""

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def desk_file(tmp_path: Path) -> Any:
    """Writes a desk file and says where it is."""

    def write(text: str) -> Path:
        path = tmp_path / "desk.toml"
        path.write_text(text)
        return path

    return write
