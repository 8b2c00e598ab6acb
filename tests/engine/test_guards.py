"""Every trigger of the kill switch, wired into the running engine: real client, store and wire.

A limit is set where the test can break it, something happens at the venue, and then: the latch is
tripped and on the disk, nothing of ours is left at the venue two seconds later, by the venue's own
stamps, and that is in the audit trail.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mmbot.assemble import assemble
from mmbot.clock import Clock
from mmbot.config import Mode, load_config
from mmbot.core.intents import FallbackCancel, Place
from mmbot.core.profit import Profit
from mmbot.core.types import Quote
from mmbot.core.views import GuardVerdict, Ok, RiskSnapshot, View
from mmbot.core.why import Why
from mmbot.plugins.registry import Family, register
from mmbot.sim.exchange.listing import Side
from mmbot.sim.exchange.orders import OrderType
from mmbot.sim.exchange.requests import NewOrder, Placed
from mmbot.sim.wire.rules import Rules
from mmbot.sim.wire.server import SimVenue, VenueOptions
from mmbot.store.latch import rearm
from mmbot.store.locations import locate
from mmbot.store.queries import AuditRow, Reader
from mmbot.store.records import AccountKey
from tests.engine.line import Line
from tests.engine.live import CALL, FLAGS, Live, live, until
from tests.engine.test_crash import START_S, ours_at_venue, start

QUIET = VenueOptions(flow_scale=0.0)
DEAF = VenueOptions(flow_scale=0.0, rules=Rules(ignore_cancel_on_disconnect=True))
"""A venue that leaves our orders where they are when the connection breaks."""

GONE_WITHIN_MS = 2000
OTHER_REJECT = 11030


@register(Family.GUARD, "told")
@dataclass(frozen=True, slots=True)
class Told:
    """Says what the test told it to."""

    def watch(self, reading: RiskSnapshot) -> GuardVerdict:
        return TOLD.pop() if TOLD else Ok()


@register(Family.STRATEGY, "breaks")
@dataclass(frozen=True, slots=True)
class Breaks:
    """Quotes like any other, until told to break."""

    max_position: Decimal = Decimal(10)

    def quotes(self, view: View) -> list[Quote]:
        if BROKEN:
            raise ZeroDivisionError("in a test")
        return []


TOLD: list[GuardVerdict] = []
BROKEN: list[bool] = []


@pytest.fixture(autouse=True)
def nobody_was_told_anything() -> None:
    TOLD.clear()
    BROKEN.clear()


def trail(kind: str = "tripped") -> list[AuditRow]:
    return [row for row in Reader(locate(Mode.SIM, os.environ)).audit() if row.kind == kind]


@asynccontextmanager
async def guarded(
    home: Path,
    text: str = "",
    options: VenueOptions = QUIET,
    orders: int = 8,
    **more: Any,
) -> AsyncIterator[Live]:
    """An engine that quotes, with these guards."""
    config = home.parent / "desk.toml"
    config.write_text(text)
    async with live(options, config=config, **more) as bot:
        await until(lambda: len(bot.at_venue()) >= orders, f"{orders} orders resting")
        yield bot


async def down(bot: Live, why: Why, *, path: str = "first path", within_ms: int = 5000) -> str:
    """The kill switch goes down for that reason, everything of ours goes, and the store knows how
    fast; returns the detail."""
    await until(lambda: bot.state.latch.tripped is not None, "tripped")
    assert bot.state.latch.tripped is why, bot.state.latch
    await until(lambda: bot.state.flat_verified, "proved that nothing is left")
    assert bot.at_venue() == {}
    await until(lambda: bool(trail()), "the trail")
    (entry,) = trail()
    assert entry.body["why"] == why.value
    assert entry.body["proved_over"] == path
    assert entry.body["proved_after_ms"] <= within_ms
    took_ms = entry.body["last_order_ended_after_ms"]
    if path == "first path" and entry.body["orders"]:
        assert took_ms <= GONE_WITHIN_MS
    kept = Reader(locate(Mode.SIM, os.environ)).latch(bot.engine.members[0].account_key)
    assert kept is not None
    assert (kept.tripped, kept.why) == (True, why)
    placed = sum(isinstance(intent, Place) for intent in bot.intents)
    await asyncio.sleep(0.3)
    assert sum(isinstance(intent, Place) for intent in bot.intents) == placed
    assert not bot.ticking.done(), "the engine stays up"
    return bot.state.latch.detail


def trade_by_hand(bot: Live, amount: str, name: str = CALL) -> None:
    """Somebody buys on our account at the market, past every rule of ours."""
    wish = NewOrder(name=name, side=Side.BUY, amount=Decimal(amount), type=OrderType.MARKET)
    placed = bot.venue.exchange.place(bot.venue.account, wish, bot.venue.now_ms())
    assert isinstance(placed, Placed), placed
    bot.venue.publish()


# --- losses -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("guard", "why"),
    [
        ("session_loss", Why.SESSION_LOSS),
        ("day_loss", Why.DAY_LOSS),
        ("drawdown", Why.DRAWDOWN),
    ],
)
async def test_a_loss(guard: str, why: Why, home: Path) -> None:
    """Buying at the market costs the half spread and a fee of at least 0.0003 x 2,850 a contract:
    four of them lose more than 3 USD at once."""
    async with guarded(home, f"[guards.{guard}]\nlimit_usd = 3") as bot:
        bot.venue.freeze()
        trade_by_hand(bot, "4")
        assert "the limit is 3" in await down(bot, why)


@asynccontextmanager
async def next_run(venue: SimVenue) -> AsyncIterator[Profit]:
    """What a second run on the same account takes over."""
    engine = await assemble(load_config(FLAGS | {"--sim-url": venue.rest_url}), Clock())
    try:
        yield engine.runner.state.watch.profit
    finally:
        await engine.close(0)


async def test_a_loss_of_today_is_remembered_by_the_next_run(home: Path) -> None:
    async with guarded(home) as bot:
        bot.venue.freeze()
        trade_by_hand(bot, "4")
        profit, account_key = bot.state.watch.profit, bot.engine.members[0].account_key
        await until(lambda: profit.session_usd < -3, "the loss")

        def stored() -> bool:
            row = Reader(locate(Mode.SIM, os.environ)).baseline(
                account_key.venue, account_key.account
            )
            return row is not None and row.baseline.total_usd == profit.total_usd

        await until(stored, "the baseline in the store")
        await bot.engine.close(0)
        async with next_run(bot.venue) as resumed:
            assert resumed.day_usd == pytest.approx(profit.day_usd)
            assert resumed.drawdown_usd == pytest.approx(profit.drawdown_usd)
            assert resumed.session_usd == 0


async def test_a_person_who_re_arms_lets_the_count_begin_anew(home: Path) -> None:
    async with guarded(home, "[guards.day_loss]\nlimit_usd = 3") as bot:
        bot.venue.freeze()
        trade_by_hand(bot, "4")
        await down(bot, Why.DAY_LOSS)
        await bot.engine.close(4)
        location, clock = locate(Mode.SIM, os.environ), bot.engine.clock
        assert rearm(
            location, bot.engine.members[0].account_key, "looked at it", "a person", clock.wall_ns()
        )
        async with next_run(bot.venue) as begun:
            assert (begun.day_usd, begun.drawdown_usd) == (0, 0)


# --- the account ------------------------------------------------------------------------------


async def test_a_position_beyond_the_limit(home: Path) -> None:
    async with guarded(home, "[guards.position]\nlimit = 20") as bot:
        bot.venue.freeze()
        trade_by_hand(bot, "21")
        assert await down(bot, Why.POSITION) == f"+21 {CALL}, the limit is 20"


async def test_a_position_that_differs_from_our_fills(home: Path) -> None:
    async with guarded(home, "[guards.unreconciled]\nafter_s = 0.5") as bot:
        bot.venue.freeze()
        trade_by_hand(bot, "1")
        await until(lambda: len(bot.state.inventory.booked) == 1, "the fill is booked")
        position = next(p for p in bot.state.inventory.positions.values() if p.amount)
        position.amount += 2  # our books are wrong from here on
        bot.venue.sever()
        assert await down(bot, Why.UNRECONCILED) == f"{CALL}: venue says 1.0, fills say 3.0"


async def test_too_little_margin(home: Path) -> None:
    async with guarded(home, "[guards.margin]\nlimit_pct = 0.0001") as bot:
        bot.venue.freeze()
        wish = NewOrder(name=CALL, side=Side.SELL, amount=Decimal(5), type=OrderType.MARKET)
        assert isinstance(
            bot.venue.exchange.place(bot.venue.account, wish, bot.venue.now_ms()), Placed
        )
        bot.venue.publish()
        bot.venue.sever()
        assert "maintenance margin is" in await down(bot, Why.MARGIN)


async def test_an_account_without_funds_waits_and_trips_nothing(home: Path) -> None:
    broke = VenueOptions(flow_scale=0.0, balances={"ETH": Decimal("0.0001")})
    async with guarded(home, "", broke, orders=0) as bot:
        slots = bot.state.slots
        await until(lambda: len(slots) == 8 and all(m.short for m in slots.values()), "all short")
        await until(lambda: any(m.short > 1 for m in slots.values()), "tried again", 20.0)
        assert bot.state.latch.tripped is None
        assert bot.state.watch.requests.count(bot.state.last_turn_ns)[1] == len(slots)


async def test_a_venue_that_refuses_nearly_everything(home: Path) -> None:
    async with guarded(home, "", orders=0) as bot:
        for method in ("private/buy", "private/sell", "private/edit"):
            bot.venue.answer(method, OTHER_REJECT, 1_000)
        detail = await down(bot, Why.REJECTS)
        assert detail.endswith("requests refused in the last minute")


# --- the surroundings -------------------------------------------------------------------------


async def test_clocks_that_disagree(home: Path) -> None:
    async with guarded(home, "[guards.clock_skew]\nlimit_s = 0.5") as bot:
        clock = bot.engine.clock
        clock.set_to_ms(clock.now_ms() + 1500)
        assert "set this machine's clock" in await down(bot, Why.CLOCK_SKEW)


async def test_a_desk_gone_blind_takes_its_orders_back_over_rest(home: Path) -> None:
    line = Line()
    async with guarded(home, "[guards.stale_data]\nafter_s = 1.5", DEAF, line=line) as bot:
        line.cut()
        await down(bot, Why.STALE_DATA, path="second path")
        assert any(isinstance(intent, FallbackCancel) for intent in bot.intents)


async def test_a_deaf_websocket_is_gone_round_within_two_seconds(home: Path) -> None:
    line = Line()
    async with guarded(home, "[guards.told]", DEAF, line=line) as bot:
        line.deafen()
        TOLD.append(Ok(float("nan")))
        await until(lambda: bot.state.latch.tripped is not None, "tripped")
        tripped_ms = bot.venue.now_ms()
        await until(lambda: bot.at_venue() == {}, "nothing of ours at the venue")
        assert bot.venue.now_ms() - tripped_ms <= GONE_WITHIN_MS
        assert bot.state.latch.tripped is Why.GUARD_FAILED


# --- failing closed ---------------------------------------------------------------------------


async def test_a_guard_that_says_no_number(home: Path) -> None:
    async with guarded(home, "[guards.told]") as bot:
        TOLD.append(Ok(float("nan")))
        assert await down(bot, Why.GUARD_FAILED) == "Told: not a number"


async def test_a_guard_that_fails(home: Path) -> None:
    async with guarded(home, "[guards.told]") as bot:
        TOLD.append(None)  # type: ignore[arg-type]  # no verdict at all
        assert "AttributeError" in await down(bot, Why.GUARD_FAILED)


async def test_a_market_that_is_worth_no_number(home: Path) -> None:
    async with guarded(home) as bot:
        bot.venue.freeze()
        trade_by_hand(bot, "1")
        await until(lambda: len(bot.state.inventory.booked) == 1, "the fill is booked")
        for market in bot.state.markets.values():
            market.mark = float("nan")
        await down(bot, Why.GUARD_FAILED)


async def test_an_exception_in_a_turn(home: Path) -> None:
    async with guarded(home, orders=0, strategy="breaks") as bot:
        await until(lambda: bot.state.accounts["deribit"].reconciled, "reconciled")
        BROKEN.append(True)
        await until(lambda: bot.state.latch.tripped is not None, "tripped")
        assert bot.state.latch.tripped is Why.INTERNAL_ERROR
        assert bot.state.latch.detail == "ZeroDivisionError: in a test"


async def test_guards_that_are_not_asked_any_more(home: Path) -> None:
    async with guarded(home, "", VenueOptions(flow_scale=5.0)) as bot:
        bot.ticking.cancel()
        await until(lambda: bot.state.latch.tripped is not None, "tripped")
        assert bot.state.latch.tripped is Why.GUARD_MISSED
        await until(lambda: bot.at_venue() == {}, "nothing of ours at the venue")


# --- from outside -----------------------------------------------------------------------------


async def test_a_stop_file(home: Path) -> None:
    async with guarded(home) as bot:
        (home / "sim.stop").touch()
        assert await down(bot, Why.STOP_FILE) == str(home / "sim.stop")


async def test_a_stop_file_of_ones_own(home: Path) -> None:
    file = home.parent / "halt"
    async with guarded(home, f'[desk]\nstop_file = "{file}"') as bot:
        file.touch()
        assert await down(bot, Why.STOP_FILE) == str(file)


async def test_a_signal_and_then_ctrl_c(home: Path) -> None:
    async with SimVenue(QUIET) as venue:
        engine = await start(venue, home)
        await until(lambda: len(ours_at_venue(venue)) == 8, "eight orders", START_S)
        engine.send_signal(signal.SIGUSR1)
        await until(lambda: ours_at_venue(venue) == {}, "nothing of ours at the venue", 2.0)
        await until(lambda: bool(trail()), "the trail")
        assert engine.returncode is None, "it stays up"
        engine.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(engine.wait(), START_S) == 4
        said = (home.parent / "log").read_text()
        assert "KILL SWITCH: signal: SIGUSR1" in said
        assert said.rstrip().endswith(
            "mmbot: the kill switch was tripped (signal: SIGUSR1): look at the account, then "
            '`mmbot resume --reason "what was done about it"`'
        )
        (run,) = Reader(locate(Mode.SIM, os.environ)).runs()
        assert run.exit_code == 4
        assert run.account_key == AccountKey(Mode.SIM, "deribit", venue.account)


@pytest.fixture
def stop_file(home: Path) -> Path:
    home.mkdir()
    file = home / "sim.stop"
    file.touch()
    return file


async def test_nothing_starts_while_the_stop_file_is_there(home: Path, stop_file: Path) -> None:
    async with SimVenue(QUIET) as venue:
        engine = await start(venue, home)
        assert await asyncio.wait_for(engine.wait(), START_S) == 4
        assert f"mmbot: {stop_file} is there" in (home.parent / "log").read_text()
