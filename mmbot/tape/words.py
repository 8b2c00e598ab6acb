"""A turn in words: what happened, what was decided and why, one line each."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from mmbot.core import events as ev
from mmbot.core.chains import FitSurface
from mmbot.core.intents import (
    Amend,
    Cancel,
    CancelAll,
    CheckLease,
    FallbackCancel,
    Intent,
    Place,
    Replace,
    ReserveLabels,
    Resync,
    SaveLatch,
)
from mmbot.core.order_life import OrderState
from mmbot.core.statements import Fill, Finality
from mmbot.core.types import SECOND, InstrumentId, Label, Level, Nanos, Side

_DAY_NS: Nanos = 86_400 * SECOND


class Topic(Enum):
    """What a line is about."""

    MARKET = "market"
    TICKERS = "tickers"
    ORDERS = "orders"
    FILLS = "fills"
    WHY = "why"
    LINK = "link"
    CONTROL = "control"
    TIME = "time"


BACKGROUND = frozenset((Topic.TICKERS, Topic.TIME))
"""What there is so much of that nobody sees the rest, unless it is asked for."""


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened or was decided. `side` of an order or a fill gives it its color;
    `instrument` None concerns all."""

    topic: Topic
    word: str
    text: str
    instrument: InstrumentId | None = None
    side: Side | None = None
    alarm: bool = False


Labels = Mapping[Label, InstrumentId]
"""Which instrument an order of ours is on."""


