"""`mmbot cancel-all`: after it nothing of ours is open, whatever the engine is doing."""

import asyncio
import itertools
import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mmbot.cli.cancel_all import carry_out
from mmbot.clock import Clock
from mmbot.config import Mode
from mmbot.core.why import Why
from mmbot.engine import tripping
from mmbot.engine.outcome import AccountResult, Outcome
from mmbot.engine.timing import Timing
from mmbot.errors import OrdersMayRemain, VenueUnreachable
from mmbot.sim.exchange.listing import Side
from mmbot.sim.exchange.requests import NewOrder, Placed
from mmbot.sim.wire.deribit.params import Params
from mmbot.sim.wire.deribit.session import Session
from mmbot.sim.wire.rules import Rules
from mmbot.sim.wire.server import SimVenue, VenueOptions
from mmbot.store.database import open_store
from mmbot.store.latch import Kept
from mmbot.store.locations import locate
from mmbot.store.queries import Reader
from mmbot.store.records import AccountDraft, AccountKey, CommandKind, RunDraft
from mmbot.store.runs import start_run
from tests.cli.desk import QUIET, an_engine, ended, mmbot, open_labels, place_by_hand
from tests.engine.live import CALL, until
from tests.engine.test_account_taken import SENDS, heard, said
from tests.engine.test_crash import START_S, ours_at_venue, start
from tests.store.desk import BOTH, a_draft

DEAF = VenueOptions(flow_scale=0.0, rules=Rules(ignore_cancel_on_disconnect=True))
PUT = CALL.replace("-C", "-P")


def account_key(venue: SimVenue) -> AccountKey:
    return AccountKey(Mode.SIM, "deribit", venue.account)


def was_traded(venue: SimVenue) -> None:
    """A store that knows the venue's account from a run that is over."""
    now_ns = Clock().wall_ns()
    database = open_store(locate(Mode.SIM, os.environ))
    start_run(database, a_draft(account_key(venue), venue.rest_url), lambda: 7, now_ns - 10**10)


def was_traded_live(venue: SimVenue, account: str, folder: Path) -> None:
    """A store of real money, whose runs were started in a folder of their own."""
    traded = AccountDraft(AccountKey(Mode.LIVE, "deribit", account), venue.rest_url)
    draft = RunDraft((traded,), env_path=str(folder / ".env"))
    start_run(open_store(locate(Mode.LIVE, os.environ)), draft, lambda: 7, 1)


def place_ours(venue: SimVenue, *names: str) -> list[str]:
    """Orders of a run of ours that is gone."""
    labels = []
    for number, name in enumerate(names):
        labels.append(f"mm7-{number}")
        wish = NewOrder(
            name=name,
            side=Side.BUY,
            amount=Decimal(1),
            price=Decimal("0.001"),
            label=labels[-1],
        )
        assert isinstance(venue.exchange.place(venue.account, wish, venue.now_ms()), Placed)
    venue.publish()
    return labels


@contextmanager
def cancels(venue: SimVenue) -> Iterator[list[str]]:
    """The cancels the venue is sent meanwhile, by name."""
    methods: list[str] = []
    call = venue.protocol.call

    def listen(session: Session, name: str, params: Params) -> Any:
        if name.startswith("private/cancel"):
            methods.append(name.removeprefix("private/"))
        return call(session, name, params)

    venue.protocol.call = listen  # type: ignore[method-assign]  # a listener
    try:
        yield methods
    finally:
        venue.protocol.call = call  # type: ignore[method-assign]  # as it was


async def in_process(**flags: Any) -> None:
    """The command, in a thread of this process, so that a test can give it its bounds."""
    await asyncio.to_thread(carry_out, **flags)


async def test_a_running_engine_is_stopped_and_stays_so_until_resumed(home: Path) -> None:
    async with SimVenue(QUIET) as venue, an_engine(venue, home) as engine:
        place_by_hand(venue)
        done = await mmbot("cancel-all", "--json")
        assert done.code == 0, done.err
        report = done.json()
        assert report["latched"] is True
        [account] = report["venues"]
        assert account.pop("ms") < 10_000
        assert account == {
            "venue": "deribit",
            "mode": "sim",
            "account": venue.account,
            "cancelled": 8,
            "remaining": 0,
            "orders": [],
            "foreign": 1,
            "verified_by": "websocket",
            "problem": None,
        }
        assert open_labels(venue) == ["by hand"]
        with heard(venue) as sent:
            await asyncio.sleep(1.0)
            assert sent == []
        log = said(home)
        assert "asks: kill" in log, "the engine is told who asked"
        await ended(engine)
        again = await start(venue, home)
        assert await asyncio.wait_for(again.wait(), START_S) == 4
        assert "mmbot resume" in said(home).splitlines()[-1]
        assert (await mmbot("resume", "--reason", "looked at it")).code == 0
        async with an_engine(venue, home) as third:
            assert await ended(third) == 0


