"""Stores in unusual places, stores that vanish, and accounts that no store knows: the kill switch
and everybody else see them all the same, and nobody says that all is well when it is not."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from mmbot.sim.wire.server import SimVenue
from tests.cli.desk import QUIET, mmbot, open_labels, place_by_hand
from tests.cli.terminal import MMBOT
from tests.engine.live import until
from tests.engine.test_crash import START_S, ours_at_venue

NOTICED_S = 2.0
RUN = ["--expiry", "20250606", "--strikes", "2800"]


class Desk:
    """A desk file that names a store of its own, in a folder of its own, and the engine on it."""

    def __init__(self, venue: SimVenue, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.venue, self.folder = venue, folder
        self.file, self.store = folder / "desk.toml", folder / "mine.db"
        self.file.write_text(
            '[desk]\nexpiry = "20250606"\nstrikes = [2800]\n'
            f'[sim]\nurl = "{venue.rest_url}"\n[store]\nurl = "sqlite:///mine.db"\n'
        )

    async def start(self, *arguments: str, **env: str) -> asyncio.subprocess.Process:
        with (self.folder / "log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                MMBOT,
                "quote",
                *(arguments or ("--config", "desk.toml")),
                cwd=self.folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **env},
            )

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    async def refused(self, *arguments: str) -> str:
        """Why an engine does not start."""
        second = await self.start(*arguments)
        assert await asyncio.wait_for(second.wait(), START_S) == 4, self.log
        return self.log.splitlines()[-1]


@asynccontextmanager
async def quoting(desk: Desk, **env: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Four orders rest."""
    engine = await desk.start(**env)
    try:
        await until(lambda: len(ours_at_venue(desk.venue)) == 4, "four orders", START_S)
        yield engine
    finally:
        if engine.returncode is None:
            with suppress(ProcessLookupError):
                engine.kill()
            await engine.wait()


async def status_once(holds: Callable[[Any], bool]) -> Any:
    """The one engine as `status` has it once that holds: an engine speaks once a second."""
    async with asyncio.timeout(START_S):
        while True:
            [engine] = (await mmbot("status", "--json")).json()["engines"]
            if holds(engine):
                return engine


async def left(engine: asyncio.subprocess.Process) -> int:
    engine.send_signal(signal.SIGTERM)
    return await asyncio.wait_for(engine.wait(), START_S)


async def test_a_desk_with_a_store_of_its_own_is_seen_from_any_terminal(tmp_path: Path) -> None:
    async with SimVenue(QUIET) as venue:
        desk = Desk(venue, tmp_path / "desk")
        async with quoting(desk) as engine:
            shown = await status_once(lambda shown: shown["open_orders"] == 4)
            assert (shown["store"], shown["state"]) == (str(desk.store), "running")
            for command in (["pause"], ["unpause"], ["set", "size", "1"], ["wind-down"]):
                done = await mmbot(*command)
                assert (done.code, done.err) == (0, ""), done.out
            assert (await mmbot("wind-down", "--off")).code == 0
            assert (await mmbot("explain", "ETH-6JUN25-2800-C")).code == 0
            for command in (["fills", "list"], ["ledger", "export"]):
                done = await mmbot(*command)
                assert done.code == 0
                assert str(desk.store) in done.err
            await until(lambda: len(ours_at_venue(venue)) == 4, "four orders again", START_S)

            done = await mmbot("cancel-all")
            assert (done.code, done.err) == (0, "")
            assert "4 cancelled, 0 remain (verified over" in done.out
            assert open_labels(venue) == []
            shown = await status_once(lambda shown: shown["open_orders"] == 0)
            assert (shown["state"], shown["latch"]["tripped"]) == ("killed", True)
            assert shown["instruments"][0]["our_bid"] is None
            assert await left(engine) == 4
        done = await mmbot("resume", "--reason", "looked at it", "--json")
        assert [one["account"] for one in done.json()["rearmed"]] == [venue.account]
        async with quoting(desk) as engine:
            assert await left(engine) == 0


