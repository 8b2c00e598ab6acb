"""Derive's word on everything: which questions a look is made of (`venues/looks.py`).

Reads are dear there, one a second for most: the account's one statement (private/get_subaccount)
answers for its value and for the last look at the positions together, so that both are of one
moment. An order of ours that is not open is looked for in the history, by its label; all of them at
once.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from mmbot.core.contracts import Instrument
from mmbot.core.events import Link, OrderSeen
from mmbot.core.statements import Equity, Fill, Flow, HeldPosition
from mmbot.core.types import Label
from mmbot.venues import looks, reading
from mmbot.venues.answers import AnswerError
from mmbot.venues.asking import ask, get
from mmbot.venues.derive import flows, parse
from mmbot.venues.derive.paging import everything
from mmbot.venues.looks import Wanted
from mmbot.venues.reading import Unread, Unreadable, fields_of
from mmbot.venues.recipe import Recipe

PAST_MS: Final = 24 * 3600 * 1000
"""How far back an order of ours is looked for that is not open: one that was not answered for is
asked about within minutes, or after a restart, when its trades tell what became of it."""

ROWS_MAX: Final = 1000
"""What a history that has no pages returns at the most."""


class Looks(looks.Looks):
    """One subaccount."""

    def __init__(
        self,
        venue: str,
        subaccount_id: int,
        followed: Mapping[str, Instrument],
        listed: Mapping[str, Instrument],
        now_ms: Callable[[], int],
        unread: Unread,
    ) -> None:
        super().__init__(venue, parse, followed, listed, now_ms, unread)
        self._subaccount: dict[str, Any] = {"subaccount_id": subaccount_id}
        self._stated: object = None
        """Positions that came with the account's value just now."""

    # --- orders -------------------------------------------------------------------------------

    def _orders(self) -> Recipe[object]:
        self._stated = None
        answer = yield from _ask("private/get_open_orders", self._subaccount)
        return fields_of(answer, "orders").get("orders")

    def _look_up_all(
        self, wanted: Sequence[Wanted]
    ) -> Recipe[list[tuple[Label, OrderSeen | None]]]:
        if not wanted:
            return []
        params = {**self._subaccount, "from_timestamp": self._now_ms() - PAST_MS}
        pages = yield from everything(
            get, "private/get_order_history", params, "orders", self._unread
        )
        seen, left_out = reading.each(pages.rows, self._seen, self._unread, "order")
        newest: dict[Label, OrderSeen] = {}
        for one in sorted(seen, key=lambda one: one.venue_ms):
            if one.label is not None:
                newest[one.label] = one
        missing = [label for _, label, _ in wanted if label not in newest]
        if missing and (left_out or not pages.whole):
            raise Unreadable(f"what became of {missing[0]}")  # no proof of absence
        return [(label, newest.get(label)) for _, label, _ in wanted]

    # --- positions and value ------------------------------------------------------------------

    def _positions(self) -> Recipe[list[HeldPosition]]:
        rows, self._stated = self._stated, None
        if rows is None:
            answer = yield from _ask("private/get_positions", self._subaccount)
            rows = fields_of(answer, "positions").get("positions")
        found, left_out = reading.each(rows, self._position, self._unread, "position")
        named = {one.instrument for one in found}
        if left_out:  # any of ours that is in no row that can be read might be that one
            found += [
                HeldPosition(one.id, None) for one in self._followed.values() if one.id not in named
            ]
        return found

    def _equity(self) -> Recipe[list[Equity]]:
        answer = yield from _ask("private/get_subaccount", self._subaccount)
        self._stated = answer.get("positions") if isinstance(answer, Mapping) else None
        try:
            return [parse.equity_of(answer, self._unread)]
        except Unreadable as error:
            self._unread.note("account", error)
            return []

    # --- trades -------------------------------------------------------------------------------

    def _fills(self, since_ms: int) -> Recipe[list[Fill]]:
        params = {
            **self._subaccount,
            "from_timestamp": since_ms,
            "to_timestamp": self._now_ms() + 1000,
        }
        pages = yield from everything(
            get, "private/get_trade_history", params, "trades", self._unread
        )
        if not pages.whole:
            raise Unreadable("the list of trades changed while it was read")
        fills, _ = reading.each(pages.rows, self._fill, self._unread, "trade")
        found = {fill.key: fill for fill in fills}
        return sorted(found.values(), key=lambda fill: (fill.venue_ms, fill.trade_id))

    # --- money that moved otherwise -----------------------------------------------------------

    def _flows(self, since_ms: int | None) -> Recipe[tuple[list[Flow], bool]]:
        """What moved, and whether that is all of it. A history that is not handed over or cannot be
        read is missing, and the others count; where two are not answered at all, the rest is not
        waited for either."""
        found: list[Flow] = []
        complete, unanswered = True, 0
        if since_ms is None:
            return found, complete
        for history in self._histories(since_ms):
            try:
                moved, whole = yield from history
            except AnswerError as error:
                complete = False
                unanswered += error.reply.error is None
                if unanswered > 1:
                    break
                continue
            except Unreadable as error:
                self._unread.note("history", error)
                moved, whole = [], False
            found += moved
            complete &= whole
        recent = (flow for flow in found if flow.venue_ms >= since_ms)
        return sorted(recent, key=lambda flow: flow.venue_ms), complete

    def _histories(self, since_ms: int) -> list[Recipe[tuple[list[Flow], bool]]]:
        window = {
            **self._subaccount,
            "start_timestamp": since_ms,
            "end_timestamp": self._now_ms() + 1000,
        }
        kinds = {one.premium_paid for one in self._followed.values()}
        found: list[Recipe[tuple[list[Flow], bool]]] = []
        if False in kinds:
            found.append(self._funding(window))
        if True in kinds:
            found.append(self._settlements())
        for path, key, read in (
            ("get_interest_history", "events", flows.interest_flows),
            ("get_deposit_history", "deposits", flows.deposit_flows),
            ("get_withdrawal_history", "withdrawals", flows.withdrawal_flows),
            ("get_erc20_transfer_history", "transfers", flows.transfer_flows),
        ):
            found.append(self._transfers(f"private/{path}", key, window, read))
        return found

    def _funding(self, window: Mapping[str, Any]) -> Recipe[tuple[list[Flow], bool]]:
        pages = yield from everything(
            get, "private/get_funding_history", window, "events", self._unread
        )
        moved, unreadable = flows.funding_flows(pages.rows, self._followed, self._unread)
        return moved, pages.whole and not unreadable

    def _settlements(self) -> Recipe[tuple[list[Flow], bool]]:
        answer = yield from get("private/get_option_settlement_history", self._subaccount)
        rows = fields_of(answer, "settlements").get("settlements")
        moved, unreadable = flows.settlement_flows(rows, self._followed, self._unread)
        return moved, not unreadable

    def _transfers(
        self,
        method: str,
        key: str,
        window: Mapping[str, Any],
        read: Callable[[object, Unread], flows.Flows],
    ) -> Recipe[tuple[list[Flow], bool]]:
        answer = yield from get(method, window)
        rows = fields_of(answer, key).get(key)
        moved, unreadable = read(rows, self._unread)
        full = isinstance(rows, list) and len(rows) >= ROWS_MAX
        return moved, not unreadable and not full


def _ask(method: str, params: Mapping[str, Any]) -> Recipe[Any]:
    return ask(Link.TRADING, method, params)