async def test_a_busy_engine_sends_nothing_a_second_after_the_latch(home: Path) -> None:
    async with SimVenue(VenueOptions(flow_scale=20.0)) as venue:
        engine = await start(venue, home)
        await until(lambda: len(ours_at_venue(venue)) >= 4, "it quotes", START_S)
        clock, sent_ns = Clock(), list[int]()
        on_frame = venue.protocol.on_frame

        def listen(session: Session, frame: bytes) -> None:
            if any(f'"{method}"' in str(frame) for method in SENDS):
                sent_ns.append(clock.wall_ns())
            on_frame(session, frame)

        venue.protocol.on_frame = listen  # type: ignore[method-assign]  # a listener
        await until(lambda: len(sent_ns) > 5, "it follows the market", START_S)
        assert (await mmbot("cancel-all")).code == 0
        await asyncio.sleep(1.0)
        latch = Reader(locate(Mode.SIM, os.environ)).latch(account_key(venue))
        assert latch is not None
        assert max(sent_ns) < latch.at_ns + 1_000_000_000
        assert ours_at_venue(venue) == {}
        await ended(engine)


async def test_a_stopped_process_keeps_no_order_and_sends_nothing_when_continued(
    home: Path,
) -> None:
    async with SimVenue(QUIET) as venue, an_engine(venue, home) as engine:
        engine.send_signal(signal.SIGSTOP)
        done = await mmbot("cancel-all")
        assert (done.code, done.err) == (0, "")
        lines = done.out.splitlines()
        assert lines[0].startswith("Kill switch: 1 account.")
        assert f"deribit {venue.account}: 8 cancelled, 0 remain (verified over" in lines[1]
        assert open_labels(venue) == []
        with heard(venue) as sent:
            engine.send_signal(signal.SIGCONT)
            await until(lambda: "KILL SWITCH" in said(home), "it reads the latch", START_S)
            await asyncio.sleep(1.0)
            assert sent == []
        [shown] = (await mmbot("status", "--json")).json()["engines"]
        assert (shown["state"], shown["latch"]["tripped"]) == ("killed", True)


async def test_orders_of_a_dead_engine_go_and_a_persons_own_stay(home: Path) -> None:
    async with SimVenue(DEAF) as venue, an_engine(venue, home) as engine:
        place_by_hand(venue)
        engine.kill()
        await engine.wait()
        assert len(open_labels(venue)) == 9
        with cancels(venue) as sent:
            assert (await mmbot("cancel-all")).code == 0
        assert open_labels(venue) == ["by hand"]
        # Where the foreign order rests one by one, elsewhere by instrument, and nowhere all.
        assert sorted(sent) == ["cancel"] * 2 + ["cancel_all_by_instrument"] * 3
        assert (await mmbot("cancel-all", "--foreign")).code == 0
        assert open_labels(venue) == []


async def test_with_the_websocket_dead_it_goes_over_rest() -> None:
    async with SimVenue(QUIET) as venue:
        was_traded(venue)
        place_ours(venue, CALL, PUT)
        venue.gate.lets_in = lambda: False  # type: ignore[method-assign]  # deaf to every frame
        done = await mmbot("cancel-all", "--json")
        assert (done.code, done.err) == (0, "")
        [account] = done.json()["venues"]
        assert (account["cancelled"], account["remaining"]) == (2, 0)
        assert account["verified_by"] == "rest"
        assert open_labels(venue) == []