async def test_what_a_filter_of_status_names_is_shown_or_the_nearest_told(tmp_path: Path) -> None:
    async with SimVenue(QUIET) as venue:
        desk = Desk(venue, tmp_path / "desk")
        async with quoting(desk) as engine:
            [shown] = (await mmbot("status", "--json")).json()["engines"]
            run = shown["run_id"]
            other = run[:-1] + ("1" if run.endswith("0") else "0")
            for flags in (["--run", run], ["--mode", "sim"], ["--config", str(desk.file)]):
                said = await mmbot("status", "--json", *flags)
                assert [one["run_id"] for one in said.json()["engines"]] == [run], flags
            for flags, words in (
                (["--run", other], f"did you mean {run!r}?"),
                (["--mode", "live"], "--mode: no engine has run in mode live; there is sim"),
            ):
                said = await mmbot("status", "--json", *flags)
                assert (said.code, said.out) == (1, "")
                assert words in said.err
            said = await mmbot("status", "--store", f"sqlite:///{tmp_path}/none.db")
            assert (said.code, said.out) == (2, "")
            assert f"--store: there is no store at {tmp_path}/none.db" in said.err
            assert await left(engine) == 0


async def test_a_store_that_is_deleted_takes_the_quotes_along_and_nobody_says_all_is_well(
    tmp_path: Path,
) -> None:
    async with SimVenue(QUIET) as venue:
        desk = Desk(venue, tmp_path / "desk")
        async with quoting(desk) as engine:
            for file in desk.folder.glob("mine.db*"):
                file.unlink()
            await until(lambda: not ours_at_venue(venue), "nothing rests", NOTICED_S)
            assert f"store: {desk.store}: it was deleted or moved away while it is in" in desk.log
            trouble = (await mmbot("status", "--json")).json()
            assert trouble == {
                "engines": [],
                "unread": [
                    f"{desk.store} is gone: which orders rest on {venue.account} on deribit (sim) "
                    f"is not known; process {engine.pid} runs on with it and quotes nothing; "
                    "`mmbot cancel-all` asks the venue"
                ],
            }
            told = await mmbot("pause")
            assert told.code == 2
            assert "no engine can be reached" in told.err

            words = f"process {engine.pid} is trading {venue.account} on deribit (sim) already"
            for command in ([], [*RUN, "--sim-url", venue.rest_url]):
                assert words in await desk.refused(*command)
            assert not desk.store.exists(), "none is made for an engine that may not run"

            assert await left(engine) == 2, desk.log
            last = desk.log.splitlines()[-1]
            assert str(desk.store) in last
            assert "all that this run kept is lost with it, and" in last
            assert "records are not in it" in last


async def test_the_kill_switch_reaches_an_engine_whose_store_is_gone(tmp_path: Path) -> None:
    async with SimVenue(QUIET) as venue:
        desk = Desk(venue, tmp_path / "desk")
        away = tmp_path / "away.db"
        async with quoting(desk) as engine:
            os.rename(desk.store, away)
            await until(lambda: not ours_at_venue(venue), "nothing rests", NOTICED_S)
            for _ in range(2):  # it is not forgotten while somebody trades with it
                done = await mmbot("cancel-all")
                assert done.code == 0, done.err
                assert (
                    f"{desk.store} is gone: the venue was asked about {venue.account}" in done.err
                )
                assert "0 cancelled, 0 remain (verified over" in done.out
            assert "KILL SWITCH: signal" in desk.log
            os.rename(away, desk.store)
            await until(lambda: "everything that waited is written" in desk.log, "it heals")
            assert ours_at_venue(venue) == {}
            assert await left(engine) == 4
        assert "kill switch" in await desk.refused()
        assert (await mmbot("resume", "--reason", "it is back")).code == 0


async def test_an_engine_is_found_though_all_of_home_was_deleted(
    home: Path, tmp_path: Path
) -> None:
    async with SimVenue(QUIET) as venue:
        desk = Desk(venue, tmp_path / "desk")
        async with quoting(desk) as engine:
            shutil.rmtree(home)
            desk.store.unlink()
            await until(lambda: not ours_at_venue(venue), "nothing rests", NOTICED_S)
            await until((home / "stores.jsonl").exists, "it says that it is there", START_S)
            [gone] = (await mmbot("status", "--json")).json()["unread"]
            assert f"process {engine.pid} runs on with it" in gone
            done = await mmbot("cancel-all")
            assert (done.code, "verified over" in done.out) == (0, True)
            assert await left(engine) == 4


