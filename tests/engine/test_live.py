"""What the engine does on the wire: quotes, gets filled, loses its line, and leaves nothing."""

import asyncio
from decimal import Decimal

from mmbot.core import events as ev
from mmbot.core.intents import Place
from mmbot.core.order_life import Status
from mmbot.core.why import Why
from mmbot.sim.exchange.listing import Side
from mmbot.sim.exchange.orders import OrderType
from mmbot.sim.exchange.requests import NewOrder, Placed
from mmbot.sim.wire.rules import Rules
from mmbot.sim.wire.server import VenueOptions
from tests.engine.live import CALL, Live, live, until

QUIET = VenueOptions(flow_scale=0.0)


async def quoted(bot: Live, orders: int = 8) -> None:
    """Wait until every side of every instrument rests at the venue."""
    await until(lambda: len(bot.at_venue()) >= orders, f"{orders} orders resting")
    await agreed(bot)


async def agreed(bot: Live) -> None:
    """Wait until the engine's table and the venue say the same, with nothing in flight."""

    def same() -> bool:
        settled = all(o.status is Status.LIVE for o in bot.state.orders.all())
        return settled and bot.in_table() == bot.at_venue()

    await until(same, "table and venue agree")


def hit(bot: Live, side: Side, amount: str, name: str = CALL) -> None:
    """Another account trades through the best price on that side."""
    if "taker" not in bot.venue.exchange.accounts:
        bot.venue.exchange.open_account("taker", {"ETH": Decimal(1000)})
    wish = NewOrder(name=name, side=side, amount=Decimal(amount), type=OrderType.MARKET)
    placed = bot.venue.exchange.place("taker", wish, bot.venue.now_ms())
    assert isinstance(placed, Placed), placed
    bot.venue.publish()


async def test_four_instruments_are_quoted_on_both_sides() -> None:
    async with live(QUIET) as bot:
        await quoted(bot)
        sides = sorted(side for side, _, _ in bot.at_venue().values())
        assert sides == ["buy"] * 4 + ["sell"] * 4


async def test_a_fill_moves_the_position_and_is_booked_once() -> None:
    async with live(QUIET) as bot:
        await quoted(bot)
        bot.venue.freeze()
        hit(bot, Side.SELL, "50")
        market = next(m for m in bot.state.markets.values() if m.instrument.name == CALL)
        position = bot.state.inventory.of(market.instrument)
        await until(lambda: position.amount == 1, "the fill is booked")
        await until(lambda: bot.state.accounts["deribit"].last_snapshot_ns > 0, "a snapshot")
        assert sorted(bot.state.inventory.booked) == sorted(bot.trades_at_venue())


async def test_stopping_cancels_everything_and_proves_it() -> None:
    async with live(QUIET) as bot:
        await quoted(bot)
        left = await bot.engine.runner.stop(Why.USER)
        assert left == {"deribit": []}
        assert bot.at_venue() == {}
        assert bot.state.flat_verified


async def test_nothing_is_placed_after_the_stop() -> None:
    async with live(VenueOptions(flow_scale=20.0)) as bot:
        await quoted(bot, 6)
        stopping = asyncio.ensure_future(bot.engine.runner.stop(Why.USER))
        await until(lambda: any(isinstance(e, ev.Stop) for e in bot.events), "the stop is seen")
        sent = len([i for i in bot.intents if isinstance(i, Place)])
        assert await stopping == {"deribit": []}
        bot.engine.runner.flush()
        assert len([i for i in bot.intents if isinstance(i, Place)]) == sent
        assert bot.at_venue() == {}


async def test_a_lost_answer_to_a_place_leaves_exactly_one_order() -> None:
    async with live(QUIET) as bot:
        bot.venue.drop_reply("private/buy", 4)
        await quoted(bot)
        bids = [order for order in bot.at_venue().values() if order[0] == "buy"]
        assert len(bids) == 4


async def test_a_severed_line_reconciles_before_quoting_again() -> None:
    async with live(QUIET) as bot:
        await quoted(bot)
        bot.venue.sever()
        await until(lambda: not bot.state.accounts["deribit"].trading_up, "the line is down")
        await until(lambda: bot.state.accounts["deribit"].reconciled, "reconciled again")
        await quoted(bot)


async def test_fills_while_the_line_is_down_are_booked_once() -> None:
    deaf = VenueOptions(flow_scale=0.0, rules=Rules(ignore_cancel_on_disconnect=True))
    async with live(deaf) as bot:
        await quoted(bot)
        bot.venue.freeze()
        bot.venue.sever()
        hit(bot, Side.SELL, "50")
        await until(lambda: bot.state.accounts["deribit"].reconciled, "reconciled again")
        await until(
            lambda: sorted(bot.state.inventory.booked) == sorted(bot.trades_at_venue()),
            "every trade booked",
        )
        assert bot.trades_at_venue(), "the order survived the line and was filled"
        assert all(not m.halted for m in bot.state.markets.values())


async def test_silence_on_a_living_connection_pulls_the_quotes() -> None:
    async with live(QUIET) as bot:
        await quoted(bot)
        heard = bot.state.accounts["deribit"].alive_ns
        bot.venue.silence()
        pulled = {Why.BOOK_STALE, Why.LINK_DOWN}  # whichever of both links is found silent first
        await until(
            lambda: all(pulled & {*m.why.values()} for m in bot.state.markets.values()),
            "stale books are not quoted",
        )
        silent_ns = bot.engine.clock.now_ns() - heard
        assert silent_ns < 4.5e9, "stale_after is 3 s; the last probe may be 1 s old"
        bot.venue.speak()
        await quoted(bot)


async def test_foreign_orders_are_seen_and_left_alone() -> None:
    async with live(QUIET) as bot:
        await quoted(bot)
        wish = NewOrder(
            name=CALL, side=Side.BUY, amount=Decimal(3), price=Decimal("0.001"), label="by hand"
        )
        bot.venue.exchange.place(bot.venue.account, wish, bot.venue.now_ms())
        bot.venue.publish()
        await until(lambda: bool(bot.state.accounts["deribit"].foreign), "the order is listed")
        assert await bot.engine.runner.stop(Why.USER) == {"deribit": []}
        rest = bot.venue.exchange.accounts[bot.venue.account].open_orders.values()
        assert [order.label for order in rest] == ["by hand"]
