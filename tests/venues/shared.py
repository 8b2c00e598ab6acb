"""Where the recordings lie that nobody in this project made; tests that use them skip without."""

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(os.environ.get("MMBOT_SHARED") or Path(__file__).parents[3] / "shared")
MESSAGES = SHARED / "data" / "deribit_messages"

needs_recordings = pytest.mark.skipif(not MESSAGES.is_dir(), reason="no recordings here")


def fixture(name: str) -> Any:
    """One message of another client's tests."""
    return json.loads((MESSAGES / "nautilus_deribit_fixtures.json").read_text())["files"][name]


def frames() -> list[dict[str, Any]]:
    """Subscription messages of a real connection, 2021-07-22."""
    found = []
    with gzip.open(MESSAGES / "cryptofeed_deribit_options_ws_20210722.txt.gz", "rt") as lines:
        for line in lines:
            _, _, text = line.partition(": ")
            if text.startswith("{") and '"method":"subscription"' in text:
                found.append(json.loads(text)["params"])
    return found


def listings() -> list[dict[str, Any]]:
    """Rows of public/get_instruments, 2021-07-22."""
    rows: list[dict[str, Any]] = []
    name = "cryptofeed_deribit_get_instruments_20210722.txt.gz"
    with gzip.open(MESSAGES / name, "rt") as lines:
        for line in lines:
            if "get_instruments" in line:
                rows += json.loads(line[line.index("{") :])["result"]
    return rows
