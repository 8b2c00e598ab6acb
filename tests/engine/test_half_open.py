"""A connection that looks alive and carries nothing: both ends up, everything swallowed.

Quotes must go within the stale limit (3 s), by whichever way still works; nothing may be added by a
bot that cannot see what becomes of it; and all of it comes back by itself.
"""

from mmbot.sim.wire.rules import Rules
from mmbot.sim.wire.server import VenueOptions
from tests.engine.live import Live, live, until
from tests.engine.relay import Kind, Relay
from tests.engine.test_live import QUIET, quoted

DEAF = VenueOptions(flow_scale=0.0, rules=Rules(ignore_cancel_on_disconnect=True))
"""A venue that leaves our orders where they are when the connection breaks."""

STALE_MS = 3_000
SLACK_MS = 1_500
"""Ticks, round trips, and a machine that has other things to do, at the clock's pace."""
SCALE = 3.0


async def gone_within(bot: Live, since_ms: int, limit_ms: int) -> None:
    """No order of ours is left at the venue, by the venue's clock, that soon after a moment."""
    await until(lambda: not bot.at_venue(), "nothing of ours at the venue")
    took_ms = bot.venue.now_ms() - since_ms
    assert took_ms <= limit_ms, f"{took_ms} ms"


async def test_market_data_that_stops_takes_the_quotes_with_it() -> None:
    relay = Relay()
    async with live(QUIET, line=relay, scale=SCALE) as bot:
        await quoted(bot)
        relay.deafen(Kind.MARKET)
        await gone_within(bot, bot.venue.now_ms(), STALE_MS + SLACK_MS)
        assert bot.state.accounts["deribit"].trading_up, "cancelled over the link that works"
        relay.hear()
        await quoted(bot)


async def test_a_dead_trading_link_is_gone_round() -> None:
    """The cut of our end does not reach the venue, so its cancel-on-disconnect does not help."""
    relay = Relay()
    async with live(QUIET, line=relay, scale=SCALE) as bot:
        await quoted(bot)
        relay.deafen(Kind.TRADING)
        await gone_within(bot, bot.venue.now_ms(), STALE_MS + 1_000 + SLACK_MS)
        relay.hear()
        await quoted(bot)


async def test_both_links_dead_at_once() -> None:
    relay = Relay()
    async with live(DEAF, line=relay, scale=SCALE) as bot:
        await quoted(bot)
        relay.deafen(Kind.MARKET, Kind.TRADING)
        await gone_within(bot, bot.venue.now_ms(), STALE_MS + 1_000 + SLACK_MS)
        relay.hear()
        await quoted(bot)
