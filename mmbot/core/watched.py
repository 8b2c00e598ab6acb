"""Markets that are watched and not quoted: the rest of a chain, its perpetual and its futures.

Theory of operation
-------------------
1. They are kept beside the traded ones (`State.watched`), so that nothing that walks those finds
   them: no decision is taken about them, no guard counts their silence, nothing of them is exposure
   or profit. What the account holds there is off the desk (core.off_desk), as anywhere else that no
   desk trades.
2. What is told of one changes its own market and makes nothing dirty.
3. One that becomes traded leaves, and so does one that expires; the latter is told with what
   retires, so that its channels are dropped.
"""

from mmbot.core import events as ev
from mmbot.core.books import Market
from mmbot.core.chain_upkeep import hear_ticker
from mmbot.core.state import State
from mmbot.core.types import Nanos
from mmbot.core.why import Why


def begin_watching(state: State, event: ev.InstrumentsWatched) -> None:
    """Watch what is not traded, from now on."""
    for instrument in event.instruments:
        if instrument.id in state.markets:
            continue
        known = state.watched.get(instrument.id)
        if known is None:
            state.watched[instrument.id] = Market(instrument, event.desk)
            state.chains_due = True
        else:
            known.instrument = instrument
    _look_ahead(state)


def hear(
    state: State,
    event: ev.BookChanged | ev.BookLost | ev.TickerChanged | ev.InstrumentState,
    now_ns: Nanos,
) -> None:
    """What is told of an instrument that is not traded."""
    market = state.watched.get(event.instrument)
    if market is None:
        return
    match event:
        case ev.TickerChanged():
            market.take_ticker(event)
            if market.chain:
                hear_ticker(state, market, now_ns)
            if event.state is not None:
                market.closure.hear_ticker(event.state, now_ns)
        case ev.BookChanged():
            market.take_book(event)
        case ev.BookLost():
            market.lose_book(event.why)
        case ev.InstrumentState():
            market.closure.hear_news(event.state, now_ns)


def lose_link(state: State, venue: str) -> None:
    """The venue's market data is cut off."""
    for market in state.watched.values():
        if market.instrument.venue == venue:
            market.lose_book(Why.LINK_DOWN)


def drop_expired(state: State, now_ns: Nanos) -> None:
    """Watch no more what has expired."""
    if not state.watch_ends_ns or now_ns < state.watch_ends_ns:
        return
    for name in [name for name, market in state.watched.items() if market.expired(now_ns)]:
        del state.watched[name]
        state.chains_due = True
        state.retired.leaving.append(name)
    _look_ahead(state)


def _look_ahead(state: State) -> None:
    ends = (market.instrument.expiry_ns for market in state.watched.values())
    state.watch_ends_ns = min((end for end in ends if end is not None), default=0)
