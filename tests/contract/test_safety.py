"""What keeps an account safe: limits kept, orders taken back, expiries settled, secrets kept."""

import itertools
import signal
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from mmbot.core import events as ev
from mmbot.core.capabilities import DeadMan, Draws, GateKind
from mmbot.core.order_life import IN_FLIGHT, Status
from mmbot.core.orders import Order
from mmbot.core.statements import FlowKind
from mmbot.core.types import InstrumentId, Side
from mmbot.core.why import Why
from mmbot.errors import ExitCode, Refused
from tests.contract.bench import Bench, World
from tests.contract.client import client_on
from tests.contract.commands import ended, mmbot, quoting, to_quote, written
from tests.contract.conftest import Start
from tests.contract.desk import Desk, desk_on

MINUTES = 10


async def test_ten_minutes_at_full_demand_without_a_rate_refusal(start: Start) -> None:
    """Every order is wanted in another size several times a second, and now and then everything is
    taken back and quoted again: far more than the venue allows, and nothing is one too many."""
    world = World(scale=20.0, unlimited=False)
    async with start(world) as bench, desk_on(bench, refresh="0.1") as desk:
        await desk.quotes()
        sent, began_ms = _orders_asked(bench), bench.now_ms()
        end_ms, pause_ms = began_ms + MINUTES * 60_000, began_ms
        sizes = itertools.cycle((Decimal(2), Decimal(1)))
        while bench.now_ms() < end_ms:
            desk.tell(ev.SizeScaled(next(sizes)))
            await bench.pass_s(0.2)
            if bench.now_ms() > pause_ms:
                pause_ms = bench.now_ms() + 30_000
                desk.tell(ev.Pause(Why.PAUSED))
                await bench.pass_s(0.5)
                desk.tell(ev.Unpause())
        passed_s = (bench.now_ms() - began_ms) / 1000
        assert bench.refused_for_rate == 0
        assert desk.account.budget.deferred > 0, "the budget was never short"
        used = (_orders_asked(bench) - sent) / passed_s
        assert used > 0.7 * _allowed(desk), f"{used:.1f} a second"
        assert [one for one in desk.heard(ev.LinkChanged) if not one.up] == []
        assert bench.most_in_a_slot == 1


def _allowed(desk: Desk) -> float:
    """Requests about orders a second, by what the venue has told of the account. Of a small window
    one is left alone, and one at least is kept for cancels."""
    told = desk.heard(ev.LimitsRead)
    if told:
        return told[-1].rate_per_s
    gate = desk.account.capabilities.order_gate
    assert gate is not None
    if gate.kind is GateKind.TOKEN_BUCKET:
        return gate.rate_per_s
    kept = 1 + max(1, int(gate.burst * gate.cancel_reserve))
    return gate.rate_per_s * (gate.burst - kept) / gate.burst


def _orders_asked(bench: Bench) -> int:
    """But for cancels by label, where those have a limit of their own."""
    apart = (Draws.READ, Draws.LABEL_CANCEL)
    return sum(bench.arrived(what) for what in Draws if what not in apart)


def _cancels_asked(bench: Bench) -> int:
    return sum(map(bench.arrived, (Draws.CANCEL, Draws.MASS_CANCEL, Draws.LABEL_CANCEL)))


async def test_dead_man(start: Start, home: Path) -> None:
    """Killed without a word, we leave no order: the venue sees to that in the way the plug-in says.
    Where it does not say that it will, nothing is begun."""
    async with start(World()) as bench:
        how = bench.capabilities.dead_man
        if how is DeadMan.NONE:
            done = await mmbot(bench, *to_quote(bench))
            assert done.code == ExitCode.REFUSED
            assert "require_dead_man = false" in done.err
            return
        hers = bench.place_by_hand(
            bench.instruments[0], Side.BUY, bench.amount, bench.lowest(bench.instruments[0])
        )
        async with quoting(bench, home) as engine:
            asked = _cancels_asked(bench)
            engine.kill()
            await engine.wait()
            await bench.until(lambda: not bench.ours(), "taken back", 60.0)
            assert _cancels_asked(bench) == asked
            left = [one.order_id for one in bench.orders()]
            assert left == ([] if how is DeadMan.WALLET else [hers])
        bench.deny_dead_man()
        with pytest.raises(Refused):
            async with client_on(bench):
                pass
        assert bench.ours() == []


