"""What a newcomer starts first, on the embedded venue: it trades, and not too eagerly.

The desks run side by side, each in a home of its own: what takes long is the time they are given.
"""

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import MMBOT

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.toml"))
DESKS = [["--symbols", "BTC-PERPETUAL"], *(["--config", str(path)] for path in CONFIGS)]
AMENDS_A_MINUTE_MAX = 60
APART_MAX = 1.5
"""How many times as often one world may fill us as the other."""


def quoted_for(seconds: int, desks: Sequence[Sequence[str]], home: Path) -> list[dict[str, Any]]:
    """What `mmbot quote --json` says of each desk, all run at the same time."""
    running = []
    for number, desk in enumerate(desks):
        (home / str(number)).mkdir()
        running.append(
            subprocess.Popen(
                [MMBOT, "quote", *desk, "--duration", str(seconds), "--json"],
                env=os.environ | {"MMBOT_HOME": str(home / str(number))},
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        )
    said = [process.communicate(timeout=seconds + 120)[0] for process in running]
    assert [process.returncode for process in running] == [0] * len(running)
    return [json.loads(text) for text in said]


def test_each_desk_trades_in_its_first_minute_and_a_half(tmp_path: Path) -> None:
    for desk, said in zip(DESKS, quoted_for(90, DESKS, tmp_path), strict=True):
        orders = said["orders"]
        assert said["fills"] >= 1, desk
        assert orders["amended"] / said["duration_s"] * 60 <= AMENDS_A_MINUTE_MAX, (desk, orders)
        assert said["open_orders_after_stop"] == 0


@pytest.mark.long
def test_the_wire_fills_a_desk_as_often_as_virtual_time_does(tmp_path: Path) -> None:
    """Ten minutes of the same market each: the same seed at the same moment, without faults."""
    lone = [path for path in CONFIGS if "[desks." not in path.read_text()]  # one a simulation
    desks = [["--config", str(path)] for path in lone]
    for path, wire in zip(lone, quoted_for(600, desks, tmp_path), strict=True):
        flags = ("--faults", "none", "--seeds", "1", "--hours", "0.16667", "--json")
        simulated = subprocess.run(
            [MMBOT, "simulate", path, *flags], capture_output=True, check=True
        )
        virtual = json.loads(simulated.stdout)
        a_second = (
            wire["fills"] / wire["duration_s"],
            virtual["fills"] / virtual["simulated_s"],
        )
        print(path.name, a_second)
        assert min(a_second) > 0
        assert max(a_second) / min(a_second) <= APART_MAX, (path.name, a_second)
