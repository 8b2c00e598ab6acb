"""A simulated venue whose rules say that trades are only matched at first."""

import pytest

from mmbot.core.statements import Finality
from mmbot.sim.exchange.listing import Side
from mmbot.sim.wire.rules import Rules
from mmbot.venues.deribit.parse import fill_of
from mmbot.venues.reading import Unread
from tests.wire.venue import OPTION, connected, rest, scripted_venue

FEED = "user.trades.any.any.raw"


@pytest.mark.parametrize(
    ("fails", "status", "finality"),
    [(0.0, "CONFIRMED", Finality.FINAL), (1.0, "FAILED", Finality.VOIDED)],
)
async def test_a_trade_is_told_as_matched_and_again_with_its_end(
    fails: float, status: str, finality: Finality, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmbot.sim.exchange.finality.FAILS", fails)
    rules = Rules(fills_final=False)
    async with scripted_venue(rules=rules) as venue, connected(venue) as client:
        await client.subscribe(FEED)
        rest(venue, Side.SELL, "1", "0.02")
        terms = {"instrument_name": OPTION, "amount": 1, "price": 0.02}
        answer = await client.ask("private/buy", **terms)
        (row,) = await client.push(FEED)
        assert row["status"] == answer["trades"][0]["status"] == "MATCHED"
        venue.exchange.conclude(venue.now_ms() + 60_000)
        venue.publish()
        (again,) = await client.push(FEED, 2)
        assert (again["trade_id"], again["status"]) == (row["trade_id"], status)
        history = await client.ask("private/get_user_trades_by_instrument", instrument_name=OPTION)
        assert [one["status"] for one in history["trades"]] == [status]
        fills = [fill_of("deribit", one, Unread()) for one in (row, again)]
        assert [fill.finality for fill in fills] == [Finality.PROVISIONAL, finality]
        assert fills[0].key == fills[1].key
        assert fills[1].stated_ms >= fills[0].venue_ms


async def test_deribits_own_trades_say_nothing_of_the_kind() -> None:
    async with scripted_venue() as venue, connected(venue) as client:
        await client.subscribe(FEED)
        rest(venue, Side.SELL, "1", "0.02")
        await client.ask("private/buy", instrument_name=OPTION, amount=1, price=0.02)
        (row,) = await client.push(FEED)
        assert "status" not in row
        assert fill_of("deribit", row, Unread()).finality is Finality.FINAL
