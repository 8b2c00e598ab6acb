"""How the venue says what it says: whole, as thinly as its specification permits, or oddly.

Theory of operation
-------------------
1. A frame that is ready to leave passes `Talk.frames`, over WebSocket and REST alike, and nothing
   else of the simulator knows of manners: what the venue does is the same with all of them.
2. `THIN` keeps of every object what the specification requires. Of the other fields that it has,
   those are left out that stand for nothing (`NOTHING`): what says something is always said. What
   the specification does not have goes too.
3. `ODD` says everything, and more, drawn from one seed: unknown fields and values, numbers for
   texts of numbers where nothing hangs on them, other orders of keys, other people's orders and
   strange instruments, notices before replies. Never touched is what money or safety hang on in our
   own elements (ids, labels, prices, amounts, states, fees).
4. `optional.json` is what the specification has and requires; it is written by
   `python -m tests.sim.wire.derive.extract`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import resources
from random import Random
from typing import Any, Final

import orjson

from mmbot.sim.wire.derive import strangers
from mmbot.sim.wire.frame import Frame
from mmbot.sim.wire.manner import Manner
from mmbot.sim.wire.talk import Talk

Json = dict[str, Any]

NOTHING: Final[tuple[Any, ...]] = (None, "", [], {})
"""What a field may stand for to be left out."""

UNKNOWN_FIELD: Final = 0.1  # of objects
UNKNOWN_VALUE: Final = 0.05  # of fields of listed values
NUMBER: Final = 0.03  # of texts of numbers that nothing hangs on
OTHER_ORDER: Final = 0.3  # of objects: keys in another order
NOTICE_FIRST: Final = 0.5  # of order requests
TICKER_FAULT: Final = 0.01  # of tickers: no book, or no greeks

LISTED_VALUES: Final = frozenset(
    {"asset_type", "batch_status", "margin_type", "protocol_scopes", "update_type"}
)
LOOSE_NUMBERS: Final = frozenset(
    {
        "aggregate_funding",
        "confidence",
        "cumulative_funding",
        "delta",
        "expected_rebate",
        "extra_fee",
        "gamma",
        "leverage",
        "liquidation_price",
        "max_rate_per_hour",
        "min_rate_per_hour",
        "mm_credits",
        "net_settlements",
        "projected_margin_change",
        "theta",
        "vega",
    }
)
STRANGE_WORDS: Final = ("unheard_of", "Unknown", "new_in_2027")
STRANGE_VALUES: Final[tuple[Any, ...]] = (None, 1, -0.5, "text", [], {}, True, [{"deep": [1]}])
BOOK_ROWS: Final = ("asks", "bids")
IDS: Final = ("feeds", "status", "tickers")
"""Objects whose keys are names."""


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
    """What all the talks of a venue have in common: the manner, and one series of draws."""

    def __init__(self, manner: Manner, seed: int) -> None:
        self.manner = manner
        self._random = Random(f"derive manners {seed}")

    def talk(self) -> Talk:
        """For one connection, or one REST request."""
        match self.manner:
            case Manner.PLAIN:
                return Talk()
            case Manner.THIN:
                return Thin()
            case Manner.ODD:
                return Odd(self._random)

    def notice_first(self) -> bool:
        """Whether the notice of an order goes out before the reply to the request."""
        return self.manner is Manner.ODD and self._random.random() < NOTICE_FIRST


class Thin(Talk):
    """Only what has to be said."""

    def frames(self, frame: Frame, about: str | None) -> Iterable[Frame]:
        """The frame, cut to what the specification requires."""
        said = frame.message
        if not isinstance(said, dict):
            return (frame,)
        cut = dict(said)
        if cut.get("method") == "subscription":
            params = cut["params"]
            data = _thinned(params["data"], _node_of_channel(params["channel"]))
            cut["params"] = {**params, "data": data}
        elif "result" in cut:
            cut["result"] = _thinned(cut["result"], _table()["methods"].get(about, {}))
        elif "error" in cut:
            cut["error"] = {name: one for name, one in cut["error"].items() if one not in NOTHING}
        return (Frame(cut),)


def _thinned(told: Any, node: Json) -> Any:
    if isinstance(told, list):
        return [_thinned(one, node) for one in told]
    if "of" in node:
        node = _table()["shared"][node["of"]]
    if not isinstance(told, dict) or not node:
        return told
    if "each" in node:
        return {name: _thinned(one, node["each"]) for name, one in told.items()}
    keep, known, inside = node["keep"], node["known"], node.get("in", {})
    return {
        name: _thinned(one, inside.get(name, {}))
        for name, one in told.items()
        if name in keep or (name in known and one not in NOTHING)
    }


class Odd(Talk):
    """Everything, and what nobody expected beside it."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def frames(self, frame: Frame, about: str | None) -> Iterator[Frame]:
        """The frame with oddities."""
        if not isinstance(frame.message, dict):
            yield frame
            return
        said: Json = orjson.loads(frame.text)
        if said.get("method") == "subscription":
            self._channel(said["params"]["channel"], said["params"]["data"])
        elif "result" in said:
            self._result(about or "", said["result"])
        yield Frame(self._strange(said))

    def _channel(self, channel: str, told: Any) -> None:
        if channel.startswith("ticker_slim.") and self._chance(TICKER_FAULT):
            if self._chance(0.5):
                told["instrument_ticker"]["option_pricing"] = None
            else:
                told["instrument_ticker"] |= dict.fromkeys("AaBb", "0")

    def _result(self, method: str, told: Any) -> None:
        """Put other people's things beside ours."""
        invent: Callable[[Random, Any], None] | None = _ODDITIES.get(method)
        if invent is not None:
            invent(self._random, told)

    def _strange(self, told: Any) -> Any:
        """A copy of any JSON, with the oddities that hurt nobody."""
        if isinstance(told, list):
            return [self._strange(one) if isinstance(one, dict | list) else one for one in told]
        if not isinstance(told, dict):
            return told
        made = {name: self._field(name, one) for name, one in told.items()}
        if self._chance(UNKNOWN_FIELD):
            name = f"x_{self._random.randrange(100)}"
            made[name] = self._random.choice(STRANGE_VALUES)
        if self._chance(OTHER_ORDER):
            names = list(made)
            self._random.shuffle(names)
            made = {name: made[name] for name in names}
        return made

    def _field(self, name: str, told: Any) -> Any:
        if name in IDS and isinstance(told, dict):
            return {key: self._strange(one) for key, one in told.items()}
        if name in LISTED_VALUES and isinstance(told, str) and self._chance(UNKNOWN_VALUE):
            return self._random.choice(STRANGE_WORDS)
        if name in LOOSE_NUMBERS and isinstance(told, str) and self._chance(NUMBER):
            return float(told)
        return told if name in BOOK_ROWS else self._strange(told)

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability


_ODDITIES: Final[dict[str, Callable[[Random, Any], None]]] = {
    "public/get_all_instruments": strangers.listings,
    "public/get_all_currencies": strangers.currencies,
    "private/get_open_orders": strangers.open_orders,
    "private/get_trigger_orders": strangers.trigger_orders,
    "private/get_collaterals": strangers.collaterals,
    "private/get_subaccount": strangers.collaterals,
}
"""Who is put beside ours, by method."""