async def test_expiry_or_settlement_in_flight_stated_twice(start: Start) -> None:
    """An instrument ends while it is held and a request for it is under way: its orders are over,
    its position is delivered and booked once, however often the venue's history states it."""
    world = World(scale=8.0, expires_in_s=60.0)
    async with start(world) as bench, desk_on(bench) as desk:
        gone, stays = bench.ids
        await bench.until(lambda: [o for o in bench.ours() if o.instrument == gone], "quoted")
        desk.trade(next(o.side for o in bench.ours() if o.instrument == gone and o.side))
        await bench.until(lambda: desk.position(gone), "held")
        assert desk.position(gone) == bench.positions()[gone]
        end_ms = bench.listed()[bench.instruments[0]].expiry_ms
        assert end_ms is not None
        await bench.until(lambda: bench.now_ms() > end_ms - 3_000, "soon", 60.0)
        for what in (Draws.PLACE, Draws.MOVE, Draws.CANCEL):
            bench.late_request(what, 3.5)
        desk.tell(ev.SizeScaled(Decimal(2)))
        await bench.until(lambda: _in_flight(desk, gone), "a request is under way")
        await bench.until(lambda: len(_ends(desk, gone)) > 0, "stated", 60.0)
        await bench.until(lambda: _held(desk, gone) == 0, "delivered")
        await bench.until(lambda: not _in_flight(desk, gone), "known to be over")
        assert gone not in bench.positions()
        assert [one for one in bench.ours() if one.instrument == gone] == []
        profit = _profit(desk)
        bench.sever()
        await bench.until(
            lambda: max(Counter(_ends(desk, gone)).values()) > 1, "stated again", 60.0
        )
        await bench.until(lambda: desk.account.reconciled, "reconciled")
        assert _profit(desk) == profit
        assert _held(desk, gone) == 0
        assert not any(market.halted for market in desk.state.markets.values())
        assert desk.state.latch.tripped is None
        await bench.until(lambda: [o for o in bench.ours() if o.instrument == stays], "goes on")


def _in_flight(desk: Desk, instrument: InstrumentId) -> list[Order]:
    """Orders of which the engine does not know how they stand."""
    unclear = (*IN_FLIGHT, Status.UNKNOWN)
    orders = [one for one in desk.state.orders.all() if one.instrument == instrument]
    return [one for one in orders if one.status in unclear]


def _ends(desk: Desk, instrument: InstrumentId) -> list[str]:
    """Every time that the history has stated the end of an instrument or of a session."""
    flows = [
        one
        for look in desk.heard(ev.SnapshotTaken)
        for one in look.flows
        if one.instrument == instrument
    ]
    return [one.ref for one in flows if one.kind in (FlowKind.DELIVERY, FlowKind.SETTLEMENT)]


def _held(desk: Desk, instrument: InstrumentId) -> Decimal:
    """What the engine has booked, of one that may have left."""
    return desk.position(instrument) if instrument in desk.state.markets else Decimal(0)


def _profit(desk: Desk) -> Decimal:
    """In all: of what is there, of which nothing is held, and of what has left."""
    there = [one.pnl(None).total for one in desk.state.inventory.positions.values()]
    left = [one.pnl.total for one in desk.state.retired.of()]
    return sum((*there, *left), Decimal(0))


async def test_cancel_all_with_the_engine_stopped(start: Start, home: Path) -> None:
    """The kill switch is a process of its own: it empties the account while the engine's stands
    still, leaves a person's order, and the engine sends nothing when it goes on."""
    async with start(World()) as bench:
        name = bench.instruments[0]
        hers = bench.place_by_hand(name, Side.BUY, bench.amount, bench.lowest(name))
        async with quoting(bench, home) as engine:
            engine.send_signal(signal.SIGSTOP)
            done = await mmbot(bench, "cancel-all", "--json")
            assert done.code == 0, done
            (account,) = done.json()["venues"]
            assert (account["venue"], account["cancelled"]) == (bench.name, 4)
            assert (account["remaining"], account["foreign"] > 0) == (0, True)
            assert [one.order_id for one in bench.orders()] == [hers]
            placed = bench.arrived(Draws.PLACE) + bench.arrived(Draws.MOVE)
            engine.send_signal(signal.SIGCONT)
            said = home.parent / "said"
            await bench.until(lambda: "KILL SWITCH" in said.read_text(), "it reads the latch")
            await bench.pass_s(1.0)
            assert bench.arrived(Draws.PLACE) + bench.arrived(Draws.MOVE) == placed
            assert await ended(engine) in (0, ExitCode.REFUSED)
        assert bench.ours() == []


