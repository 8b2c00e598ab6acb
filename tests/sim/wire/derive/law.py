"""What Derive's specification permits: the extract, less its known gaps, as validators.

`faults_of_reply`, `faults_of_push` and `faults_of_request` return what is wrong, in words; nothing
where all is right. `EXCEPTIONS` are the places where the specification is not believed, each with
its reason and what shows it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from jsonschema import Draft202012Validator

from tests.sim.wire.derive.extract import EXTRACT, PATTERNS, shape

Json = dict[str, Any]

FAULTS_MAX: Final = 20
DECIMAL: Final[Json] = {"type": "string", "pattern": PATTERNS["decimal"]}
TEXT: Final[Json] = {"type": "string"}
NUMBER_TEXT: Final[Json] = {"type": "string", "pattern": r"^-?\d+(\.\d+)?$"}


@dataclass(frozen=True, slots=True)
class Exception_:
    """A shared schema where the specification is not believed: fields that it does not have, or
    another schema altogether."""

    where: str
    reason: str
    seen: str
    fields: Json | None = None
    schema: Json | None = None


EXCEPTIONS: Final = (
    Exception_(
        "push.OrderSnapshot",
        "called an object with a price and an amount: a level is a pair of texts",
        "the recorded book in ccxt 4.5.90, pro.derive.handle_order_book; derive-py 0.1.5 too",
        schema={"type": "array", "items": DECIMAL, "minItems": 2, "maxItems": 2},
    ),
    Exception_(
        "Instrument",
        "newer than the specification: derive-py 0.1.5 does not read a row without it",
        "derive_py.data_types.generated_models.Instrument",
        {"risk_universe_id": {"type": "integer"}},
    ),
    Exception_(
        "PerpDetails",
        "newer than the specification",
        "the recorded ZEC-PERP in ccxt 4.5.90, derive.fetch_markets",
        {
            "srm_perp_margin_requirements": {
                "type": "object",
                "properties": dict.fromkeys(
                    ("im_perp_req", "mm_perp_req", "max_leverage"), NUMBER_TEXT
                ),
                "required": ["im_perp_req", "mm_perp_req", "max_leverage"],
                "additionalProperties": False,
            }
        },
    ),
    Exception_(
        "push.PublicTrade",
        "newer than the specification: derive-py 0.1.5 reads the public tape with its owners",
        "derive_py.data_types.generated_models.PublicTrade",
        {
            "subaccount_id": {"type": "integer"},
            **dict.fromkeys(("wallet", "liquidity_role"), TEXT),
            **dict.fromkeys(
                (
                    "trade_fee",
                    "extra_fee",
                    "expected_rebate",
                    "realized_pnl",
                    "realized_pnl_excl_fees",
                ),
                NUMBER_TEXT,
            ),
        },
    ),
)


@cache
def law() -> Json:
    """The extract with the exceptions applied, for reading only."""
    document: Json = json.loads(EXTRACT.read_text())
    for one in EXCEPTIONS:
        if one.schema is not None:
            document["$defs"][one.where] = one.schema
        if one.fields is not None:
            document["$defs"][one.where]["properties"].update(one.fields)
    return document


def faults_of_reply(method: str, result: Any) -> list[str]:
    """What is wrong with a result."""
    if method not in law()["methods"]:
        return [f"{method}: the specification has no such method"]
    return _faults(method, _validator("methods", method, "result"), result)


def faults_of_request(method: str, params: Mapping[str, Any]) -> list[str]:
    """What is wrong with the parameters of a request."""
    if method not in law()["methods"]:
        return [f"{method}: the specification has no such method"]
    # What takes no parameters is sent an empty object, whatever its schema says.
    asked = dict(params) or None if "EmptyRequest" in str(_params(method)) else dict(params)
    return _faults(method, _validator("methods", method, "params"), asked)


def _params(method: str) -> Json:
    stated: Json = law()["methods"][method]["params"]
    return stated


def pattern_of(channel: str) -> str | None:
    """The pattern that a channel's name follows, None if there is none."""
    fitting = [one for one in law()["channels"] if shape(one).fullmatch(channel)]
    # trades.option.ETH is of a kind and a coin, and of no instrument.
    return max(fitting, key=len, default=None)


def faults_of_push(channel: str, told: Any) -> list[str]:
    """What is wrong with a message of a channel."""
    pattern = pattern_of(channel)
    if pattern is None:
        return [f"{channel}: the specification has no such channel"]
    return _faults(channel, _validator("channels", pattern, None), told)


def faults_of_error(frame: Mapping[str, Any]) -> list[str]:
    """What is wrong with a frame that says no."""
    found = [] if frame.keys() == {"id", "error"} else [f"an error's frame has {set(frame)}"]
    return found + _faults("error", _validator("error", None, None), frame["error"])


@cache
def _validator(room: str, name: str | None, part: str | None) -> Draft202012Validator:
    schema: Json = law()[room]
    for step in (name, part):
        schema = schema if step is None else schema[step]
    return Draft202012Validator({**schema, "$defs": law()["$defs"]})


def _faults(about: str, validator: Draft202012Validator, told: Any) -> list[str]:
    found: list[str] = []
    for error in validator.iter_errors(told):
        at = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.absolute_path)
        found.append(f"{about}{at}: {error.message[:300]}")
        if len(found) == FAULTS_MAX:
            break
    return found
