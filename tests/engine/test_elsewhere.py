"""A person trades by hand beside the running engine, on something that it does not quote."""

from decimal import Decimal

from mmbot.core.why import Why
from mmbot.sim.exchange.listing import Side
from mmbot.sim.exchange.requests import NewOrder, Placed
from mmbot.sim.wire.server import VenueOptions
from tests.engine.live import Live, live, until

PERPETUAL = "ETH-PERPETUAL"


def trade_by_hand(bot: Live, side: Side, usd: int) -> None:
    """On our account, with somebody who is willing."""
    bot.venue.market.watch(PERPETUAL)
    exchange, now_ms = bot.venue.exchange, bot.venue.now_ms()
    if "friend" not in exchange.accounts:
        exchange.open_account("friend", {"ETH": Decimal(10_000)}, followed=False)
    price = exchange.book(PERPETUAL).mark.quantize(Decimal(1))
    for account, its_side in (("friend", side.opposite), (bot.venue.account, side)):
        wish = NewOrder(name=PERPETUAL, side=its_side, amount=Decimal(usd), price=price)
        placed = exchange.place(account, wish, now_ms)
        assert isinstance(placed, Placed), placed
    bot.venue.publish()


async def test_a_hedge_by_hand_takes_the_room_of_the_quotes_and_gives_it_back() -> None:
    async with live(VenueOptions(flow_scale=0.0), max_exposure="10") as bot:
        await until(lambda: len(bot.at_venue()) == 8, "every side quoted")
        trade_by_hand(bot, Side.SELL, 50_000)  # some 17 coins
        await until(lambda: not bot.at_venue(), "no quote that would add to it")
        reasons = {why for market in bot.state.markets.values() for why in market.why.values()}
        assert reasons == {Why.MAX_EXPOSURE}
        trade_by_hand(bot, Side.BUY, 50_000)
        await until(lambda: len(bot.at_venue()) == 8, "every side quoted again")
