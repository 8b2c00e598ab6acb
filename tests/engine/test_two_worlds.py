"""Two accounts in two worlds, each a `mmbot sim serve` process that may freeze or die: what happens
to one is no matter of the other."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson

from mmbot.config import Mode
from mmbot.errors import StoreError
from mmbot.store.locations import locate
from mmbot.store.queries import Reader
from tests.cli.desk import mmbot
from tests.cli.terminal import MMBOT
from tests.cli.test_quote import open_orders
from tests.cli.test_sim_serve import served
from tests.engine.live import until
from tests.engine.pair import OPTIONS, PERPETUAL, desk_file, ending
from tests.engine.test_crash import START_S

EARLIER = ("--at", "2025-06-02T11:58:30Z")
SAYS_WHY_S = 3.0
TICK_NS = 100_000_000
NOTICED_S = 20.0
AWAY_S = 3.0
NOTHING: Any = {"rows": [], "venues": []}


class Worlds:
    """Two worlds, the engine's file, and what it says of itself."""

    def __init__(self, folder: Path, served_at: list[tuple[subprocess.Popen[str], Any]]) -> None:
        (self.first, self.at_first), (self.second, self.at_second) = served_at
        self.folder = folder
        self.file = desk_file(folder, self.at_first["rest"], self.at_second["rest"])

    async def start(self) -> asyncio.subprocess.Process:
        with (self.folder / "log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *(MMBOT, "quote", "--config", str(self.file), "--json"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )

    @property
    def log(self) -> list[str]:
        return (self.folder / "log").read_text().splitlines()

    def status(self) -> Any:
        """What the engine last said of itself; empty before it has."""
        with suppress(StoreError):  # none is there yet
            for engine in Reader(locate(Mode.SIM, os.environ)).engines():
                return engine.status or NOTHING
        return NOTHING

    def link(self, name: str) -> Any:
        return next((v["link"] for v in self.status()["venues"] if v["name"] == name), None)

    def open_orders(self) -> list[int]:
        return [v["open_orders"] for v in self.status()["venues"]]

    async def quoting(self, engine: asyncio.subprocess.Process) -> None:
        def quoted() -> bool:
            assert engine.returncode is None, self.log
            return self.open_orders() == [OPTIONS, PERPETUAL]

        await until(quoted, "ten orders", START_S)


@contextmanager
def two_worlds(folder: Path) -> Iterator[Worlds]:
    with served() as first, served(*EARLIER) as second:
        yield Worlds(folder, [first, second])


async def the_tape() -> list[Any]:
    """Every turn of the only tape."""
    [listed] = (await mmbot("tape", "show", "--json")).json()
    shown = await mmbot("tape", "show", listed["file"], "--turns", "1000000", "--json")
    assert shown.code == 0, shown.err
    return list(orjson.loads(shown.out))


def happened(turns: list[Any], name: str, **fields: Any) -> list[tuple[int, int]]:
    """The turns in which such an event came, with their desk time."""
    return [
        (number, turn["at_ns"])
        for number, turn in enumerate(turns)
        for event in turn["events"]
        if event["type"] == name and fields.items() <= event.items()
    ]


def sent(turns: list[Any]) -> set[str]:
    """What was asked for of instruments at the second venue."""
    wanted = [intent for turn in turns for intent in turn["intents"]]
    return {one["type"] for one in wanted if "instrument" in one and one["venue"] == "hedge"}


async def test_a_venue_that_freezes_is_told_at_once_and_read_before_it_is_quoted_on_again(
    tmp_path: Path, home: Path
) -> None:
    with two_worlds(tmp_path / "desks") as worlds:
        engine = await worlds.start()
        async with ending(engine):
            await worlds.quoting(engine)
            worlds.second.send_signal(signal.SIGSTOP)
            await until(lambda: not worlds.link("hedge")["ok"], "it is noticed", NOTICED_S)
            for row in worlds.status()["rows"]:
                down = {"buy": "venue link down", "sell": "venue link down"}
                assert (row["reasons"] == down) == (row["venue"] == "hedge"), row
            assert worlds.link("deribit") == {"ok": True, "text": "up"}
            [told] = (await mmbot("status", "--json")).json()["engines"]
            assert {row["name"]: row["why"] for row in told["instruments"]}["ETH-PERPETUAL"] == (
                "venue link down"
            )
            assert [one["link"]["ok"] for one in told["venues"]] == [True, False]
            await asyncio.sleep(AWAY_S)
            worlds.second.send_signal(signal.SIGCONT)
            await worlds.quoting(engine)
            shares = {desk["name"]: desk["quoted_share"] for desk in worlds.status()["desks"]}
            assert shares["options"] > 0.95 > shares["perp"]
            engine.send_signal(signal.SIGINT)
            assert await asyncio.wait_for(engine.wait(), START_S) == 0
        turns = await the_tape()
        link: dict[str, Any] = {"venue": "hedge", "link": "trading"}
        went, went_ns = happened(turns, "LinkChanged", **link, up=False)[0]
        heard = happened(turns[:went], "LinkAlive", venue="hedge")
        heard += happened(turns[:went], "BookChanged", instrument="ETH-PERPETUAL")
        heard += happened(turns[:went], "TickerChanged", instrument="ETH-PERPETUAL")
        _, heard_ns = max(heard)
        taken = [turn["at_ns"] for turn in turns[: went + 1] if turn["at_ns"] >= heard_ns - 1e9]
        late_ns = max(later - one for one, later in pairwise(taken)) - TICK_NS
        # Three timers follow one another, and a machine that is busy is late for each of them.
        assert went_ns - heard_ns <= SAYS_WHY_S * 1e9 + 3 * max(0, late_ns)
        back, _ = happened(turns, "LinkChanged", **link, up=True)[-1]
        read, _ = next(
            one for one in happened(turns, "SnapshotTaken", venue="hedge") if one[0] > back
        )
        assert sent(turns[went:read]) == set()
        assert happened(turns, "LinkChanged", venue="deribit", up=False) == []
        assert "Place" in sent(turns[read:])


async def test_a_venue_that_dies_while_all_are_left_does_not_hide_that_the_other_is_empty(
    tmp_path: Path, home: Path
) -> None:
    with two_worlds(tmp_path / "desks") as worlds:
        engine = await worlds.start()
        async with ending(engine):
            await worlds.quoting(engine)
            worlds.second.kill()
            engine.send_signal(signal.SIGINT)
            out, _ = await asyncio.wait_for(engine.communicate(), START_S)
            assert engine.returncode == 3, worlds.log
        said = orjson.loads(out)
        assert said["open_orders_after_stop"] is None
        left = {name: one["open_orders_after_stop"] for name, one in said["venues"].items()}
        assert left == {"deribit": 0, "hedge": None}
        told = [line.partition("INFO ")[2] or line.partition("ERROR ")[2] for line in worlds.log]
        assert [line.strip() for line in told if "left" in line or "nobody knows" in line] == [
            "deribit: proved that nothing of ours is left",
            "hedge: nobody knows what is left: the venue could not be asked",
        ]
        assert "orders of ours may still be open at hedge: look there" in worlds.log[-1]
        assert open_orders(worlds.at_first) == []
