"""Deribit's word on everything: which questions a look is made of (`venues/looks.py`)."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from msgspec.structs import replace

from mmbot.core.contracts import Instrument
from mmbot.core.events import Link, OrderSeen
from mmbot.core.statements import Equity, Fill, Flow, HeldPosition
from mmbot.core.types import InstrumentId, Label, instrument_name
from mmbot.venues import looks, reading
from mmbot.venues.answers import AnswerError
from mmbot.venues.asking import ask, get
from mmbot.venues.deribit import parse
from mmbot.venues.looks import Wanted
from mmbot.venues.reading import Unreadable, fields_of
from mmbot.venues.recipe import Recipe

LOG_PAGE_ROWS: Final = 250
PAGE_TRADES: Final = 1000
"""The most rows the venue returns at once, of its log and of trades."""

RECENT_MS: Final = 23 * 3600 * 1000
"""Trades older than about a day are served only with `historical`; an hour of margin."""

ORDER_NOT_FOUND: Final = 10004

PAGES_MAX: Final = 1000
"""A list that goes on for longer than that is going round in circles."""


class Looks(looks.Looks):
    """Most of it is asked by settlement currency."""

    def _orders(self) -> Recipe[object]:
        return (yield from _ask("private/get_open_orders", {}))

    def _look_up_all(
        self, wanted: Sequence[Wanted]
    ) -> Recipe[list[tuple[Label, OrderSeen | None]]]:
        found: list[tuple[Label, OrderSeen | None]] = []
        for instrument, label, order_id in wanted:
            if order_id:
                found.append((label, (yield from self._look_up_id(order_id, label))))
            else:
                found.append((label, (yield from self._look_up(instrument, label))))
        return found

    def _look_up(self, instrument: InstrumentId, label: Label) -> Recipe[OrderSeen | None]:
        """The newest statement about a label. Raises Unreadable where there is one, but none that
        could be read: that is no proof of absence."""
        followed = self._followed.get(instrument_name(instrument))
        if followed is None:
            return None
        params = {"currency": followed.settlement, "label": label}
        answer = yield from _ask("private/get_order_state_by_label", params)
        rows = answer if isinstance(answer, list) else [answer]
        seen, left_out = reading.each(rows, self._seen, self._unread, "order")
        if left_out and not seen:
            raise Unreadable(f"what became of {label}")
        return max(seen, key=lambda one: one.venue_ms, default=None)

    def _look_up_id(self, order_id: str, label: Label) -> Recipe[OrderSeen | None]:
        """The statement about an order by its id, where the venue knows no labels. Raises as
        `_look_up` does."""
        try:
            answer = yield from _ask("private/get_order_state", {"order_id": order_id})
        except AnswerError as error:
            if error.reply.error is None or error.reply.error.code != ORDER_NOT_FOUND:
                raise
            return None
        return replace(self._seen(answer), label=label)

    def _equity(self) -> Recipe[list[Equity]]:
        """What the account is worth, as far as it is told: nothing else depends on it."""
        answer = yield from _ask("private/get_account_summaries", {})
        try:
            rows = fields_of(answer, "account").get("summaries", [])
            found, _ = reading.each(
                rows, lambda row: parse.equity_of(row, self._unread), self._unread, "account"
            )
        except Unreadable as error:
            self._unread.note("account", error)
            return []
        return found

    def _positions(self) -> Recipe[list[HeldPosition]]:
        """Every position. Where a row does not say of which instrument it is, each of ours that is
        in no other row is asked about by name: it might be that one."""
        answer = yield from _ask("private/get_positions", {"currency": "any"})
        found, nameless = reading.each(answer, self._position, self._unread, "position")
        if nameless:
            named = {position.instrument for position in found}
            for instrument in list(self._followed.values()):
                if instrument.id not in named:
                    found.append((yield from self._position_of(instrument)))
        return found

    def _position_of(self, instrument: Instrument) -> Recipe[HeldPosition]:
        """One position; of unknown size where the answer cannot be read."""
        params = {"instrument_name": instrument.name}
        answer = yield from _ask("private/get_position", params)
        try:
            return parse.position_of(self._venue, answer, None, self._unread)
        except Unreadable as error:
            self._unread.note("position", error)
            return HeldPosition(instrument.id, None)

    def _currencies(self) -> list[str]:
        return sorted({instrument.settlement for instrument in self._followed.values()})

    # --- trades -------------------------------------------------------------------------------

    def _fills(self, since_ms: int) -> Recipe[list[Fill]]:
        found: dict[str, Fill] = {}
        for currency in self._currencies():
            old = self._now_ms() - since_ms > RECENT_MS
            for historical in ("true", "false") if old else ("false",):
                trades = yield from self._trades_of(currency, since_ms, historical)
                found |= {fill.key: fill for fill in trades}
        return sorted(found.values(), key=lambda fill: (fill.venue_ms, fill.trade_id))

    def _trades_of(self, currency: str, since_ms: int, historical: str) -> Recipe[list[Fill]]:
        start_ms = since_ms
        found: dict[str, Fill] = {}
        for _ in range(PAGES_MAX):
            params = {
                "currency": currency,
                "start_timestamp": start_ms,
                "end_timestamp": self._now_ms() + 1000,
                "count": PAGE_TRADES,
                "sorting": "asc",
                "historical": historical,
            }
            answer = yield from get("private/get_user_trades_by_currency_and_time", params)
            page = fields_of(answer, "trades")
            fills, _ = reading.each(page.get("trades"), self._fill, self._unread, "trade")
            new = {fill.key: fill for fill in fills if fill.key not in found}
            found |= new
            if not page.get("has_more"):
                return list(found.values())
            latest_ms = max((fill.venue_ms for fill in fills), default=start_ms)
            if not new and latest_ms <= start_ms:
                break
            # The last millisecond again: it may hold more trades than this page did.
            start_ms = latest_ms
        raise Unreadable(f"the list of {currency} trades repeats itself at {start_ms}")

    # --- money that moved otherwise -----------------------------------------------------------

    def _flows(self, since_ms: int | None) -> Recipe[tuple[list[Flow], bool]]:
        """What moved, and whether that is all of it. One question a currency, whatever it is about:
        the log has a small pool of its own."""
        flows: list[Flow] = []
        complete = True
        if since_ms is None:
            return flows, complete
        for currency in self._currencies():
            try:
                flows += yield from self._flows_of(currency, since_ms)
            except Unreadable as error:
                self._unread.note("log", error)
                complete = False
        return sorted(flows, key=lambda flow: flow.venue_ms), complete

    def _flows_of(self, currency: str, since_ms: int) -> Recipe[list[Flow]]:
        params: dict[str, Any] = {
            "currency": currency,
            "start_timestamp": since_ms,
            "end_timestamp": self._now_ms() + 1000,
            "count": LOG_PAGE_ROWS,
        }
        flows: list[Flow] = []
        for _ in range(PAGES_MAX):
            answer = yield from _ask("private/get_transaction_log", params)
            page = fields_of(answer, "log")
            rows, _ = reading.each(page.get("logs"), self._row_flows, self._unread, "log row")
            flows += [flow for row in rows for flow in row]
            following = page.get("continuation")
            if not following or following == params.get("continuation"):
                return flows
            params = {**params, "continuation": following}
        raise Unreadable(f"the {currency} log repeats itself")

    def _row_flows(self, row: object) -> list[Flow]:
        found: Iterator[Flow] = parse.flows_of(row, self._followed, self._unread)
        return list(found)


def _ask(method: str, params: dict[str, Any]) -> Recipe[Any]:
    return ask(Link.TRADING, method, params)
