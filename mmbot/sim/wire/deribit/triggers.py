"""Trigger orders: stops, takes and trailing stops, which wait outside the book for a price.

They are never matched. When the price they watch has come as far as they say, each becomes an
ordinary market or limit order with an id of its own, and is itself `triggered`. A venue that ends
forgets them: they are not in its state file.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Final

from mmbot.sim.exchange.listing import Kind, Listing, Side
from mmbot.sim.exchange.orders import CancelReason, OrderType, TimeInForce
from mmbot.sim.exchange.refusals import Refusal
from mmbot.sim.exchange.requests import NewOrder
from mmbot.sim.wire.deribit.channels import AccountNews
from mmbot.sim.wire.deribit.errors import invalid_params
from mmbot.sim.wire.deribit.floor import Floor
from mmbot.sim.wire.deribit.params import Params
from mmbot.sim.wire.deribit.shapes import Json

HISTORY_MAX: Final = 10_000
ENDED_MAX: Final = 10_000


class TriggerType(Enum):
    """The values are the venue's words."""

    STOP_MARKET = "stop_market"
    STOP_LIMIT = "stop_limit"
    TAKE_MARKET = "take_market"
    TAKE_LIMIT = "take_limit"
    TRAILING_STOP = "trailing_stop"

    @property
    def is_limit(self) -> bool:
        """Whether it becomes a limit order, not a market order."""
        return self in (TriggerType.STOP_LIMIT, TriggerType.TAKE_LIMIT)


class Trigger(Enum):
    """Which price is watched; the values are the venue's words."""

    INDEX = "index_price"
    MARK = "mark_price"
    LAST = "last_price"


_EVERY: Final = frozenset(TriggerType)
_STOPS: Final = frozenset({TriggerType.STOP_MARKET, TriggerType.STOP_LIMIT})
_TAKES: Final = frozenset({TriggerType.TAKE_MARKET, TriggerType.TAKE_LIMIT})
_TRAILING: Final = frozenset({TriggerType.TRAILING_STOP})
_WORDS: Final = {
    "all": _EVERY,
    "limit": frozenset(),
    "market": frozenset(),
    "trigger_all": _EVERY,
    "stop": _STOPS,
    "stop_all": _STOPS,
    "take": _TAKES,
    "take_all": _TAKES,
    "trailing_all": _TRAILING,
} | {one.value: frozenset({one}) for one in TriggerType}

_ID_WORD: Final = {"stop": "SL", "take": "TP", "trailing": "TS"}
_ID_LETTER: Final = {Trigger.INDEX: "I", Trigger.MARK: "M", Trigger.LAST: "T"}


def types_of(params: Params) -> tuple[bool, frozenset[TriggerType]]:
    """Whom a request's `type` means: (resting limit orders, these trigger orders)."""
    word = params.text_or("type", "all") or "all"
    if word not in _WORDS:
        raise invalid_params(f"must be one of {', '.join(_WORDS)}", "type")
    return word in ("all", "limit"), _WORDS[word]


@dataclass(slots=True)
class TriggerOrder:
    """`trigger_price` is None where it trails; `reference` is what it trails: the best so far."""

    order_id: str
    account: str
    listing: Listing
    side: Side
    type: TriggerType
    trigger: Trigger
    trigger_price: Decimal | None
    offset: Decimal | None
    reference: float | None
    price: Decimal | None  # of the limit order it becomes
    amount: Decimal
    label: str
    post_only: bool
    reject_post_only: bool
    reduce_only: bool
    time_in_force: TimeInForce
    created_ms: int
    updated_ms: int
    state: str = "untriggered"
    cancel_reason: CancelReason | None = None

    def has_come(self, price: float) -> bool:
        """Whether that price triggers it; a trailing one follows."""
        rising = (self.side is Side.BUY) != (self.type in _TAKES)
        if self.type is not TriggerType.TRAILING_STOP:
            assert self.trigger_price is not None, "only a trailing one has no trigger price"
            limit = float(self.trigger_price)
            return price >= limit if rising else price <= limit
        assert self.offset is not None, "a trailing one has an offset"
        best = price if self.reference is None else self.reference
        self.reference = min(best, price) if rising else max(best, price)
        return abs(price - self.reference) >= float(self.offset)

    def shaped(self) -> Json:
        """An order object: no fills, and no price where it becomes a market order."""
        shaped: Json = {
            "order_id": self.order_id,
            "order_state": self.state,
            "order_type": self.type.value,
            "time_in_force": self.time_in_force.value,
            "instrument_name": self.listing.name,
            "direction": self.side.value,
            "price": "market_price" if self.price is None else float(self.price),
            "amount": float(self.amount),
            "contracts": float(self.amount / self.listing.contract_size),
            "label": self.label,
            "post_only": self.post_only,
            "reduce_only": self.reduce_only,
            "trigger": self.trigger.value,
            "triggered": self.state == "triggered",
            "mmp": False,
            "replaced": False,
            "api": True,
            "web": False,
            "is_liquidation": False,
            "risk_reducing": False,
            "creation_timestamp": self.created_ms,
            "last_update_timestamp": self.updated_ms,
        }
        if self.post_only:
            shaped["reject_post_only"] = self.reject_post_only
        if self.trigger_price is not None:
            shaped["trigger_price"] = float(self.trigger_price)
        if self.offset is not None:
            shaped["trigger_offset"] = float(self.offset)
            shaped["trigger_reference_price"] = self.reference
        if self.cancel_reason is not None:
            shaped["cancel_reason"] = self.cancel_reason.value
        return shaped


