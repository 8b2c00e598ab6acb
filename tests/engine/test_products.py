"""Every product of the venue through the engine: what we say we earned is what the venue paid."""

import asyncio
from decimal import Decimal

import pytest

from mmbot.core.events import Link
from mmbot.core.types import SECOND, ZERO
from mmbot.core.why import Why
from mmbot.sim.exchange.listing import Side
from mmbot.sim.exchange.orders import OrderType
from mmbot.sim.exchange.requests import NewOrder, Placed
from mmbot.sim.wire.server import VenueOptions
from tests.engine.live import Live, connection_of, live, until

BEFORE_EXPIRY_MS = 1_749_196_790_000  # 2025-06-06T07:59:50Z
RESIDUAL = Decimal("1e-9")


def trade_with_us(bot: Live, side: Side, amount: str, name: str) -> None:
    """Everybody else steps aside, and somebody trades with our order."""
    for account in [a for a in bot.venue.exchange.accounts if a.startswith("maker-")]:
        bot.venue.exchange.cancel_all(account, bot.venue.now_ms(), name=name)
    if "taker" not in bot.venue.exchange.accounts:
        rich = dict.fromkeys(("BTC", "ETH", "USDC"), Decimal(10**7))
        bot.venue.exchange.open_account("taker", rich, followed=False)
    wish = NewOrder(name=name, side=side, amount=Decimal(amount), type=OrderType.MARKET)
    placed = bot.venue.exchange.place("taker", wish, bot.venue.now_ms())
    assert isinstance(placed, Placed), placed
    bot.venue.publish()


def residual(bot: Live, currency: str, before: Decimal) -> Decimal:
    """Our profit in one currency, less the venue's change of equity, at the venue's own marks."""
    ours = Decimal(0)
    for market in bot.state.markets.values():
        instrument = market.instrument
        if instrument.settlement == currency:
            mark = bot.venue.exchange.book(instrument.name).mark
            ours += bot.state.inventory.session(instrument, mark).total
    gone = bot.state.retired.totals.items()
    ours += sum((t.pnl.total for (*_, settlement, _), t in gone if settlement == currency), ZERO)
    return ours - (bot.venue.exchange.equity(bot.venue.account, currency) - before)


async def held(bot: Live, *names: str) -> None:
    """Wait until we hold something of each."""

    def all_held() -> bool:
        markets = {m.instrument.name: m.instrument for m in bot.state.markets.values()}
        return all(bot.state.inventory.of(markets[name]).amount for name in names)

    await until(all_held, f"positions in {names}")


async def looked(bot: Live) -> None:
    """Have the engine look at the venue now, and wait until it has."""
    account = bot.state.accounts["deribit"]
    asked_ns = bot.engine.clock.now_ns()
    account.resync_ns, account.flows_ns = 1, max(0, account.flows_ns - 600 * SECOND)
    await until(lambda: account.last_snapshot_ns >= asked_ns, "a snapshot")


@pytest.mark.parametrize(
    ("name", "currency", "size"),
    [
        ("ETH-PERPETUAL", "ETH", "500"),
        ("BTC-PERPETUAL", "BTC", "500"),
        ("ETH_USDC-PERPETUAL", "USDC", "2"),
        ("BTC-27JUN25", "BTC", "500"),
        ("ETH-27JUN25-2800-C", "ETH", "2"),
        ("ETH_USDC-6JUN25-2800-C", "USDC", "2"),
    ],
)
async def test_profit_is_the_venues_change_of_equity(name: str, currency: str, size: str) -> None:
    quiet = VenueOptions(flow_scale=0.0)
    async with live(quiet, desk={}, symbols=name, size=size, max_position="2000") as bot:
        before = bot.venue.exchange.equity(bot.venue.account, currency)
        await until(lambda: len(bot.at_venue()) == 2, "a bid and an ask")
        for side in (Side.SELL, Side.SELL, Side.BUY):
            await asyncio.sleep(0.3)
            trade_with_us(bot, side, size, name)
        await held(bot, name)
        await asyncio.sleep(0.5)  # the mark moves while we hold it
        bot.venue.freeze()
        await looked(bot)
        assert abs(residual(bot, currency, before)) < RESIDUAL
        assert await bot.engine.runner.stop(Why.USER) == {"deribit": []}


@pytest.mark.parametrize(
    ("names", "currency", "size"),
    [
        (("ETH-6JUN25-2825-C", "ETH-6JUN25-2875-C", "ETH-6JUN25-2875-P"), "ETH", "2"),
        (("ETH_USDC-6JUN25-2800-C",), "USDC", "2"),
        (("ETH-6JUN25",), "ETH", "500"),
    ],
)
async def test_an_expiry_settles_every_position(
    names: tuple[str, ...], currency: str, size: str
) -> None:
    options = VenueOptions(flow_scale=0.0, start_ms=BEFORE_EXPIRY_MS)
    listed = ",".join(names)
    async with live(options, desk={}, symbols=listed, size=size, max_position="2000") as bot:
        before = bot.venue.exchange.equity(bot.venue.account, currency)
        await until(lambda: len(bot.at_venue()) >= len(names), "quotes")
        quoted = {
            order.name: order.side
            for order in bot.venue.exchange.accounts[bot.venue.account].open_orders.values()
        }
        for name, side in quoted.items():
            trade_with_us(bot, Side.SELL if side is Side.BUY else Side.BUY, size, name)
        await held(bot, *quoted)
        positions = [bot.state.inventory.of(m.instrument) for m in bot.state.markets.values()]
        await until(lambda: all(p.amount == 0 for p in positions), "all delivered", 30.0)
        assert all(Why.EXPIRED in m.why.values() for m in bot.state.markets.values())
        assert all(not m.halted for m in bot.state.markets.values())
        assert abs(residual(bot, currency, before)) < RESIDUAL


async def test_what_expired_leaves_engine_and_line_and_equity_is_explained_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mmbot.core.retire.SETTLED_NS", 0)
    gone, stays = "ETH-6JUN25-2825-C", "ETH-PERPETUAL"
    options = VenueOptions(flow_scale=0.0, start_ms=BEFORE_EXPIRY_MS)
    listed = f"{gone},{stays}"
    async with live(options, desk={}, symbols=listed, size="2", max_position="2000") as bot:
        account = bot.venue.exchange.accounts[bot.venue.account]
        before = bot.venue.exchange.equity(bot.venue.account, "ETH")
        channels = connection_of(bot.engine).links[Link.MARKET].channels

        def quoted() -> list[Side]:
            return [order.side for order in account.open_orders.values() if order.name == gone]

        await until(lambda: bool(quoted()), "a quote")
        assert any(gone in channel for channel in channels)
        trade_with_us(bot, Side.SELL if quoted()[0] is Side.BUY else Side.BUY, "2", gone)
        await held(bot, gone)
        await until(lambda: len(bot.state.markets) == 1, "the option has left", 30.0)
        await until(lambda: not any(gone in one for one in channels), "its channels")
        assert any(stays in channel for channel in channels)
        assert [one.name for one in bot.engine.instruments] == [stays]
        assert [row.instrument for row in bot.engine.frame().rows] == [stays]
        (settled,) = bot.engine.frame().settled
        assert (settled.instruments, settled.fills) == (1, 1)
        bot.venue.freeze()
        await looked(bot)
        assert abs(residual(bot, "ETH", before)) < RESIDUAL
