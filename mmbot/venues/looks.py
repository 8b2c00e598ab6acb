"""Asking a venue for its word: open orders, positions, trades, money that moved, account values.

A snapshot is several questions, and anything may happen between them; positions come last, and are
asked again until they stand still. What cannot be read of an answer is left out; only an answer
that is not even a list makes the look fail.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from mmbot.core.contracts import Instrument
from mmbot.core.events import OrderSeen, SnapshotTaken
from mmbot.core.intents import Resync
from mmbot.core.statements import Equity, Fill, Flow, HeldPosition, OpenOrder
from mmbot.core.types import InstrumentId, Label, Nanos
from mmbot.venues import reading
from mmbot.venues.border import Border
from mmbot.venues.reading import Unread, fields_of
from mmbot.venues.recipe import Recipe

POSITIONS_TRIES_MAX: Final = 3

Wanted = tuple[InstrumentId, Label, str]
"""An order that is asked about by name, with its id where that is what the venue knows it by."""


class Looks(ABC):
    """One account at `venue`, read by `border`, and asked over the trading connection and, for long
    lists, over REST.

    `followed` are the instruments we trade, by name, `listed` the terms of everything else, and
    `now_ms` the venue's time.
    """

    def __init__(
        self,
        venue: str,
        border: Border,
        followed: Mapping[str, Instrument],
        listed: Mapping[str, Instrument],
        now_ms: Callable[[], int],
        unread: Unread,
    ) -> None:
        self._venue = venue
        self._border = border
        self._followed = followed
        self._listed = listed
        self._now_ms = now_ms
        self._unread = unread

    def take(self, intent: Resync, asked_ns: Nanos) -> Recipe[SnapshotTaken]:
        """The venue's word on everything. Raises AnswerError, and Unreadable."""
        orders, nameless = reading.each(
            (yield from self._orders()), self._open_order, self._unread, "order"
        )
        named = {order.label for order in orders} | {order.order_id for order in orders}
        wanted: list[Wanted] = []
        for place, (instrument, label) in enumerate(intent.labels):
            order_id = intent.order_ids[place] if intent.order_ids else ""
            if (order_id or label) not in named:  # else the list is the venue's word already
                wanted.append((instrument, label, order_id))
        lookups = yield from self._look_up_all(wanted)
        # Positions last: the less happens after them, the better they go with our fills. And what
        # the account is worth goes with them: it is valued at their marks.
        positions = yield from self._positions()
        for _ in range(POSITIONS_TRIES_MAX):
            fills = yield from self._fills(intent.fills_since_ms)
            flows, flows_complete = yield from self._flows(intent.flows_since_ms)
            equity = yield from self._equity()
            again = yield from self._positions()
            if _sizes(again) == _sizes(positions):
                break
            positions = again  # a fill came in between: trades and positions must agree
        return SnapshotTaken(
            venue=self._venue,
            asked_ns=asked_ns,
            orders=tuple(orders),
            positions=tuple(positions),
            fills=tuple(fills),
            flows=tuple(flows),
            lookups=tuple(lookups),
            equity=tuple(equity),
            orders_complete=not nameless,
            flows_complete=flows_complete,
        )

    def _open_order(self, row: object) -> OpenOrder:
        return self._border.open_order_of(self._venue, row, self._unread)

    def _seen(self, row: object) -> OrderSeen:
        return self._border.seen_of(self._venue, row, None, self._unread)

    def _fill(self, row: object) -> Fill:
        return self._border.fill_of(self._venue, row, self._unread)

    def _position(self, row: object) -> HeldPosition:
        name = fields_of(row, "position").get("instrument_name")
        known = isinstance(name, str) and name not in self._followed
        terms = self._listed.get(str(name)) if known else None
        return self._border.position_of(self._venue, row, terms, self._unread)

    # --- what a venue is asked, each in its own way ---

    @abstractmethod
    def _orders(self) -> Recipe[object]:
        """Rows of everything open."""
        ...

    @abstractmethod
    def _look_up_all(
        self, wanted: Sequence[Wanted]
    ) -> Recipe[list[tuple[Label, OrderSeen | None]]]:
        """The newest statement about each; None where the venue knows no such order. Raises
        Unreadable where there is one, but none that could be read: that is no proof of absence."""
        ...

    @abstractmethod
    def _positions(self) -> Recipe[list[HeldPosition]]:
        """Every position."""
        ...

    @abstractmethod
    def _fills(self, since_ms: int) -> Recipe[list[Fill]]:
        """Every trade since then, the oldest first."""
        ...

    @abstractmethod
    def _flows(self, since_ms: int | None) -> Recipe[tuple[list[Flow], bool]]:
        """What moved without a trade since then, and whether that is all of it."""
        ...

    @abstractmethod
    def _equity(self) -> Recipe[list[Equity]]:
        """What the account is worth, as far as it is told."""
        ...


def _sizes(positions: Sequence[HeldPosition]) -> dict[InstrumentId, object]:
    return {position.instrument: position.amount for position in positions}
