"""A morning at the simulated venue, without sockets: every frame it sends is judged.

`morning` plays it: orders, fills, positions, the settlement and an expiry, in options, perpetuals
and futures, inverse and linear ones. A new method needs one request in `EVERYTHING`, a new channel
one name in `CHANNELS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import Any, Final

import orjson

from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.rules import VenueRules
from mmbot.sim.market.market import Market
from mmbot.sim.wire.deribit.auth import Gatekeeper
from mmbot.sim.wire.deribit.channel_names import make_channel
from mmbot.sim.wire.deribit.channels import Channel
from mmbot.sim.wire.deribit.channels_market import TickerChannel
from mmbot.sim.wire.deribit.protocol import DeribitProtocol
from mmbot.sim.wire.deribit.session import Session
from mmbot.sim.wire.frame import Frame
from mmbot.sim.wire.manner import Manner
from tests.wire.spec import law
from tests.wire.venue import UNLIMITED

Json = dict[str, Any]

EIGHT_MS: Final = 1_749_196_800_000  # 2025-06-06T08:00:00Z, a Friday
ACCOUNT: Final = "sim-judged"
INVERSE_OPTION: Final = "ETH-6JUN25-2800-C"  # ends at eight
LATER_OPTION: Final = "ETH-13JUN25-2800-C"
LINEAR_OPTION: Final = "BTC_USDC-6JUN25-105000-C"  # ends at eight
PERPETUAL: Final = "ETH-PERPETUAL"
LINEAR_PERPETUAL: Final = "BTC_USDC-PERPETUAL"
FUTURE: Final = "ETH-6JUN25"  # ends at eight
NAMES: Final = (
    INVERSE_OPTION,
    LATER_OPTION,
    LINEAR_OPTION,
    PERPETUAL,
    LINEAR_PERPETUAL,
    FUTURE,
)
EXPIRING: Final = (INVERSE_OPTION, LINEAR_OPTION, FUTURE)

CHANNELS: Final = (
    *(
        shape.format(name)
        for name in NAMES
        for shape in (
            "book.{}.raw",
            "book.{}.100ms",
            "book.{}.none.10.100ms",
            "ticker.{}.raw",
            "ticker.{}.100ms",
            "incremental_ticker.{}",
            "quote.{}",
            "trades.{}.100ms",
            "user.orders.{}.raw",
            "user.orders.{}.100ms",
            "user.trades.{}.raw",
            "user.changes.{}.100ms",
        )
    ),
    "trades.option.ETH.raw",
    "trades.future.any.100ms",
    "user.orders.any.any.raw",
    "user.orders.any.any.100ms",
    "user.trades.any.any.100ms",
    "user.changes.any.any.raw",
    "user.portfolio.any",
    "user.portfolio.eth",
    "deribit_price_index.eth_usd",
    "instrument.state.any.any",
    *(f"chart.trades.{name}.1" for name in NAMES),
    "platform_state",
    "platform_state.public_methods_state",
    "user.lock",
)
COMBO_CHANNELS: Final = (
    "book.{}.100ms",
    "book.{}.none.10.100ms",
    "ticker.{}.100ms",
    "incremental_ticker.{}",
    "quote.{}",
    "trades.{}.100ms",
)

HEARTBEATS: Final = tuple(
    {"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": kind}}
    for kind in ("heartbeat", "test_request")
)
LIST_ROWS: Final = 100

EVER: Final[Json] = {"start_timestamp": 0, "end_timestamp": 10**14}
# What is asked at any time, about everything: method -> the parameters of each request.
EVERYTHING: Final[Mapping[str, tuple[Json, ...]]] = {
    "public/test": ({},),
    "public/hello": ({"client_name": "judge", "client_version": "1"},),
    "public/get_time": ({},),
    "public/status": ({},),
    "public/set_heartbeat": ({"interval": 30},),
    "public/disable_heartbeat": ({},),
    "private/enable_cancel_on_disconnect": ({"scope": "account"}, {}),
    "private/get_cancel_on_disconnect": ({}, {"scope": "account"}),
    "private/disable_cancel_on_disconnect": ({}, {"scope": "account"}),
    "public/get_currencies": ({},),
    "public/get_instruments": (
        {"currency": "any"},
        {"currency": "USDC", "kind": "option"},
        {"currency": "any", "expired": True},
        {"currency": "any", "kind": "spot"},
    ),
    "public/get_instrument": tuple({"instrument_name": name} for name in NAMES),
    "public/get_last_trades_by_instrument": tuple({"instrument_name": name} for name in NAMES),
    "public/get_last_trades_by_instrument_and_time": tuple(
        {"instrument_name": name, **EVER} for name in NAMES
    ),
    "public/get_index_price": ({"index_name": "eth_usd"},),
    "public/get_book_summary_by_currency": (
        {"currency": "ETH"},
        {"currency": "USDC", "kind": "future"},
    ),
    "public/get_delivery_prices": ({"index_name": "eth_usd"},),
    "public/get_funding_rate_value": ({"instrument_name": PERPETUAL, **EVER},),
    "public/get_funding_rate_history": ({"instrument_name": PERPETUAL, **EVER},),
    "public/get_funding_chart_data": ({"instrument_name": PERPETUAL, "length": "8h"},),
    "private/get_account_summary": (
        {"currency": "ETH"},
        {"currency": "BTC", "extended": True},
        {"currency": "USDC", "extended": False},
    ),
    "private/get_account_summaries": ({}, {"extended": True}, {"extended": False}),
    "private/get_positions": ({}, {"currency": "any"}, {"currency": "USDC", "kind": "future"}),
    "private/get_position": tuple({"instrument_name": name} for name in NAMES),
    "private/get_open_orders": ({}, {"kind": "option"}, {"type": "trigger_all"}),
    "private/get_open_orders_by_currency": ({"currency": "ETH"},),
    "private/get_open_orders_by_instrument": ({"instrument_name": PERPETUAL},),
    "private/get_open_orders_by_label": ({"currency": "ETH", "label": "mine"},),
    "private/get_order_state_by_label": ({"currency": "ETH", "label": "mine"},),
    "private/get_order_history_by_currency": ({"currency": "ETH", "include_unfilled": True},),
    "private/get_order_history_by_instrument": ({"instrument_name": PERPETUAL},),
    "private/get_user_trades_by_instrument": tuple({"instrument_name": name} for name in NAMES),
    "private/get_user_trades_by_instrument_and_time": (
        {"instrument_name": INVERSE_OPTION, **EVER},
    ),
    "private/get_user_trades_by_currency": ({"currency": "USDC"}, {"currency": "ETH"}),
    "private/get_user_trades_by_currency_and_time": ({"currency": "ETH", **EVER},),
    "private/get_transaction_log": (
        {"currency": "ETH", **EVER},
        {"currency": "USDC", "query": "trade", **EVER},
        {"currency": "ETH", "count": 2, **EVER},
    ),
    "private/get_subaccounts": ({}, {"with_portfolio": True}),
    "private/get_deposits": ({"currency": "ETH"},),
    "private/get_withdrawals": ({"currency": "ETH"},),
    "private/get_transfers": ({"currency": "ETH"},),
    "private/get_current_deposit_address": ({"currency": "ETH"},),
    "private/create_deposit_address": ({"currency": "ETH"},),
    "private/get_trigger_order_history": ({"currency": "ETH"}, {"currency": "ETH", "count": 1}),
    "private/get_user_locks": ({},),
    "public/get_book_summary_by_instrument": tuple({"instrument_name": name} for name in NAMES),
    "public/get_combos": ({"currency": "any"},),
    "public/get_combo_ids": ({"currency": "ETH"}, {"currency": "BTC", "state": "active"}),
    "public/get_historical_volatility": ({"currency": "ETH"},),
    "public/get_index_price_names": ({}, {"extended": True}),
    "public/get_last_settlements_by_currency": ({"currency": "ETH"},),
    "public/get_last_settlements_by_instrument": ({"instrument_name": INVERSE_OPTION},),
    "public/get_last_trades_by_currency": ({"currency": "ETH"}, {"currency": "USDC"}),
    "public/get_last_trades_by_currency_and_time": ({"currency": "ETH", **EVER},),
    "public/get_tradingview_chart_data": tuple(
        {
            "instrument_name": name,
            "resolution": "1",
            "start_timestamp": EIGHT_MS - 3_600_000,
            "end_timestamp": EIGHT_MS + 3_600_000,
        }
        for name in NAMES
    ),
    "private/get_settlement_history_by_instrument": ({"instrument_name": INVERSE_OPTION},),
    "private/get_settlement_history_by_currency": (
        {"currency": "ETH"},
        {"currency": "ETH", "count": 1},
    ),
}
# Of open instruments only.
OF_OPEN: Final = ("public/ticker", "public/get_order_book")
# Requests that must be refused, one for every way to say no.
REFUSED: Final[tuple[tuple[str, Json], ...]] = (
    ("public/no_such_method", {}),
    ("private/get_position", {"instrument_name": "ETH-NOTHING"}),
    ("private/buy", {"instrument_name": PERPETUAL}),
    ("private/buy", {"instrument_name": PERPETUAL, "amount": 0.5, "price": 2_000}),
    ("private/cancel", {"order_id": "ETH-1"}),
    ("private/get_transaction_log", {"currency": "ETH"}),
)


@dataclass
class Judge:
    """Hears every frame that the venue writes, and notes what the specification does not permit.

    `lenient`: it only listens, for what is odd is not meant to be permitted.
    """

    lenient: bool = False
    faults: list[str] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)
    refused: set[int] = field(default_factory=set)
    pushed: set[str] = field(default_factory=set)  # patterns
    asked: dict[Any, tuple[str, Json]] = field(default_factory=dict)
    replies: dict[Any, Json] = field(default_factory=dict)
    frames: list[Json] = field(default_factory=list)  # over the WebSocket, as they came
    said: list[Frame] = field(default_factory=list)  # the same as they left

    def hear(self, said: Frame) -> None:
        frame = orjson.loads(said.text)
        self.said.append(said)
        self.frames.append(frame)
        if "id" in frame:
            method, params = self.asked[frame["id"]]
            self.replies[frame["id"]] = frame
            self.reply(method, params, frame)
        elif self.lenient:
            return
        elif frame.get("method") == "subscription":
            channel = frame["params"]["channel"]
            self.pushed.add(law.pattern_of(channel) or channel)
            self.faults += law.faults_of_push(channel, frame["params"]["data"])
        elif frame not in HEARTBEATS:
            self.faults.append(f"nobody asked for {frame}")

    def reply(self, method: str, params: Json, frame: Json) -> None:
        """Judge the answer to a request."""
        if self.lenient:
            return
        if "error" in frame:
            self.refused.add(frame["error"]["code"])
            self.faults += law.faults_of_error(frame)
            return
        unknown = frame.keys() - {"jsonrpc", "id", "result", *law.law()["envelope"]}
        self.faults += [f"{method}: the frame has {name}" for name in sorted(unknown)]
        result = frame["result"]
        if method in self.answered and isinstance(result, list):
            # Thousands of listings, all shaped by one function: judged whole the first time.
            result = result[:: 1 + len(result) // LIST_ROWS]
        self.answered.add(method)
        extended = params.get("extended") in (True, "true")
        self.faults += law.faults_of_reply(method, result, extended=extended)


class Judged:
    """A venue whose time moves by hand, and one client of it."""

    def __init__(self, manner: Manner = Manner.PLAIN, seed: int = 1) -> None:
        self.us = (EIGHT_MS - 3_000) * 1_000
        self.exchange = Exchange("judged", VenueRules(settlement_pause_ms=500))
        balances = {"BTC": Decimal(10), "ETH": Decimal(100), "USDC": Decimal(250_000)}
        self.exchange.open_account(ACCOUNT, balances)
        market = Market(self.exchange, 1, self.us // 1_000)
        keys = Gatekeeper("sim", "sim", ACCOUNT, 900.0)
        self.venue = DeribitProtocol(
            self.exchange,
            market,
            keys,
            UNLIMITED,
            lambda: self.us,
            manners=manner,
            manners_seed=seed,
        )
        self.judge = Judge(lenient=manner is Manner.ODD)
        self.session = self._connected()
        self._id = 0

    def _connected(self) -> Session:
        return self.venue.on_open(lambda frame, _: self.judge.hear(frame), lambda: None)

    def ask(self, method: str, **params: Any) -> Any:
        """The result of a request over the WebSocket, None where it is refused."""
        self._id += 1
        self.judge.asked[self._id] = (method, params)
        frame = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        self.venue.on_frame(self.session, orjson.dumps(frame))
        return self.judge.replies.pop(self._id).get("result")

    def ask_rest(self, token: str, method: str, **params: str) -> None:
        """The same over REST, where every value is a text."""
        _, body = self.venue.on_rest(method, params | {"access_token": token}, None, None)
        self.judge.reply(method, params, orjson.loads(body.text))

    def pass_time(self, ms: int) -> None:
        """Let the venue live for so long."""
        for _ in range(ms // 50):
            self.us += 50_000
            self.venue.tick()

    def made(self, names: tuple[str, ...]) -> list[Channel]:
        """The channels of such names."""
        found = [make_channel(self.venue, self.venue.catalog, name, ACCOUNT) for name in names]
        return [one for one in found if one is not None]

    def reconnect(self) -> None:
        self.venue.on_closed(self.session)
        self.session = self._connected()
        self.ask("public/auth", **CREDENTIALS)


CREDENTIALS: Final = {
    "grant_type": "client_credentials",
    "client_id": "sim",
    "client_secret": "sim",
}


@cache
def morning(manner: Manner = Manner.PLAIN, seed: int = 1) -> Judge:
    """Play it once; the tests share what was noted."""
    judged = Judged(manner, seed)
    token = judged.ask("public/auth", **CREDENTIALS)
    judged.ask("public/auth", grant_type="refresh_token", refresh_token=token["refresh_token"])
    half = len(CHANNELS) // 2
    judged.ask("public/subscribe", channels=list(CHANNELS[:half]))
    judged.ask("private/subscribe", channels=list(CHANNELS[half:]))
    judged.pass_time(500)
    _ask_everything(judged, NAMES)
    _trade(judged)
    _pull_triggers(judged)
    _move_money(judged)
    _combine(judged)
    judged.pass_time(500)
    _ask_everything(judged, NAMES)
    for method, params in REFUSED:
        judged.ask(method, **params)
    for method, requests in EVERYTHING.items():
        if not method.startswith("public/set") and "cancel_on" not in method:
            for params in requests:
                texts = {name: _text(value) for name, value in params.items()}
                judged.ask_rest(token["access_token"], method, **texts)
    judged.pass_time(4_000)
    _ask_everything(judged, [name for name in NAMES if name not in EXPIRING])
    _lock(judged)
    _cancel(judged)
    judged.ask("public/set_heartbeat", interval=10)
    judged.pass_time(10_500)
    judged.ask("public/unsubscribe", channels=list(CHANNELS[:2]))
    judged.ask("private/unsubscribe", channels=list(CHANNELS[-2:]))
    judged.ask("public/unsubscribe_all")
    judged.ask("private/unsubscribe_all")
    judged.ask("private/logout")
    return judged.judge


def _text(value: Any) -> str:
    return orjson.dumps(value).decode() if not isinstance(value, str) else value


def _ask_everything(judged: Judged, names: list[str] | tuple[str, ...]) -> None:
    for method, requests in EVERYTHING.items():
        for params in requests:
            judged.ask(method, **params)
    for method in OF_OPEN:
        for name in names:
            judged.ask(method, instrument_name=name)


def _trade(judged: Judged) -> None:
    for name, amount in (
        (INVERSE_OPTION, 2),
        (LATER_OPTION, 1),
        (LINEAR_OPTION, 1),
        (PERPETUAL, 3_000),
        (LINEAR_PERPETUAL, 0.01),
        (FUTURE, 3_000),
    ):
        for method in ("private/buy", "private/sell", "private/buy"):
            made = judged.ask(
                method, instrument_name=name, amount=amount, type="market", label="mine"
            )
            if made is not None:
                judged.ask("private/get_order_state", order_id=made["order"]["order_id"])
                judged.ask("private/get_user_trades_by_order", order_id=made["order"]["order_id"])
        judged.pass_time(100)
    judged.ask("private/sell", instrument_name=PERPETUAL, amount=1_000, type="market")
    made = judged.ask(
        "private/buy",
        instrument_name=PERPETUAL,
        amount=10,
        price=2_000,
        label="mine",
        post_only=True,
        reject_post_only=True,
    )
    judged.ask("private/edit", order_id=made["order"]["order_id"], amount=20, price=2_001)
    judged.ask(
        "private/edit_by_label", label="mine", instrument_name=PERPETUAL, amount=10, price=2_000
    )
    judged.ask("private/get_order_state", order_id=made["order"]["order_id"])
    judged.ask("private/get_open_orders_by_label", currency="ETH", label="mine")
    judged.ask("private/cancel", order_id=made["order"]["order_id"])
    for terms in ({"time_in_force": "immediate_or_cancel"}, {"time_in_force": "fill_or_kill"}):
        judged.ask("private/buy", instrument_name=PERPETUAL, amount=10, price=2_000, **terms)
    # Left to the delivery, which ends it.
    judged.ask("private/buy", instrument_name=INVERSE_OPTION, amount=1, price=0.0001)


def _pull_triggers(judged: Judged) -> None:
    """Trigger orders of every type: some wait, one is edited, one cancelled, one has come."""
    index = judged.venue.index_of("eth_usd")
    for terms in (
        {"type": "stop_market", "trigger_price": 1_000, "trigger": "index_price"},
        {"type": "stop_limit", "trigger_price": 1_000, "trigger": "mark_price", "price": 990},
        {"type": "take_market", "trigger_price": 9_000, "trigger": "last_price"},
        {"type": "take_limit", "trigger_price": 9_000, "trigger": "index_price", "price": 9_000},
        {"type": "trailing_stop", "trigger_offset": 500, "trigger": "index_price"},
        {"type": "stop_market", "trigger_price": index + 50, "trigger": "index_price"},
    ):
        made = judged.ask("private/sell", instrument_name=PERPETUAL, amount=10, **terms)
        if made is not None:
            judged.ask("private/get_order_state", order_id=made["order"]["order_id"])
    for kind in ("all", "trigger_all", "stop_market", "trailing_stop"):
        judged.ask("private/get_open_orders", type=kind)
    waiting = judged.ask("private/get_open_orders", type="stop_limit")
    judged.ask("private/edit", order_id=waiting[0]["order_id"], amount=20, trigger_price=1_010)
    judged.ask("private/cancel", order_id=waiting[0]["order_id"])
    judged.pass_time(200)
    judged.ask("private/get_open_orders")
    judged.ask("private/cancel_all_by_instrument", instrument_name=PERPETUAL, type="trigger_all")


def _move_money(judged: Judged) -> None:
    judged.ask("private/withdraw", currency="ETH", amount=1, address="0x1")
    judged.ask("private/withdraw", currency="ETH", amount=1e6, address="0x1")
    judged.ask("private/submit_transfer_to_subaccount", currency="ETH", amount=1, destination=7)
    judged.ask("private/submit_transfer_to_user", currency="ETH", amount=1, destination="0x2")


def _combine(judged: Judged) -> None:
    """A combo is listed, and looked at on every channel."""
    name = judged.venue.catalog.list_combo({LATER_OPTION: 1, "ETH-13JUN25-2900-C": -1})
    judged.ask("public/subscribe", channels=[one.format(name) for one in COMBO_CHANNELS])
    for method in ("public/get_instrument", "public/ticker", "public/get_order_book"):
        for one in (name, "BTC_USDC"):
            judged.ask(method, instrument_name=one)
    judged.ask("public/get_combo_details", combo_id=name)


def _lock(judged: Judged) -> None:
    """What the venue says of itself."""
    locks = judged.venue.locks
    locks.lock("eth_usd", maintenance=False)
    judged.ask("public/status")
    locks.lock_account(ACCOUNT, "ETH", locked=True)
    judged.ask("private/get_user_locks")
    judged.ask("private/buy", instrument_name=PERPETUAL, amount=10, price=2_000)
    locks.lock_account(ACCOUNT, None, locked=False)
    locks.unlock(None)
    locks.let_strangers(False)
    locks.let_strangers(True)
    judged.exchange.halt(PERPETUAL, judged.venue.now_ms())
    judged.venue.publish()
    for method in ("public/get_instrument", "public/ticker", "public/get_order_book"):
        judged.ask(method, instrument_name=PERPETUAL)
    judged.exchange.resume_trading(PERPETUAL, judged.venue.now_ms())
    judged.venue.publish()


def _cancel(judged: Judged) -> None:
    cancels: tuple[tuple[str, Json], ...] = (
        ("private/cancel_all", {}),
        ("private/cancel_all_by_instrument", {"instrument_name": PERPETUAL}),
        ("private/cancel_all_by_currency", {"currency": "ETH", "kind": "any"}),
        ("private/cancel_all_by_kind_or_type", {"currency": "any", "kind": "future"}),
        ("private/cancel_by_label", {"label": "mine"}),
    )
    for method, params in cancels:
        judged.ask("private/buy", instrument_name=PERPETUAL, amount=10, price=2_000, label="mine")
        judged.ask(method, **params)
    judged.ask("private/close_position", instrument_name=PERPETUAL, type="market")
    # A line that breaks takes its orders along.
    judged.ask("private/enable_cancel_on_disconnect")
    judged.ask("private/buy", instrument_name=PERPETUAL, amount=10, price=2_000)
    judged.reconnect()
    judged.ask("private/get_order_history_by_currency", currency="ETH", include_unfilled=True)


@cache
def served_patterns() -> frozenset[str]:
    """Every channel of the specification that the venue has."""
    venue = Judged().venue
    samples = {
        "instrument_name": (INVERSE_OPTION, PERPETUAL),
        "kind": ("any",),
        "currency": ("any", "ETH"),
        "interval": ("100ms",),
        "index_name": ("eth_usd",),
        "resolution": ("1",),
        "group": ("none",),
        "depth": ("10",),
    }
    served = set()
    for pattern in law.law()["channels"]:
        for name in _filled(pattern, samples):
            if make_channel(venue, venue.catalog, name, ACCOUNT) is not None:
                served.add(pattern)
    return frozenset(served)


def _filled(pattern: str, samples: Mapping[str, tuple[str, ...]]) -> list[str]:
    made = [pattern]
    for word, values in samples.items():
        made = [one.replace(f"({word})", value) for one in made for value in values]
    return made


def channel_kinds() -> set[type[Channel]]:
    """Every kind of channel that the venue can make: those of which there is no further kind."""
    kinds = {Channel}
    while bases := {sub for one in kinds for sub in one.__subclasses__()} - kinds:
        kinds |= bases
    return {one for one in kinds if not one.__subclasses__()} | {TickerChannel}
