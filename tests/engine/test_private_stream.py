"""The stream of our own orders and fills: blind to it, nobody may go on as if nothing were."""

import json
from collections.abc import Sequence

from mmbot.core import events as ev
from mmbot.sim.exchange.listing import Side
from tests.engine.live import Live, live, until
from tests.engine.relay import Frame, Kind, Relay, Talk
from tests.engine.test_live import QUIET, hit, quoted

NO_NEW_RISK_AFTER_MS = 15_000


def trading_downs(bot: Live) -> list[ev.LinkChanged]:
    return [
        e
        for e in bot.events
        if isinstance(e, ev.LinkChanged) and e.link is ev.Link.TRADING and not e.up
    ]


async def test_a_stream_that_falls_silent_is_noticed_though_requests_are_answered() -> None:
    """As when the venue has lost a subscription: a new connection cures it."""
    relay = Relay()
    async with live(QUIET, line=relay, scale=5.0) as bot:
        await quoted(bot)
        bot.venue.freeze()
        blind = [talk for talk in relay.talks if talk.kind is Kind.TRADING]

        def swallow(talk: Talk, frame: Frame) -> Sequence[Frame]:
            return [] if talk in blind and frame.channel.startswith("user.") else [frame]

        relay.to_engine = swallow
        since_ms = bot.venue.now_ms()
        hit(bot, Side.SELL, "50")
        await until(lambda: bool(trading_downs(bot)), "the link is given up", 30.0)
        assert bot.venue.now_ms() - since_ms <= NO_NEW_RISK_AFTER_MS
        await until(lambda: bot.state.accounts["deribit"].reconciled, "reconciled again")
        await quoted(bot)
        assert sorted(bot.state.inventory.booked) == sorted(bot.trades_at_venue()) != []


async def test_a_quiet_account_is_no_reason_to_give_the_link_up() -> None:
    async with live(QUIET, scale=4.0) as bot:
        await quoted(bot)
        bot.venue.freeze()
        since_ms = bot.venue.now_ms()
        await until(lambda: bot.venue.now_ms() - since_ms > 12_000, "twice the patience")
        assert trading_downs(bot) == []


async def test_a_link_that_comes_back_without_the_stream_is_not_up() -> None:
    """The venue acknowledges a subscription by naming it; here it names nothing, three times."""
    relay = Relay()
    refused: list[Talk] = []

    def leave_out(talk: Talk, frame: Frame) -> Sequence[Frame]:
        if frame.answers != "private/subscribe" or len(refused) == 3:
            return [frame]
        refused.append(talk)
        body = {**frame.body, "result": []}
        return [Frame(json.dumps(body), body)]

    async with live(QUIET, line=relay, scale=5.0) as bot:
        await quoted(bot)
        relay.to_engine = leave_out
        bot.venue.sever()
        await until(lambda: len(refused) == 3, "three attempts")
        ups = [e for e in bot.events if isinstance(e, ev.LinkChanged) and e.link is ev.Link.TRADING]
        assert [e.up for e in ups] == [True, False]
        await quoted(bot)
