"""How the venue says what it says: whole, as thinly as its specification permits, or oddly.

Theory of operation
-------------------
1. A frame that is ready to leave passes `Talk.frames`, over WebSocket and REST alike, and nothing
   else of the simulator knows of manners: what the venue does is the same with all of them.
2. `THIN` keeps of every object what the specification requires, and what it says comes with that
   kind of instrument; where it allows null, what stands for nothing is null, and so are
   volatilities and greeks. `KEPT` is what stays all the same. An object of which the specification
   does not say what is required stays whole.
3. `ODD` says everything, and more, drawn from one seed: unknown fields and values, nulls, numbers
   as text, other orders of keys, news of strange listings, notices before replies. Never touched is
   what money or safety hang on in our own elements (ids, labels, prices, amounts, states, fees),
   and what it invents (`strangers.py`) is other people's: it moves no position and no balance.
4. `optional.json` is what the specification says; `python -m tests.wire.spec.extract` writes it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import resources
from random import Random
from typing import Any, Final

import orjson

from mmbot.sim.wire.deribit import strangers
from mmbot.sim.wire.frame import Frame
from mmbot.sim.wire.manner import Manner
from mmbot.sim.wire.talk import Talk

Json = dict[str, Any]


# Not required by the letter, and nothing could be done without them: an order of what and how much
# (no recorded one lacks them), the ladder on which prices are refused, and what a row of the log is
# about.
KEPT: Final = {
    "order": frozenset({"amount", "instrument_name"}),
    "instrument": frozenset({"tick_size_steps"}),
    "transaction_log": frozenset({"index_price", "instrument_name", "interest_pl"}),
    "user_trade": frozenset({"status", "status_timestamp"}),  # where fills are not final at once
}
# Of a frame itself.
FRAME: Final = frozenset({"error", "id", "jsonrpc", "method", "params", "result"})
# Zero stands for none.
NONE_IS_ZERO: Final = frozenset({"best_ask_price", "best_bid_price", "last_price"})
# May be unknown whatever the market does.
UNKNOWN: Final = frozenset({"ask_iv", "bid_iv", "greeks", "mark_iv"})

UNKNOWN_FIELD: Final = 0.1  # of objects
UNKNOWN_VALUE: Final = 0.05  # of fields of listed values
NULL: Final = 0.1  # of fields that may be null
TEXT: Final = 0.03  # of numbers that nothing hangs on
TICKER_FAULT: Final = 0.01  # of tickers: one number that one would want
BOOK_FAULT: Final = 0.001  # of messages of books: a row
TYPELESS: Final = 0.02  # of messages of books: they do not say whether they are a change
OTHER_ORDER: Final = 0.3  # of objects: keys in another order
NOTICE_FIRST: Final = 0.5  # of order requests
NEWS: Final = 0.002  # of pushes: news of a strange listing beside it

LISTED_VALUES: Final = frozenset(
    {
        "cancel_reason",
        "fee_role",
        "future_type",
        "liquidity",
        "margin_model",
        "tick_direction",
        "time_in_force",
        "user_role",
    }
)
MAY_BE_NULL: Final = frozenset(
    {
        *UNKNOWN,
        "high",
        "info",
        "last",
        "last_price",
        "low",
        "mid_price",
        "price_change",
        "profit_loss",
        "referrer_id",
        "volume",
        "volume_usd",
    }
)
LOOSE_NUMBERS: Final = frozenset(
    {
        "average_price",
        "block_trade_commission",
        "block_trade_min_trade_amount",
        "block_trade_tick_size",
        "contracts",
        "fee_balance",
        "futures_pl",
        "gamma",
        "interest_value",
        "iv",
        "leverage",
        "max_leverage",
        "max_liquidation_commission",
        "open_interest",
        "options_pl",
        "options_theta",
        "projected_delta_total",
        "session_upl",
        "settlement_price",
        "theta",
        "total_pl",
        "underlying_price",
        "user_id",
        "vega",
        "volume_notional",
    }
)
CHANGEABLE: Final = LISTED_VALUES | MAY_BE_NULL | LOOSE_NUMBERS
NESTED: Final = (dict, list)
TICKER_NUMBERS: Final = (
    "best_ask_amount",
    "best_bid_price",
    "index_price",
    "mark_price",
    "max_price",
    "min_price",
)
INDEX_MISSING: Final = "index_not_available"
STRANGE_WORDS: Final = ("unheard_of", "", "OTHER", "new_in_2027")
STRANGE_VALUES: Final[tuple[Any, ...]] = (None, 1, -0.5, "text", [], {}, True, [{"deep": [1]}])


@cache
def _table() -> Json:
    text = resources.files(__package__).joinpath("optional.json").read_bytes()
    table: Json = orjson.loads(text)
    return table


@cache
def _node_of_channel(channel: str) -> Json:
    nodes: Json = _table()["channels"]
    for pattern, node in nodes.items():
        if re.fullmatch(pattern, channel):
            found: Json = node
            return found
    return {}


class Manners:
    """What all the talks of a venue have in common: the manner, and one series of draws.

    `now_ms` is venue time.
    """

    def __init__(self, manner: Manner, seed: int, now_ms: Callable[[], int]) -> None:
        self.manner = manner
        self._now_ms = now_ms
        self._random = Random(f"manners {seed}")

    def talk(self) -> Talk:
        """For one connection, or one REST request."""
        match self.manner:
            case Manner.PLAIN:
                return Talk()
            case Manner.THIN:
                return Thin()
            case Manner.ODD:
                return Odd(self._random, self._now_ms)

    def notice_first(self) -> bool:
        """Whether the notice of an order goes out before the reply to the request."""
        return self.manner is Manner.ODD and self._random.random() < NOTICE_FIRST


class Thin(Talk):
    """Only what has to be said."""

    def frames(self, frame: Frame, about: str | None) -> Iterable[Frame]:
        """The frame, cut to what the specification requires."""
        cut = {name: one for name, one in frame.message.items() if name in FRAME}
        if cut.get("method") == "subscription":
            params = cut["params"]
            data = _thinned(params["data"], _node_of_channel(params["channel"]))
            cut["params"] = {**params, "data": data}
        elif "result" in cut:
            node = _table()["methods"].get(about, {})
            cut["result"] = _thinned(cut["result"], node)
        elif "error" in cut:
            cut["error"] = {name: cut["error"][name] for name in ("code", "message")}
        return (Frame(cut),)


def _thinned(value: Any, node: Json) -> Any:
    if isinstance(value, list):
        return [_thinned(one, node) for one in value]
    kept: frozenset[str] = frozenset()
    if "of" in node:
        kept = KEPT.get(node["of"], frozenset())
        node = _table()["shared"][node["of"]]
    if not isinstance(value, dict) or not node:
        return value
    keep = node.get("keep")
    nullable = node.get("null", ())
    inside = node.get("in", {})
    made: Json = {}
    for name, one in value.items():
        if keep is not None and name not in keep and name not in kept:
            continue
        nothing = name in UNKNOWN or (name in NONE_IS_ZERO and not one)
        if name in nullable and nothing:
            made[name] = None
        elif isinstance(one, NESTED):
            made[name] = _thinned(one, inside.get(name, {}))
        else:
            made[name] = one
    return made


class Odd(Talk):
    """Everything, and what nobody expected beside it."""

    def __init__(self, random: Random, now_ms: Callable[[], int]) -> None:
        self._random = random
        self._now_ms = now_ms
        self._news: str | None = None  # the channel of listings, once it is subscribed

    def frames(self, frame: Frame, about: str | None) -> Iterator[Frame]:
        """The frame with oddities, and sometimes news of a strange listing behind it."""
        if frame.message.get("method") == "heartbeat":
            yield frame
            return
        said = frame.message
        push = said.get("method") == "subscription"
        if push:
            params = said["params"]
            data = self._channel(params["channel"], params["data"])
            if data is not params["data"]:
                said = {**said, "params": {**params, "data": data}}
        elif "result" in said:
            said = {**said, "result": self._result(about or "", said["result"])}
        yield Frame(self._strange(said))
        if push and self._news is not None and self._chance(NEWS):
            news = strangers.news(self._random, self._now_ms())
            yield Frame(
                {
                    "jsonrpc": "2.0",
                    "method": "subscription",
                    "params": {"channel": self._news, "data": news},
                }
            )

    def _channel(self, channel: str, data: Any) -> Any:
        """The data of a channel, or other data in its place."""
        if channel.startswith(("ticker.", "incremental_ticker.")) and self._chance(TICKER_FAULT):
            name = self._random.choice(TICKER_NUMBERS)
            if isinstance(data.get(name), float | int):
                wrong = INDEX_MISSING if name == "index_price" else str(data[name])
                data = {**data, name: wrong}
        if channel.startswith("book."):
            if self._chance(BOOK_FAULT):
                data = _copied(data)
                for row in (*data["bids"][:1], *data["asks"][:1]):
                    row[-1] = str(row[-1])
            if self._chance(TYPELESS):
                data = {name: one for name, one in data.items() if name != "type"}
        if channel.startswith("trades."):
            data = [
                {**trade, "price": str(trade["price"])} if self._chance(TEXT) else trade
                for trade in data
            ]
        return data

    def _result(self, method: str, result: Any) -> Any:
        """The result, or one with other people's things beside ours."""
        if method.endswith("/subscribe"):
            listed = [one for one in result if one.startswith("instrument.state.")]
            self._news = listed[0] if listed else self._news
        invent: Callable[[Random, Any], None] | None = _ODDITIES.get(method)
        if invent is not None:
            result = _copied(result)
            invent(self._random, result)
        return result

    def _strange(self, value: Any) -> Any:
        """A copy of any JSON, with the oddities that hurt nobody."""
        if isinstance(value, list):
            return [self._strange(one) if isinstance(one, NESTED) else one for one in value]
        if not isinstance(value, dict):
            return value
        made = {
            name: self._field(name, one) if name in CHANGEABLE or isinstance(one, NESTED) else one
            for name, one in value.items()
        }
        if self._chance(UNKNOWN_FIELD):
            name = f"x_{self._random.randrange(100)}"
            made[name] = self._random.choice(STRANGE_VALUES)
        if self._chance(OTHER_ORDER):
            names = list(made)
            self._random.shuffle(names)
            made = {name: made[name] for name in names}
        return made

    def _field(self, name: str, value: Any) -> Any:
        if name in LISTED_VALUES and value is not None and self._chance(UNKNOWN_VALUE):
            return self._random.choice(STRANGE_WORDS) if isinstance(value, str) else 99
        if name in MAY_BE_NULL and self._chance(NULL):
            return None
        # Not a truth value, which is an int to isinstance.
        if name in LOOSE_NUMBERS and type(value) in (int, float) and self._chance(TEXT):
            return str(value)
        # A book's rows stay rows of numbers.
        stays = name in ("bids", "asks") or not isinstance(value, NESTED)
        return value if stays else self._strange(value)

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability


def _copied(value: Any) -> Any:
    """Any JSON once more, to be changed."""
    if isinstance(value, dict):
        return {name: _copied(one) for name, one in value.items()}
    return [_copied(one) for one in value] if isinstance(value, list) else value


_ODDITIES: Final[dict[str, Callable[[Random, Any], None]]] = {
    "public/get_currencies": strangers.currencies,
    "public/get_instruments": strangers.listings,
    "private/get_open_orders": strangers.open_orders,
    "private/get_open_orders_by_currency": strangers.open_orders,
    "private/get_positions": strangers.positions,
    "private/get_transaction_log": strangers.log,
}
"""Who is put beside ours, by method."""
