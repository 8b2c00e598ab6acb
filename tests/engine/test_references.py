"""What the engine publishes of reference prices."""

from mmbot.core import events as ev
from mmbot.core.types import MS, SECOND
from mmbot.engine.report import status_frame
from mmbot.engine.status import ReferenceRow
from tests.core.bot import VENUE, Bot


def test_a_row_lists_the_references_of_its_underlying_with_both_ages() -> None:
    bot = Bot.quoting()
    now_ns = bot.now_ns
    (row,) = status_frame(bot.state, "sim", VENUE, now_ns).rows
    assert row.references == ()
    bot.turn(
        ev.ReferenceChanged("binance", "ETH", 2850.5, None, now_ns),
        ev.ReferenceChanged("coinbase", "ETH", 2851.0, now_ns // MS - 500, now_ns),
        ev.ReferenceChanged("binance", "BTC", 104_000.0, None, now_ns),
    )
    (row,) = status_frame(bot.state, "sim", VENUE, now_ns + 2 * SECOND).rows
    assert row.references == (
        ReferenceRow(source="binance", price=2850.5, age_s=2.0, source_age_s=None),
        ReferenceRow(source="coinbase", price=2851.0, age_s=2.0, source_age_s=2.5),
    )
