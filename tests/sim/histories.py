"""A seeded market and what happens in it, for the tests of the market."""

from mmbot.sim.exchange.effects import BookDelta, Prints
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.market.market import Market

CALL = "ETH-6JUN25-2900-C"
PUT = "ETH-6JUN25-2800-P"
PERPETUAL = "ETH-PERPETUAL"
THREE = (CALL, PUT, PERPETUAL)
MINUTE_MS = 60_000


def a_market(seed: int = 1, names: tuple[str, ...] = THREE, **over: object) -> Market:
    market = Market(Exchange(), seed, **over)  # type: ignore[arg-type]  # keywords pass through
    for name in names:
        market.watch(name)
    return market


def history(market: Market, minutes: int) -> list[BookDelta | Prints]:
    """Everything public that happens in the next minutes."""
    market.advance(market.now_ms + minutes * MINUTE_MS)
    return [e for e in market.exchange.drain() if isinstance(e, BookDelta | Prints)]


def prints_of(events: list[BookDelta | Prints]) -> list[Prints]:
    return [event for event in events if isinstance(event, Prints)]
