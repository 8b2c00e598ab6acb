"""What the venue says of our orders and trades, in pushes and in answers, as events.

Nothing is decided here, and nothing is read here: that is the border's. What the venue says
about an order is passed on as it is; what it does not say (no answer, a broken line, an answer that
nobody can read) becomes OutcomeUnknown. A request that certainly never left this process is the one
failure that is known: it is reported as refused.
"""

from collections.abc import Callable, Mapping
from typing import Final

from msgspec.structs import replace

from mmbot.core.events import (
    Event,
    Filled,
    MessageLost,
    OrderSeen,
    OutcomeUnknown,
    RequestRefused,
)
from mmbot.core.labels import is_ours
from mmbot.core.order_life import OrderState, Request
from mmbot.core.statements import Fill
from mmbot.core.types import Label
from mmbot.core.why import Why
from mmbot.venues import reading
from mmbot.venues.border import Border
from mmbot.venues.dialect import Dialect
from mmbot.venues.reading import Unread, Unreadable, fields_of
from mmbot.venues.requests import Outcome, Reply, refusal_of

PLACED_MAX: Final = 1000
TOLD_MAX: Final = 1000
UNREAD: Final = ""
"""What stands for an order of which nobody can read which one it is."""


class Account:
    """One account at `venue`, read by `border`. `emit` passes events on, and `state_field` is
    where an order states what has become of it."""

    def __init__(
        self,
        venue: str,
        dialect: Dialect,
        border: Border,
        state_field: str,
        unread: Unread,
        emit: Callable[[Event], None],
    ) -> None:
        self._venue = venue
        self._dialect = dialect
        self._border = border
        self._state_field = state_field
        self._unread = unread
        self._emit = emit
        self.placed: dict[Label, None] = {}
        """Orders that may rest by our own account, the oldest first: what there is to go by where
        the venue's list cannot be read."""
        self._told: dict[str, bool] = {}
        """Orders that pushes have told of, by label and by the venue's id, the oldest first; and
        whether as ended."""

    def may_rest(self, label: Label) -> None:
        """An order is about to be placed."""
        self.placed[label] = None
        if len(self.placed) > PLACED_MAX:
            del self.placed[next(iter(self.placed))]

    # --- pushes ---

    def forget_told(self, *orders: str) -> None:
        """What has been told of these so far is not what is waited for now."""
        for order in (*orders, UNREAD):
            self._told.pop(order, None)

    def has_told(self, *orders: str, ended: bool) -> bool:
        """Whether pushes have told of any of these since, or of what may have been one. `ended`:
        that it is over, not only that it has traded."""
        said = [self._told[order] for order in (*orders, UNREAD) if order in self._told]
        return any(said) if ended else bool(said)

    def _note_told(self, ended: bool, *orders: str | None) -> None:
        for order in orders:
            if order is not None:
                self._told.pop(order, None)
                self._told[order] = ended
        while len(self._told) > TOLD_MAX:
            del self._told[next(iter(self._told))]

    def told(self, channel: str, trades: object, orders: object) -> None:
        """What a message tells of executions, and of orders. Noted where it is none."""
        try:
            read, lost = reading.each(trades, self._fill, self._unread, "trade")
            if not isinstance(orders, list):
                raise Unreadable(f"{channel}: orders is no list")
        except Unreadable as error:
            self.untold(channel, error)
            return
        for fill in read:
            self._emit(Filled(fill))
        for row in orders:
            lost += not self._order_told(row, pushed=True)
        if lost:
            self._emit(MessageLost(self._venue))

    def untold(self, channel: str, why: Unreadable) -> None:
        """A message that cannot be read: nobody knows what it said."""
        self._note_told(True, UNREAD)
        self._unread.note(channel, why)
        self._emit(MessageLost(self._venue))

    def _fill(self, row: object) -> Fill:
        return self._border.fill_of(self._venue, row, self._unread)

    def _order_told(self, row: object, *, pushed: bool) -> bool:
        """Pass on what is said of one order; False where that leaves one of ours in the dark.

        A foreign order that cannot be read is taken for open, so that no mass cancel takes it
        along.
        """
        try:
            seen = self._border.seen_of(self._venue, row, None, self._unread)
        except Unreadable as error:
            if pushed:
                self._note_told(True, UNREAD)
            self._unread.note("order", error)
        else:
            if pushed:
                self._note_told(seen.state is not OrderState.OPEN, seen.label, seen.order_id)
            self._tell_seen(seen)
            return True
        try:
            order = self._border.open_order_of(self._venue, row, self._unread)
        except Unreadable:
            return False
        if is_ours(order.label) or not order.order_id:
            return False
        self._emit(
            OrderSeen(
                self._venue,
                order.label,
                order.order_id,
                order.instrument,
                order.side,
                order.price,
                order.amount,
                order.filled,
                OrderState.OPEN,
                order.venue_ms,
            )
        )
        return True

    def _tell_seen(self, seen: OrderSeen) -> None:
        if seen.label is not None and seen.state is not OrderState.OPEN:
            self.placed.pop(seen.label, None)
        self._emit(seen)

    # --- answers ---

    def answered(self, reply: Reply, label: Label, request: Request) -> None:
        """The end of a request about one order."""
        if reply.outcome is Outcome.OK:
            self._carried_out(reply.result, label, request)
        elif reply.outcome is Outcome.REFUSED:
            assert reply.error is not None
            error = reply.error
            self._emit(self._border.refusal_of(error.code, error.data, str(error), label, request))
        elif not reply.sent:
            stands = request is not Request.PLACE
            self._emit(RequestRefused(label, request, Why.LINK_DOWN, reply.why, stands))
        else:
            self._emit(OutcomeUnknown(label, request, Why.REPLY_LOST))

    def replaced(self, reply: Reply, old: Label, new: Label) -> None:
        """The answer to a replace: both orders, or the old one and why there is no new one."""
        if reply.outcome is not Outcome.OK:
            self.answered(reply, old, Request.REPLACE)
            return
        try:
            fields = fields_of(reply.result, "answer")
            ended, made = fields.get("cancelled_order"), fields.get("order")
            over = self._border.seen_of(self._venue, ended, Request.REPLACE, self._unread)
            why_not = refusal_of(self._dialect, fields.get("create_order_error"))
            if made is None and why_not is None:
                raise Unreadable("an answer with no new order, and no reason")
        except Unreadable as error:
            self._unread.note("answer", error)
            self._emit(OutcomeUnknown(old, Request.REPLACE, Why.REPLY_LOST))
            return
        self._tell_seen(replace(over, label=old))
        if made is not None:
            self._carried_out(fields, new, Request.PLACE)
        elif why_not is not None:
            code, data, detail = why_not.code, why_not.data, str(why_not)
            self._emit(self._border.refusal_of(code, data, detail, new, Request.PLACE))

    def _carried_out(self, result: object, label: Label, request: Request) -> None:
        """The answer to a request that was carried out. What cannot be read of it is unknown."""
        try:
            fields = fields_of(result, "answer")
            trades, lost = reading.each(
                fields.get("trades") or [], self._fill, self._unread, "trade"
            )
            seen = self._border.seen_of(
                self._venue, fields.get("order", fields), request, self._unread
            )
            if seen.label not in (label, None):
                raise Unreadable(f"an answer about {seen.label} instead of {label}")
        except Unreadable as error:
            self._unread.note("answer", error)
            self._emit(OutcomeUnknown(label, request, Why.REPLY_LOST))
            return
        for fill in trades:
            self._emit(Filled(fill if fill.label else replace(fill, label=label)))
        if lost:
            self._emit(MessageLost(self._venue))
        self._tell_seen(replace(seen, label=label))

    def answered_late(self, reply: Reply) -> None:
        """The answer came after we stopped waiting: still the venue's word about the order."""
        result = reply.result
        order = result.get("order", result) if isinstance(result, Mapping) else None
        if isinstance(order, Mapping) and self._state_field in order:
            self._order_told(order, pushed=False)