async def test_a_venue_that_does_not_answer_is_exit_5(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async with SimVenue(QUIET) as venue:
        was_traded(venue)
        place_ours(venue, CALL)
        venue.silence()
        with pytest.raises(VenueUnreachable, match="orders may still be open: sim-") as caught:
            await in_process(timing=Timing(bound_s=0.5, call_limit_s=0.2))
        assert caught.value.exit_code == 5
        assert "not reached (deribit over" in capsys.readouterr().out
        latch = Reader(locate(Mode.SIM, os.environ)).latch(account_key(venue))
        assert latch is not None, "set all the same"
        assert latch.tripped


async def test_orders_that_do_not_go_are_listed_with_exit_3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async with SimVenue(QUIET) as venue:
        was_traded(venue)
        [label] = place_ours(venue, CALL)
        monkeypatch.setattr(venue.exchange, "cancel_all", lambda *_, **__: 0)
        with pytest.raises(OrdersMayRemain) as caught:
            await in_process(json=True, timing=Timing(bound_s=0.5, order_s=0.0))
        assert caught.value.exit_code == 3
        assert f"{label} buy 1 {CALL} at 0.001 on {venue.account} on deribit (sim)" in str(
            caught.value
        )
        assert '"remaining":1' in capsys.readouterr().out


async def test_wrong_keys_are_exit_5_and_say_so() -> None:
    async with SimVenue(QUIET) as venue:
        was_traded(venue)
        done = await mmbot("cancel-all", MMBOT_SIM_KEY="other", MMBOT_SIM_SECRET="pair")
        assert done.code == 5
        assert "refuses the credentials" in done.err
        assert done.err.count("\n") == 1


async def test_keys_are_those_of_the_run_wherever_the_command_is_given(tmp_path: Path) -> None:
    async with SimVenue(QUIET) as venue:
        was_traded_live(venue, venue.account, tmp_path)
        place_ours(venue, CALL)
        none = await mmbot("cancel-all", DERIBIT_API_KEY="", DERIBIT_API_SECRET="")
        assert none.code == 5
        assert "DERIBIT_API_KEY and DERIBIT_API_SECRET are not set" in none.err
        assert str(tmp_path / ".env") in none.err
        with open(tmp_path / ".env", "w") as file:  # noqa: ASYNC230 # a few bytes
            file.write("DERIBIT_API_KEY=sim\nDERIBIT_API_SECRET=sim\n")
        done = await mmbot("cancel-all", "--json")
        assert done.code == 0, done.err
        assert [(v["mode"], v["cancelled"]) for v in done.json()["venues"]] == [("live", 1)]
        assert open_labels(venue) == []


async def test_keys_of_another_account_are_an_error_and_what_is_ours_goes(tmp_path: Path) -> None:
    async with SimVenue(QUIET) as venue:
        was_traded_live(venue, "ann_1", tmp_path)
        place_ours(venue, CALL)
        done = await mmbot("cancel-all", DERIBIT_API_KEY="sim", DERIBIT_API_SECRET="sim")
        assert done.code == 5
        assert f"the credentials open the account {venue.account}, not ann_1" in done.err
        assert "1 cancelled, 0 remain (not verified: the credentials open" in done.out
        assert open_labels(venue) == []


async def test_a_world_that_ended_is_skipped_with_a_note() -> None:
    async with SimVenue(QUIET) as venue:
        was_traded(venue)
    done = await mmbot("cancel-all")
    assert (done.code, done.err) == (
        0,
        "1 simulated venue has ended before, and all orders there with it.\n",
    )


async def test_another_world_on_the_same_port_is_not_the_account() -> None:
    async with SimVenue(QUIET) as venue:
        database = open_store(locate(Mode.SIM, os.environ))
        earlier = a_draft(AccountKey(Mode.SIM, "deribit", "sim-1"), venue.rest_url)
        start_run(database, earlier, lambda: 7, Clock().wall_ns())
        place_ours(venue, CALL)
        done = await mmbot("cancel-all", "--json")
        assert (done.code, done.json()["ended"]) == (0, ["sim-1"])
        assert len(open_labels(venue)) == 1, "nobody's account is touched by mistake"


async def test_a_locked_store_gets_the_file_and_the_orders_go_all_the_same(home: Path) -> None:
    async with SimVenue(QUIET) as venue, an_engine(venue, home) as engine:
        location = locate(Mode.SIM, os.environ)
        assert location.path is not None
        other = sqlite3.connect(location.path, isolation_level=None, timeout=10)
        other.execute("BEGIN IMMEDIATE")
        engine.send_signal(signal.SIGSTOP)
        done = await mmbot("cancel-all", "--json")
        other.close()
        assert done.code == 0, done.err
        assert (done.json()["latched"], open_labels(venue)) == (True, [])
        assert location.latch_file.exists()
        engine.send_signal(signal.SIGCONT)
        await until(lambda: "KILL SWITCH" in said(home), "it reads the file", START_S)
        assert ours_at_venue(venue) == {}


def test_a_store_that_cannot_be_read_is_latched_by_file_and_named(home: Path) -> None:
    home.mkdir()
    (home / "live.db").write_bytes(b"garbage" * 100)
    done = asyncio.run(mmbot("cancel-all"))
    assert done.code == 5
    assert f"{home / 'live.db'} is not a database" in done.err
    assert (home / "live.db.latch").exists()


async def test_nothing_there_is_nothing_to_do() -> None:
    done = await mmbot("cancel-all")
    assert (done.code, done.err) == (0, "")
    assert done.out == (
        "No store knows of an account, and no key is set (DERIBIT_API_KEY, "
        "DERIBIT_TESTNET_API_KEY, DERIVE_WALLET, DERIVE_TESTNET_WALLET): there is nothing to "
        "cancel.\n"
    )
    assert (await mmbot("cancel-all", "--json")).json()["venues"] == []


def test_every_account_is_latched_before_a_venue_is_spoken_to() -> None:
    location = locate(Mode.SIM, os.environ)
    database = open_store(location)
    account_keys = [AccountKey(Mode.SIM, "deribit", f"sim-{number}") for number in range(3)]
    numbers = itertools.count(1)
    for one in account_keys:
        start_run(database, a_draft(one), lambda: next(numbers), 1)
    outcome = Outcome()
    accounts = tripping.trip_all([location], "ann", Clock(), outcome)
    assert {account.account_key for account in accounts} == set(account_keys)
    assert [latched.kept for latched in outcome.latched] == [Kept.STORE] * 3
    for one in account_keys:
        state = Reader(location).latch(one)
        assert state is not None
        assert (state.tripped, state.why, state.who) == (True, Why.USER, "ann")


def test_a_run_of_two_accounts_is_latched_and_emptied_twice_and_told_once() -> None:
    location, clock, outcome = locate(Mode.SIM, os.environ), Clock(), Outcome()
    database = open_store(location)
    first, second = a_draft(BOTH).accounts
    draft = RunDraft((first, replace(second, endpoint="http://127.0.0.1:2")), env_path="/d/.env")
    start_run(database, draft, lambda: 7, clock.wall_ns())
    accounts = tripping.trip_all([location], "ann", clock, outcome)
    assert [(a.account_key, a.endpoint, a.kind, a.running) for a in accounts] == [
        (first.account_key, "http://127.0.0.1:1", "deribit", True),
        (second.account_key, "http://127.0.0.1:2", "deribit", True),
    ]
    assert {account.env_folder for account in accounts} == {Path("/d")}
    assert [(one.account_key, one.kept) for one in outcome.latched] == [
        (account_key, Kept.STORE) for account_key in BOTH
    ]
    tripping.tell_engines([location], clock)
    assert [(one.run, one.command.kind) for one in Reader(location).waiting_commands()] == [
        (7, CommandKind.KILL)
    ]


def test_a_run_is_proved_empty_when_all_its_accounts_are() -> None:
    location, clock = locate(Mode.SIM, os.environ), Clock()
    start_run(open_store(location), a_draft(BOTH), lambda: 7, clock.wall_ns())
    results = [AccountResult(account_key=account_key) for account_key in BOTH]
    results[0].verified_by = "websocket"
    tripping.note_proofs([location], Outcome(results=results), clock)
    assert Reader(location).audit() == []
    results[1].verified_by = "rest"
    tripping.note_proofs([location], Outcome(results=results), clock)
    [proof] = Reader(location).audit()
    assert (proof.run, proof.body["proved_over"]) == (7, "websocket, rest")


async def test_two_accounts_of_one_run_are_two_entries() -> None:
    async with SimVenue(QUIET) as one, SimVenue(QUIET) as other:
        keys = [
            replace(account_key(one), venue="deribit"),
            replace(account_key(other), venue="deribit"),
        ]
        accounts = tuple(
            AccountDraft(key, venue.rest_url) for key, venue in zip(keys, (one, other), strict=True)
        )
        database = open_store(locate(Mode.SIM, os.environ))
        start_run(database, RunDraft(accounts), lambda: 7, Clock().wall_ns() - 10**10)
        place_ours(one, CALL)
        place_ours(other, CALL, CALL)
        done = await mmbot("cancel-all", "--json")
    assert done.code == 0, done.err
    said = done.json()["venues"]
    assert [(v["account"], v["cancelled"], v["remaining"]) for v in said] == [
        (accounts[0].account_key.account, 1, 0),
        (accounts[1].account_key.account, 2, 0),
    ]
    assert all(v["verified_by"] for v in said)


def test_only_engines_that_may_be_up_are_told() -> None:
    location = locate(Mode.SIM, os.environ)
    database, clock = open_store(location), Clock()
    up, gone = AccountKey(Mode.SIM, "deribit", "sim-1"), AccountKey(Mode.SIM, "deribit", "sim-2")
    start_run(database, a_draft(up), lambda: 1, clock.wall_ns())
    start_run(database, a_draft(gone), lambda: 2, clock.wall_ns() - 10**11)
    tripping.tell_engines([location], clock)
    waiting = [(one.run, one.command.kind) for one in Reader(location).waiting_commands()]
    assert waiting == [(1, CommandKind.KILL)]
