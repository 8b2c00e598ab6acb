"""Three settlement currencies at once, on a venue that counts every pool of requests."""

import pytest

from mmbot.core import events as ev
from mmbot.sim.wire.server import VenueOptions
from tests.engine.live import live, until

NAMES = ("ETH-PERPETUAL", "BTC-PERPETUAL", "SOL_USDC-PERPETUAL")
DESK = {
    "--exchange": "deribit",
    "--symbols": ",".join(NAMES),
    "--size": "100",
    "--max-position": "100000",
    "--max-exposure": "1000000",
}


@pytest.mark.parametrize("lasts_s", [20, pytest.param(300, marks=pytest.mark.long)])
async def test_all_are_quoted_within_ten_seconds_and_no_pool_runs_dry(lasts_s: int) -> None:
    async with live(VenueOptions(), DESK) as bot:
        venue, began_ms = bot.venue, bot.venue.now_ms()

        def quoted() -> int:
            orders = venue.exchange.accounts[venue.account].open_orders.values()
            return len({(order.name, order.side) for order in orders})

        await until(lambda: quoted() == 6, "both sides of all three", 60.0)
        assert venue.now_ms() - began_ms <= 10_000
        await until(lambda: venue.now_ms() - began_ms > lasts_s * 1000, "a while", 2.0 * lasts_s)
        ended = [e for e in bot.events if isinstance(e, ev.LinkChanged) and not e.up]
        refused = [
            e for e in bot.events if isinstance(e, ev.RequestRefused) and "10028" in e.detail
        ]
        assert (ended, refused) == ([], [])
        assert bot.state.latch.tripped is None