async def test_orders_of_a_store_that_is_gone_are_asked_for_at_the_venue(tmp_path: Path) -> None:
    from tests.cli.test_cancel_all import DEAF

    async with SimVenue(DEAF) as venue:
        desk = Desk(venue, tmp_path / "desk")
        place_by_hand(venue)
        async with quoting(desk) as engine:
            engine.kill()
            await engine.wait()
            shutil.rmtree(desk.folder)
            assert len(open_labels(venue)) == 5
            [gone] = (await mmbot("status", "--json")).json()["unread"]
            assert gone == (
                f"{desk.store} is gone: which orders rest on {venue.account} on deribit (sim) is "
                "not known; `mmbot cancel-all` asks the venue"
            )
            done = await mmbot("cancel-all", "--json")
            assert done.code == 0, done.err
            assert [(v["cancelled"], v["remaining"]) for v in done.json()["venues"]] == [(4, 0)]
            assert open_labels(venue) == ["by hand"]
            after = await mmbot("status")
            assert after.out == "No engine runs, and the stores that were used here are gone.\n"
            assert "verified over" in (await mmbot("cancel-all")).out, "asked all the same"
            assert (await mmbot("resume", "--reason", "all gone")).code == 0


async def test_what_no_store_knows_is_asked_for_and_its_engine_stopped(tmp_path: Path) -> None:
    async with SimVenue(QUIET) as venue:
        desk = Desk(venue, tmp_path / "desk")
        place_by_hand(venue)
        async with quoting(desk, MMBOT_HOME=str(tmp_path / "another")) as engine:
            nothing = await mmbot("cancel-all")
            assert (nothing.code, len(open_labels(venue))) == (0, 5)
            assert "No store knows of an account, and no key is set" in nothing.out
            asked = ["--exchange", "deribit", "--sim", "--sim-url", venue.rest_url]
            done = await mmbot("cancel-all", *asked)
            assert done.code == 0, done.err
            assert f"deribit {venue.account}: 4 cancelled, 0 remain, 1 foreign kept" in done.out
            assert "no kill switch is set" in done.out
            assert open_labels(venue) == ["by hand"]
            assert "KILL SWITCH: signal" in desk.log
            assert await left(engine) == 4


async def test_with_keys_and_no_store_the_venue_is_asked_or_it_is_no_success() -> None:
    # Nobody answers for the venue's own name here, whether or not this machine has a network.
    nowhere = {"https_proxy": "http://127.0.0.1:1", "HTTPS_PROXY": "http://127.0.0.1:1"}
    keys = {"DERIBIT_API_KEY": "a", "DERIBIT_API_SECRET": "b"}
    asked, found, none = await asyncio.gather(
        mmbot("cancel-all", "--exchange", "deribit", "--live", **keys, **nowhere),
        mmbot("cancel-all", **keys, **nowhere),
        mmbot("cancel-all", "--testnet"),
    )
    for done in (asked, found):
        assert done.code == 5, done.out
        assert "orders may still be open" in done.err
        assert "LIVE     deribit account unknown: not reached" in done.out
    assert none.code == 5
    assert "DERIBIT_TESTNET_API_KEY and DERIBIT_TESTNET_API_SECRET are not set" in none.err


async def test_what_is_wrong_with_register_and_flags_keeps_nobody_from_the_switch(
    tmp_path: Path, home: Path
) -> None:
    async with SimVenue(QUIET) as venue:
        desk = Desk(venue, tmp_path / "desk")
        async with quoting(desk) as engine:
            with (home / "stores.jsonl").open("a") as file:  # a few bytes
                file.write("garbage\n")
            (tmp_path / "bad.toml").write_text("[desk\n")
            done = await mmbot("cancel-all", "--config", str(tmp_path / "bad.toml"))
            assert done.code == 2
            assert "stores.jsonl: line 2 cannot be read" in done.err
            assert "4 cancelled, 0 remain" in done.out
            assert await left(engine) == 4
        (home / "stores.jsonl").unlink()
        (home / "stores.jsonl").mkdir()
        done = await mmbot("cancel-all", "--config", str(desk.file), "--store", "mysql://x")
        assert done.code == 5
        assert "which lists the stores, cannot be read" in done.err
        done = await mmbot("cancel-all", "--store", f"sqlite:///{desk.store}", "--json")
        assert [v["account"] for v in done.json()["venues"]] == [venue.account]