def clock_text(at_ns: Nanos) -> str:
    """The time of the day in UTC, to the millisecond."""
    seconds, rest = divmod(at_ns % _DAY_NS, SECOND)
    minutes, second = divmod(seconds, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{second:02}.{rest // 1_000_000:03}"


_Market = (
    ev.BookChanged
    | ev.BookLost
    | ev.TickerChanged
    | ev.TradePrinted
    | ev.InstrumentsListed
    | ev.InstrumentsWatched
    | ev.Fitted
    | ev.InstrumentState
    | ev.ReferenceChanged
)
_Venue = (
    ev.PlatformState
    | ev.ProtectionTold
    | ev.ElementsUnread
    | ev.LinkChanged
    | ev.LinkAlive
    | ev.LimitsRead
    | ev.VenueDescribed
    | ev.SnapshotFailed
    | ev.MessageLost
    | ev.FallbackTried
)
_Order = ev.OrderSeen | ev.RequestRefused | ev.OutcomeUnknown | ev.Filled
_Store = (
    ev.LabelsReserved
    | ev.StoreChanged
    | ev.TapeChanged
    | ev.LatchSaved
    | ev.LeaseChecked
    | ev.LeaseLate
    | ev.LeaseLost
)
_Control = (
    ev.Pause
    | ev.Unpause
    | ev.WindDown
    | ev.Switched
    | ev.SizeScaled
    | ev.VolShifted
    | ev.Stop
    | ev.Trip
)


def event_lines(event: ev.Event, labels: Labels, booked: Container[str] = ()) -> Iterator[Line]:
    """What happened. Trades that are `booked` are not told again."""
    if isinstance(event, _Market):
        yield _of_market(event)
    elif isinstance(event, _Venue):
        yield _of_venue(event)
    elif isinstance(event, _Order):
        yield _of_order(event, labels)
    elif isinstance(event, _Store):
        yield _of_store(event)
    elif isinstance(event, _Control):
        yield _of_control(event)
    elif isinstance(event, ev.SnapshotTaken):
        yield from _snapshot(event, booked)
    elif isinstance(event, ev.Tick):
        yield Line(Topic.TIME, "tick", "")
    else:
        assert_never(event)


def _of_market(event: _Market) -> Line:  # noqa: C901  # one case an event
    match event:
        case ev.BookChanged():
            text = f"{_top(event.bids)} / {_top(event.asks)}"
            return Line(Topic.MARKET, "book", text, event.instrument)
        case ev.BookLost():
            return Line(Topic.MARKET, "no book", event.why.value, event.instrument)
        case ev.TickerChanged():
            vol = "" if event.mark_iv is None else f", vol {event.mark_iv:.2%}"
            text = f"mark {_figure(event.mark)}, index {_figure(event.index)}{vol}"
            if event.state not in (None, "open"):
                text += f", {event.state}"
            return Line(Topic.TICKERS, "ticker", text, event.instrument)
        case ev.TradePrinted():
            text = f"{event.side.value} {event.amount:g} @ {event.price:g}"
            return Line(Topic.MARKET, "trade", text, event.instrument)
        case ev.InstrumentsListed():
            names = ", ".join(instrument.name for instrument in event.instruments)
            return Line(Topic.MARKET, "listed", names)
        case ev.InstrumentsWatched():
            return Line(Topic.MARKET, "watched", f"{len(event.instruments)} instruments")
        case ev.Fitted():
            what = f"{len(event.smiles)} expiries" if event.smiles else event.trouble
            return Line(Topic.TICKERS, "surface", f"{event.chain}: {what}")
        case ev.InstrumentState():
            return Line(Topic.MARKET, "state", event.state, event.instrument)
        case ev.ReferenceChanged():
            text = f"{event.asset} {event.price:.10g} by {event.source}"
            if event.source_ms is not None:
                text += f", {event.received_ns / 1e6 - event.source_ms:.0f} ms on its way"
            return Line(Topic.TICKERS, "ref", text)


def _of_venue(event: _Venue) -> Line:  # noqa: C901  # one case an event
    match event:
        case ev.PlatformState():
            what = event.currency or "everything"
            text = f"{event.venue}: {what} {'locked' if event.locked else 'unlocked'}"
            return Line(Topic.LINK, "platform", text, alarm=event.locked)
        case ev.ProtectionTold():
            frozen = event.frozen_until_ns > 0
            text = f"{event.venue}: quotes on {event.underlying} {'frozen' if frozen else 'taken'}"
            return Line(Topic.LINK, "mmp", text, alarm=frozen)
        case ev.ElementsUnread():
            text = f"{event.venue}: {event.count} {event.kind} not understood: {event.detail}"
            return Line(Topic.LINK, "unread", text, alarm=True)
        case ev.LinkChanged():
            state = "up" if event.up else "down"
            text = f"{event.venue} {event.link.value} {state}: {event.detail}".removesuffix(": ")
            return Line(Topic.LINK, "link", text, alarm=not event.up)
        case ev.LinkAlive():
            took_ms = (event.received_ns - event.asked_ns) / 1e6
            text = f"{event.venue} {event.link.value}, {took_ms:.1f} ms there and back"
            return Line(Topic.TIME, "alive", text)
        case ev.LimitsRead():
            text = f"{event.venue}: {event.rate_per_s:g} requests/s, {event.burst:g} at once"
            return Line(Topic.LINK, "limits", text)
        case ev.VenueDescribed():
            can = event.capabilities
            text = f"{event.venue}: orders are {can.move.value}, dead-man: {can.dead_man.value}"
            return Line(Topic.LINK, "venue", text)
        case ev.SnapshotFailed():
            return Line(Topic.LINK, "snapshot", f"{event.venue}: {event.detail}", alarm=True)
        case ev.MessageLost():
            text = f"{event.venue}: a message about our orders or trades could not be read"
            return Line(Topic.LINK, "garbled", text, alarm=True)
        case ev.FallbackTried():
            left = "could not be asked" if event.left is None else f"{len(event.left)} orders left"
            return Line(Topic.LINK, "2nd path", f"{event.venue}: {left}", alarm=bool(event.left))


def _of_order(event: _Order, labels: Labels) -> Line:
    match event:
        case ev.OrderSeen():
            return _seen(event)
        case ev.RequestRefused():
            text = f"{event.request.value} of {event.label}: {event.why.value} ({event.detail})"
            found = labels.get(event.label)
            return Line(Topic.ORDERS, "refused", text, found, alarm=True)
        case ev.OutcomeUnknown():
            text = f"no answer to {event.request.value} of {event.label}: {event.why.value}"
            found = labels.get(event.label)
            return Line(Topic.ORDERS, "unknown", text, found, alarm=True)
        case ev.Filled():
            return _filled(event.fill)


def _of_store(event: _Store) -> Line:
    match event:
        case ev.LabelsReserved():
            return Line(Topic.CONTROL, "store", f"labels below {event.upto} are ours")
        case ev.StoreChanged():
            text = event.trouble or "takes what happens"
            return Line(Topic.CONTROL, "store", text, alarm=bool(event.trouble))
        case ev.TapeChanged():
            text = event.trouble or "takes what happens"
            return Line(Topic.CONTROL, "tape", text, alarm=bool(event.trouble))
        case ev.LatchSaved():
            return Line(Topic.CONTROL, "store", "the kill switch is kept")
        case ev.LeaseChecked():
            return Line(Topic.CONTROL, "store", "lease and latch were read: ours, and armed")
        case ev.LeaseLate():
            return Line(Topic.CONTROL, "store", "the lease ran out for a while", alarm=True)
        case ev.LeaseLost():
            text = f"run {event.holder} has taken the account over"
            return Line(Topic.CONTROL, "store", text, alarm=True)


def _of_control(event: _Control) -> Line:
    match event:
        case ev.Pause():
            return Line(Topic.CONTROL, "pause", event.why.value)
        case ev.Unpause():
            return Line(Topic.CONTROL, "unpause", "")
        case ev.WindDown():
            return Line(Topic.CONTROL, "set", f"wind down: {_on(event.on)}")
        case ev.Switched():
            return Line(Topic.CONTROL, "set", f"{event.scope.text}: {_on(event.on)}")
        case ev.SizeScaled():
            return Line(Topic.CONTROL, "set", f"every size x {event.factor}")
        case ev.VolShifted():
            text = f"vol {event.points:+g} points until {clock_text(event.until_ns)}"
            return Line(Topic.CONTROL, "set", text)
        case ev.Stop():
            return Line(Topic.CONTROL, "stop", event.why.value)
        case ev.Trip():
            text = f"{event.why.value}: {event.detail}".removesuffix(": ")
            return Line(Topic.CONTROL, "TRIP", text, alarm=True)


def intent_line(intent: Intent) -> Line:  # noqa: C901  # one case an intent: read off here
    """What was decided, and why."""
    match intent:
        case Place():
            ends = f", {intent.time_in_force.value}" if intent.time_in_force.value != "GTC" else ""
            text = (
                f"{intent.side.value} {intent.amount} @ {intent.price}{ends}: {intent.why.value}"
                f" ({intent.label})"
            )
            return Line(Topic.ORDERS, "place", text, intent.instrument, intent.side)
        case Amend():
            text = f"to {intent.amount} @ {intent.price}: {intent.why.value} ({intent.label})"
            return Line(Topic.ORDERS, "amend", text, intent.instrument)
        case Replace():
            text = (
                f"{intent.old} by {intent.side.value} {intent.amount} @ {intent.price}: "
                f"{intent.why.value} ({intent.label})"
            )
            return Line(Topic.ORDERS, "replace", text, intent.instrument, intent.side)
        case Cancel():
            text = f"{intent.why.value} ({intent.label})"
            return Line(Topic.ORDERS, "cancel", text, intent.instrument)
        case CancelAll():
            what = "everything" if intent.instrument is None else "all of it"
            text = f"{what}, {len(intent.labels)} orders: {intent.why.value}"
            return Line(Topic.ORDERS, "cancel", text, intent.instrument)
        case Resync():
            flows = "" if intent.flows_since_ms is None else ", funding and transfers"
            asked = f", {len(intent.labels)} by name" if intent.labels else ""
            text = f"{intent.venue}: orders, positions, fills{flows}{asked}: {intent.why.value}"
            return Line(Topic.LINK, "ask", text)
        case FallbackCancel():
            text = f"{intent.venue}: everything, over the second path: {intent.why.value}"
            return Line(Topic.LINK, "2nd path", text)
        case ReserveLabels():
            return Line(Topic.CONTROL, "store", f"reserve labels below {intent.upto}")
        case SaveLatch():
            text = f"keep the kill switch: {intent.why.value}: {intent.detail}".removesuffix(": ")
            return Line(Topic.CONTROL, "store", text, alarm=True)
        case CheckLease():
            return Line(Topic.CONTROL, "store", "read lease and latch")
        case FitSurface():
            return Line(Topic.TICKERS, "fit", f"{intent.chain}: {len(intent.strike)} options")
        case _:
            assert_never(intent)


def _seen(seen: ev.OrderSeen) -> Line:
    done = f", {seen.filled} filled" if seen.filled else ""
    answers = f" to {seen.answers.value}" if seen.answers is not None else ""
    whose = seen.label or f"{seen.order_id}, not ours"
    side = seen.side.value if seen.side is not None else "?"
    amount = "?" if seen.amount is None else seen.amount
    price = "?" if seen.price is None else seen.price
    text = f"{seen.state.value}: {side} {amount} @ {price}{done} ({whose})"
    word = "answer" if answers else "order"
    alarm = seen.state is OrderState.REJECTED
    return Line(Topic.ORDERS, word, text + answers, seen.instrument, seen.side, alarm)


def _filled(fill: Fill) -> Line:
    whose = fill.label or "not ours"
    stands = "" if fill.finality is Finality.FINAL else f", {fill.finality.value}"
    text = (
        f"{fill.side.value} {fill.amount} @ {fill.price}, fee {fill.fee} {fill.fee_currency}, "
        f"trade {fill.trade_id} ({whose}){stands}"
    )
    void = fill.finality is Finality.VOIDED
    return Line(Topic.FILLS, "void" if void else "fill", text, fill.instrument, fill.side, void)


def _snapshot(taken: ev.SnapshotTaken, booked: Container[str]) -> Iterator[Line]:
    held = sum(1 for position in taken.positions if position.amount)
    flows = f", {len(taken.flows)} flows" if taken.flows else ""
    text = f"{taken.venue}: {len(taken.orders)} orders, {held} positions, {len(taken.fills)} fills"
    yield Line(Topic.LINK, "snapshot", text + flows)
    for fill in taken.fills:
        if fill.key not in booked:
            yield _filled(fill)
    for flow in taken.flows:
        text = f"{flow.kind.value} {flow.money} {flow.currency} ({flow.ref})"
        yield Line(Topic.FILLS, "flow", text, flow.instrument)
    for label, seen in taken.lookups:
        if seen is not None:
            yield _seen(seen)
        else:
            yield Line(Topic.ORDERS, "order", f"the venue knows no {label}")


def _top(levels: tuple[Level, ...]) -> str:
    return f"{levels[0][0]:g} x {levels[0][1]:g}" if levels else "-"


def _figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:g}"


def _on(on: bool) -> str:
    return "on" if on else "off"