async def test_no_secret_in_anything_written(start: Start, home: Path, tmp_path: Path) -> None:
    """Not in a store, a log, a tape or a report, and not in the words of an error either."""
    wrong = "WRONGSECRETOFTHEBENCH"
    async with start(World()) as bench:
        async with quoting(bench, home, "--tape") as engine:
            assert await ended(engine) == 0
        refused = {
            variable: wrong if value in bench.secrets else value
            for variable, value in bench.environment.items()
        }
        looks = ("doctor", "--exchange", bench.kind, "--sim-url", bench.url)
        said = [
            await mmbot(bench, *looks),
            await mmbot(bench, *looks, "--debug", env=refused),
            await mmbot(bench, *to_quote(bench, "--debug"), env=refused),
            await mmbot(bench, "tape", "show"),
            await mmbot(bench, "cancel-all", "--json"),
        ]
        assert [done.code != 0 for done in said[1:3]] == [True, True], "the keys are wrong"
        secrets = [one.encode() for one in (*bench.secrets, wrong)]
        assert len(secrets) >= 3, "the secret, and tokens"
        words = "\n".join(done.out + done.err for done in said)
        places = [*written(tmp_path), (Path("said"), words.encode())]
        label = bench.labels[0].encode()
        assert {path.suffix for path, data in places if label in data} >= {".db", ".zst"}, (
            "what is written there can be read"
        )
        assert [path for path, data in places for one in secrets if one in data] == []


async def test_dry_run_asks_nothing_private(start: Start) -> None:
    async with start(World()) as bench:
        done = await mmbot(bench, *to_quote(bench, "--dry-run", "--json"))
        assert done.code == 0, done
        shown = done.json()
        assert sorted(one["name"] for one in shown["instruments"]) == sorted(bench.instruments)
        assert len(shown["quotes"]) + len(shown["not_quoted"]) == 4
        assert len(bench.asked) > 0
        assert [one for one in bench.asked if one.private] == []
        assert bench.logins == 0
        assert bench.orders() == []


async def test_foreign_orders_kept(start: Start) -> None:
    """A person's orders on our account are seen, and outlive everything the engine does: quoting,
    pausing, the kill switch and leaving; a broken line too, unless the venue's dead-man takes
    everything of the wallet, as its capabilities say then."""
    async with start(World(scale=2.0)) as bench:
        first, second = bench.instruments
        hers = [bench.place_by_hand(first, Side.BUY, bench.amount, bench.lowest(first))]
        async with desk_on(bench) as desk:
            await desk.quotes()
            hers.append(bench.place_by_hand(second, Side.BUY, bench.amount, bench.lowest(second)))
            await bench.until(lambda: set(hers) <= desk.account.foreign.keys(), "both are seen")
            desk.tell(ev.Pause(Why.PAUSED))
            await bench.until(lambda: not bench.ours(), "paused")
            desk.tell(ev.Unpause())
            await desk.quotes()
            bench.sever()
            await bench.until(lambda: not desk.account.trading_up, "down")
            await desk.quotes()
            if bench.capabilities.dead_man is DeadMan.WALLET:
                assert {one.order_id for one in bench.orders()}.isdisjoint(hers)
                prices = (bench.lowest(first), bench.lowest(second))
                hers = [
                    bench.place_by_hand(name, Side.BUY, bench.amount, price)
                    for name, price in zip(bench.instruments, prices, strict=True)
                ]
            assert {one.order_id for one in bench.orders()} >= set(hers)
            desk.tell(ev.Trip(Why.USER, "a test"))
            await bench.until(lambda: not bench.ours(), "tripped")
            assert await desk.engine.runner.stop(Why.USER) == {bench.name: []}
            if bench.capabilities.dead_man is DeadMan.WALLET:
                await bench.until(lambda: bench.orders() == [], "gone along with our connection")
            else:
                assert sorted(one.order_id for one in bench.orders()) == sorted(hers)
