"""The real engine and client in a violent market, at a venue that counts every request."""

from collections import Counter

import orjson
import pytest

from mmbot.assemble import assemble
from mmbot.clock import Clock
from mmbot.config import load_config
from mmbot.core import events as ev
from mmbot.core.intents import Amend, Cancel, CancelAll, Place
from mmbot.core.types import SECOND
from mmbot.core.why import Why
from mmbot.sim.models.credits import Bucket
from mmbot.sim.wire.rules import Rules
from mmbot.sim.wire.server import SimVenue, VenueOptions
from mmbot.venues.wire import Wire
from tests.engine.live import Live, live, until

VIOLENT = VenueOptions(preset="crash", flow_scale=5.0)
ORDER_REQUESTS = (Place, Amend, Cancel, CancelAll)
STRIKES = {
    "--exchange": "deribit",
    "--expiry": "20250606",
    "--strikes": "2500,2600,2700,2750,2800,2850,2900,2950,3000,3100",
}


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """When (venue time) a request of whatever kind, on whatever way, met an empty bucket."""
    moments: list[int] = []
    take = Bucket.take

    def counted(self: Bucket, now_ms: int) -> bool:
        taken = take(self, now_ms)
        if not taken:
            moments.append(now_ms)
        return taken

    monkeypatch.setattr(Bucket, "take", counted)
    return moments


async def passes(bot: Live, seconds: float) -> None:
    """So much time, by the engine's clock."""
    clock = bot.engine.clock
    end_ns = clock.now_ns() + int(seconds * SECOND)
    await until(lambda: clock.now_ns() >= end_ns, "time passes")


async def survives(bot: Live, pauses: int, refused: list[int]) -> None:
    """Quoting with so many pauses of 0.3 s, one every 3 s; nothing is ever refused."""
    clock, sink = bot.engine.clock, bot.engine.runner.sink
    account = bot.state.account("deribit")
    began_ns = clock.now_ns()
    await until(lambda: len(bot.at_venue()) > 10, "quotes")
    for _ in range(pauses):
        sink(ev.Pause(Why.PAUSED))
        await until(lambda: not bot.at_venue(), "nothing rests")
        await passes(bot, 0.3)
        sink(ev.Unpause())
        await passes(bot, 2.7)
    seconds = (clock.now_ns() - began_ns) / SECOND
    sent = Counter(type(intent).__name__ for intent in bot.intents)
    print(f"{seconds:.1f} s: {dict(sent)}, deferred {account.budget.deferred}")
    assert refused == []
    assert account.budget.deferred > 0, "the budget was never short"
    assert sum(sent[kind.__name__] for kind in ORDER_REQUESTS) > 4 * seconds
    assert not [e for e in bot.events if isinstance(e, ev.LinkChanged) and not e.up]


async def test_seconds_of_violence_are_not_too_many_requests(refused: list[int]) -> None:
    async with live(VIOLENT, STRIKES, refresh="0.1") as bot:
        await survives(bot, 2, refused)


@pytest.mark.long
async def test_half_a_minute_of_violence_is_not_too_many_requests(refused: list[int]) -> None:
    async with live(VIOLENT, STRIKES, refresh="0.1") as bot:
        await survives(bot, 10, refused)


async def test_after_a_reconnect_what_the_venue_lists_is_not_asked_about_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: Counter[str] = Counter()
    write = Wire.write

    def counted(self: Wire, data: bytes) -> None:
        asked[orjson.loads(data)["method"]] += 1
        write(self, data)

    monkeypatch.setattr(Wire, "write", counted)
    survive = VenueOptions(flow_scale=0.0, rules=Rules(ignore_cancel_on_disconnect=True))
    async with live(survive, STRIKES) as bot:
        await until(lambda: len(bot.at_venue()) > 10, "quotes")
        before = asked["private/get_open_orders"]
        bot.venue.sever()
        await until(lambda: asked["private/get_open_orders"] > before, "a look at the venue")
        await until(lambda: bot.state.account("deribit").reconciled, "reconciled")
        await until(lambda: bot.in_table() == bot.at_venue(), "table and venue agree")
        assert asked["private/get_order_state_by_label"] <= 2, "those in flight when the line broke"


async def test_a_run_right_after_another_one_does_not_count_on_a_full_bucket() -> None:
    async with SimVenue(VenueOptions(flow_scale=0.0)) as venue:
        config = load_config(STRIKES | {"--sim-url": venue.rest_url})
        first = await assemble(config, Clock())
        assert first.runner.state.account("deribit").budget.level == 19
        await first.close(0)
        second = await assemble(config, Clock())
        assert second.runner.state.account("deribit").budget.level < 10
        await second.close(0)