class Triggers:
    """All trigger orders of a venue."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._open: dict[str, TriggerOrder] = {}
        self._ended: dict[str, TriggerOrder] = {}
        self._history: dict[str, deque[Json]] = {}
        self._count = 0
        floor.when_closed.append(self.cancel_in)

    def place(
        self,
        account: str,
        listing: Listing,
        side: Side,
        amount: Decimal,
        params: Params,
        label: str,
    ) -> TriggerOrder:
        """A new one, which waits from now on. Raises WireError."""
        type_ = params.choice("type", TriggerType, TriggerType.STOP_MARKET)
        if params.text_or("trigger", None) is None:
            raise invalid_params("value required", "trigger")
        trigger = params.choice("trigger", Trigger, Trigger.LAST)
        trails = type_ is TriggerType.TRAILING_STOP
        trigger_price = None if trails else _positive(params, "trigger_price")
        offset = _positive(params, "trigger_offset") if trails else None
        price = _positive(params, "price") if type_.is_limit else None
        for name, told in (("trigger_price", trigger_price), ("price", price)):
            if told is not None and not listing.on_ladder(told):
                raise invalid_params(f"must be a multiple of {listing.tick_at(told)}", name)
        if amount <= 0 or amount % listing.amount_step or amount < listing.min_amount:
            raise invalid_params(f"must be a multiple of {listing.amount_step}", "amount")
        self._count += 1
        now_ms = self._floor.now_ms()
        self._floor.watch(listing.name)
        order = TriggerOrder(
            _order_id(listing, type_, trigger, side, self._count),
            account,
            listing,
            side,
            type_,
            trigger,
            trigger_price,
            offset,
            self._price(listing, trigger) if trails else None,
            price,
            amount,
            label,
            params.flag("post_only"),
            params.flag("reject_post_only"),
            params.flag("reduce_only"),
            params.choice("time_in_force", TimeInForce, TimeInForce.GTC),
            now_ms,
            now_ms,
        )
        self._open[order.order_id] = order
        self._tell(order)
        return order

    def find(self, account: str, order_id: str) -> TriggerOrder | None:
        """One that waits, or has ended not long ago."""
        found = self._open.get(order_id) or self._ended.get(order_id)
        return found if found is not None and found.account == account else None

    def waiting(
        self,
        account: str,
        types: frozenset[TriggerType] = _EVERY,
        *,
        name: str | None = None,
        currency: str | None = None,
        kinds: frozenset[Kind] | None = None,
        label: str | None = None,
    ) -> list[TriggerOrder]:
        """The account's that wait and match every given filter."""
        return [
            order
            for order in self._open.values()
            if order.account == account
            and order.type in types
            and (name is None or order.listing.name == name)
            and (currency is None or order.listing.settlement == currency)
            and (kinds is None or order.listing.kind in kinds)
            and (label is None or order.label == label)
        ]

    def names(self) -> Iterator[str]:
        """The instruments one waits in."""
        return (order.listing.name for order in self._open.values())

    def cancel(
        self, account: str, order_id: str, reason: CancelReason = CancelReason.USER_REQUEST
    ) -> TriggerOrder | None:
        """Take one back; None where there is none that waits."""
        order = self._open.get(order_id)
        if order is None or order.account != account:
            return None
        order.cancel_reason = reason
        self._end(order, "cancelled", "cancel", order.order_id)
        self._tell(order)
        return order

    def cancel_each(
        self, orders: Iterable[TriggerOrder], reason: CancelReason = CancelReason.USER_REQUEST
    ) -> int:
        """Take them back; how many that was."""
        return sum(
            self.cancel(order.account, order.order_id, reason) is not None for order in orders
        )

    def cancel_in(self, name: str) -> None:
        """The instrument is no longer traded."""
        gone = [order for order in self._open.values() if order.listing.name == name]
        self.cancel_each(gone, CancelReason.SETTLEMENT)

    def cancel_all_of(self, account: str) -> None:
        """The venue has lost the account's open orders."""
        self.cancel_each(self.waiting(account), CancelReason.DISCONNECT)

    def look(self) -> None:
        """Let those become orders whose price has come."""
        for order in list(self._open.values()):
            if self._floor.exchange.is_halted(order.listing):
                continue
            price = self._price(order.listing, order.trigger)
            if price is not None and order.has_come(price):
                self._fire(order)

    def history(self, account: str) -> list[Json]:
        """What has become of the account's, newest first."""
        return list(reversed(self._history.get(account, ())))

    # -- inside --------------------------------------------------------------------------------

    def _price(self, listing: Listing, trigger: Trigger) -> float | None:
        if trigger is Trigger.INDEX:
            return self._floor.index_of(listing.index_name)
        if trigger is Trigger.MARK:
            return self._floor.market_ticker(listing.name).mark_price
        last = self._floor.exchange.book(listing.name).last_price
        return None if last is None else float(last)

    def _fire(self, order: TriggerOrder) -> None:
        wish = NewOrder(
            name=order.listing.name,
            side=order.side,
            amount=order.amount,
            price=order.price,
            type=OrderType.LIMIT if order.type.is_limit else OrderType.MARKET,
            time_in_force=order.time_in_force,
            label=order.label,
            post_only=order.post_only,
            reject_post_only=order.reject_post_only,
            reduce_only=order.reduce_only,
        )
        placed = self._floor.exchange.place(order.account, wish, self._floor.now_ms())
        if isinstance(placed, Refusal):
            word = f"rejected:{placed.code.message}"
            self._end(order, "rejected", "trigger:order", order.order_id, word)
        else:
            self._floor.triggered[placed.order.order_id] = order.order_id
            self._end(order, "triggered", "trigger:order", placed.order.order_id)
        self._tell(order)

    def _end(
        self, order: TriggerOrder, state: str, request: str, order_id: str, word: str = ""
    ) -> None:
        del self._open[order.order_id]
        order.state = state
        order.updated_ms = self._floor.now_ms()
        self._ended[order.order_id] = order
        if len(self._ended) > ENDED_MAX:
            del self._ended[next(iter(self._ended))]
        price = order.price if order.price is not None else order.trigger_price
        entry: Json = {
            "timestamp": order.updated_ms,
            "trigger": order.trigger.value,
            "trigger_price": None if order.trigger_price is None else float(order.trigger_price),
            "trigger_order_id": order.order_id,
            "order_id": order_id,
            "order_state": word or state,
            "instrument_name": order.listing.name,
            "request": request,
            "direction": order.side.value,
            "price": None if price is None else float(price),
            "amount": float(order.amount),
            "last_update_timestamp": order.updated_ms,
            "reduce_only": order.reduce_only,
            "post_only": order.post_only,
            "order_type": "limit" if order.type.is_limit else "market",
            "source": "api",
        }
        if order.label:
            entry["label"] = order.label
        if order.offset is not None:
            entry["trigger_offset"] = float(order.offset)
            reference = order.reference or 0.0
            entry["trigger_price"] = entry["price"] = reference
        entries = self._history.setdefault(order.account, deque(maxlen=HISTORY_MAX))
        entries.append(entry)

    def _tell(self, order: TriggerOrder) -> None:
        account, name = order.account, order.listing.name
        self._floor.news.append(
            AccountNews(
                account,
                order.listing,
                [order.shaped()],
                [],
                False,
                lambda: self._floor.position_of(account, name),
            )
        )


def _positive(params: Params, name: str) -> Decimal:
    found = params.decimal_or_none(name)
    if found is None:
        raise invalid_params("value required", name)
    if found <= 0:
        raise invalid_params("must be positive", name)
    return found


def _order_id(
    listing: Listing, type_: TriggerType, trigger: Trigger, side: Side, count: int
) -> str:
    """As the venue writes it: ETH-SLTS-1234 is a stop loss on the last trade that sells."""
    prefix = "" if listing.settlement == "BTC" else f"{listing.settlement}-"
    word = _ID_WORD[type_.value.partition("_")[0]]
    return f"{prefix}{word}{_ID_LETTER[trigger]}{side.value[0].upper()}-{count}"
