"""One sign for all: positive means that the price is expected to rise; in a mirror it falls."""

from random import Random

import pytest
from msgspec import structs

from mmbot.core import events as ev
from mmbot.core.ports import Heard, Signal
from mmbot.core.types import Level, Side
from mmbot.plugins.registry import BUILT_IN, Family
from mmbot.signals.arrival import Arrival
from mmbot.signals.basis import Basis
from mmbot.signals.funding_carry import FundingCarry
from mmbot.signals.imbalance import Imbalance
from mmbot.signals.large_trade import LargeTrade
from mmbot.signals.microprice import Microprice
from mmbot.signals.own_markout import OwnMarkout
from mmbot.signals.realized_vol import RealizedVol
from mmbot.signals.top_speed import TopSpeed
from mmbot.signals.trade_flow import TradeFlow
from tests.signals.streams import book, filled, heard, ns, ticker, trade

INDEX = 1000.0
"""What everything is mirrored at."""

DIRECTED: dict[str, Signal] = {
    "imbalance": Imbalance(levels=2),
    "microprice": Microprice(levels=2),
    "trade_flow": TradeFlow(),
    "large_trade": LargeTrade(quantile=0.8),
    "funding_carry": FundingCarry(),
    "basis": Basis(),
    "own_markout": OwnMarkout(horizon_s=1.0, least=1),
}
UNDIRECTED: dict[str, Signal] = {
    "top_speed": TopSpeed(),
    "realized_vol": RealizedVol(sample_s=0.0),
    "arrival": Arrival(least=5),
}


def rising() -> list[Heard]:
    """Bids wait, takers buy, large ones above all, shorts pay, the market is below its index and
    rises after our fills."""
    draw = Random(5)
    happened: list[Heard] = []
    for n in range(40):
        mid = 900.0 + n * 0.5
        happened += [
            book(
                n,
                mid - 1,
                mid + 1,
                30.0 + draw.random(),
                10.0,
                deeper_bids=((mid - 2, 20.0),),
                deeper_asks=((mid + 3, 5.0),),
            ),
            ticker(
                n,
                mark=mid,
                index=INDEX,
                best=(mid - 1, mid + 1),
                current_funding=-0.0001,
                funding_8h=-0.0002,
            ),
            trade(n + 0.3, Side.BUY, mid + 1 + draw.random(), 1.0 + n),
            trade(n + 0.4, Side.SELL, mid - 1, 1.0),
            filled(n + 0.5, Side.BUY, mid - 1, f"b{n}"),
            filled(n + 0.5, Side.SELL, mid + 1, f"s{n}"),
        ]
    return happened


def mirrored(event: Heard) -> Heard:
    match event:
        case ev.BookChanged():
            return structs.replace(event, bids=_levels(event.asks), asks=_levels(event.bids))
        case ev.TradePrinted():
            return structs.replace(event, price=_price(event.price), side=event.side.opposite)
        case ev.TickerChanged():
            assert event.best_bid is not None
            assert event.best_ask is not None
            assert event.current_funding is not None
            return structs.replace(
                event,
                best_bid=_price(event.best_ask),
                best_ask=_price(event.best_bid),
                current_funding=-event.current_funding,
            )
        case ev.Filled(fill):
            price = type(fill.price)(repr(_price(float(fill.price))))
            return ev.Filled(structs.replace(fill, price=price, side=fill.side.opposite))
    return event


def _price(price: float) -> float:
    return 2 * INDEX - price


def _levels(levels: tuple[Level, ...]) -> tuple[Level, ...]:
    return tuple((_price(price), amount) for price, amount in levels)


def told(signal: Signal, events: list[Heard]) -> float:
    value = signal.value(heard(signal, events), ns(40))
    assert value is not None
    return value


@pytest.mark.parametrize("name", DIRECTED)
def test_before_a_rise_it_is_positive_and_in_the_mirror_as_negative(name: str) -> None:
    signal, happened = DIRECTED[name], rising()
    up = told(signal, happened)
    assert up > 0
    assert told(signal, [mirrored(one) for one in happened]) == pytest.approx(-up)


@pytest.mark.parametrize("name", UNDIRECTED)
def test_what_has_no_direction_is_the_same_in_the_mirror(name: str) -> None:
    signal, happened = UNDIRECTED[name], rising()
    there = told(signal, happened)
    assert there > 0
    # Of prices near 1100 and of prices near 900 returns are not quite the same.
    rel = 0.25 if name == "realized_vol" else 1e-9
    assert told(signal, [mirrored(one) for one in happened]) == pytest.approx(there, rel=rel)


def test_every_signal_that_comes_with_mmbot_is_one_or_the_other() -> None:
    assert {*DIRECTED, *UNDIRECTED} == set(BUILT_IN[Family.SIGNAL])
