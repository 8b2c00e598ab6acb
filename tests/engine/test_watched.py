"""A desk on the loopback venue that watches the rest of its expiry, and what is listed later."""

from collections.abc import Callable
from decimal import Decimal

from mmbot.core.intents import Place
from mmbot.core.types import InstrumentId, Kind, instrument_name
from mmbot.sim.exchange.listing import Right
from mmbot.sim.market import chain
from tests.engine.live import Live, live, until

NEW = "ETH-6JUN25-2777-C"
TRADED = {f"ETH-6JUN25-{strike}-{right}" for strike in (2800, 2900) for right in "CP"}


def known(bot: Live) -> Callable[[], bool]:
    """Whether something is known of everything that is watched."""

    def told() -> bool:
        watched = bot.state.watched.values()
        options = [one for one in watched if one.instrument.kind is Kind.OPTION]
        others = [one for one in watched if one.instrument.kind is not Kind.OPTION]
        priced = all(one.mark is not None and one.best_ask is not None for one in options)
        return priced and all(one.bids and one.asks and one.mark for one in others)

    return told


async def test_the_rest_of_the_expiry_is_seen_and_never_quoted() -> None:
    async with live() as bot:
        await bot.engine.connect()
        await until(known(bot), "everything that is watched is known")
        names = {instrument_name(one) for one in bot.state.watched}
        listed = bot.venue.exchange.listings
        expected = {n for n in listed if n.startswith("ETH-6JUN25")} | {"ETH-PERPETUAL"}
        assert names == expected - TRADED
        assert len(names) > 30
        await until(lambda: len(bot.at_venue()) >= 8, "both sides of everything traded")
        placed = {instrument_name(one.instrument) for one in bot.intents if isinstance(one, Place)}
        assert placed == TRADED
        [desk] = bot.engine.frame().desks
        assert (desk.instruments, desk.watched) == (4, len(names))
        crowds = set(bot.venue.market.watched)  # type: ignore[attr-defined] # the seeded market
        assert crowds == TRADED | {n for n in names if n in ("ETH-PERPETUAL", "ETH-6JUN25")}


async def test_what_is_listed_while_it_runs_is_watched_too() -> None:
    async with live() as bot:
        await bot.engine.connect()
        calendar = chain.expiries(bot.venue.now_ms())
        expiry = next(one for one in calendar if one.code == "6JUN25")
        terms = (chain.FAMILIES["ETH"], expiry, Decimal(2777), Right.CALL, bot.venue.now_ms())
        bot.venue.exchange.list(chain.option(*terms), bot.venue.now_ms())
        new = InstrumentId(f"deribit:{NEW}")
        await until(lambda: new in bot.state.watched, "the new strike is watched")
        await until(lambda: bot.state.watched[new].best_ask is not None, "and priced")
        assert new not in bot.state.markets
        assert NEW in {one.name for one in bot.engine.desks[0].watched}


async def test_a_desk_that_watches_nothing_hears_of_nothing_else() -> None:
    async with live(watch="desk") as bot:
        await bot.engine.connect()
        await until(lambda: len(bot.at_venue()) >= 8, "both sides of everything traded")
        assert bot.state.watched == {}
        heard = {getattr(one, "instrument", None) for one in bot.events}
        assert {instrument_name(one) for one in heard if one is not None} <= TRADED


async def test_a_perpetual_may_have_an_option_watched_by_its_name() -> None:
    desk = {"--symbols": "ETH-PERPETUAL", "--watch": "ETH-27JUN25-2800-C,BTC-PERPETUAL"}
    async with live(desk=desk) as bot:
        await bot.engine.connect()
        await until(known(bot), "everything that is watched is known")
        names = [instrument_name(one) for one in bot.state.watched]
        assert names == ["ETH-27JUN25-2800-C", "BTC-PERPETUAL"]
