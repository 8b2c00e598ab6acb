"""Recordings of others, which a checkout may lie beside; a test without them is skipped."""

from pathlib import Path

import pytest

DATA = Path(__file__).parents[3] / "shared/data"


def recorded(name: str) -> Path:
    """A file of them."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    return path
