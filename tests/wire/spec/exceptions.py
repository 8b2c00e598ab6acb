"""Where Deribit's specification is wrong: each exception named, with its reason and what shows it.

`EXCEPTIONS` is applied to the extract when `law` loads it. `seen` is a recorded frame of the shared
folder (deribit_messages), or an example which the specification itself gives.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

Json = dict[str, Any]

NUMBER: Final[Json] = {"type": "number"}
TEXT: Final[Json] = {"type": "string"}
BOOLEAN: Final[Json] = {"type": "boolean"}
OPEN: Final[Json] = {"type": "object"}

TICKER_REQUIRED: Final = (
    "best_ask_amount",
    "best_ask_price",
    "best_bid_amount",
    "best_bid_price",
    "index_price",
    "instrument_name",
    "last_price",
    "mark_price",
    "max_price",
    "min_price",
    "open_interest",
    "state",
    "stats",
    "timestamp",
)
TICKER_USUAL: Final = (
    "ask_iv",
    "bid_iv",
    "current_funding",
    "funding_8h",
    "greeks",
    "interest_rate",
    "interest_value",
    "mark_iv",
    "settlement_price",
    "underlying_index",
    "underlying_price",
)


@dataclass(frozen=True, slots=True)
class Exception_:
    """One place where the specification is not believed; `change` mends the extract."""

    where: str
    reason: str
    seen: str
    change: Callable[[Json], None]


def _fields(document: Json, *path: str) -> Json:
    at: Any = document
    for part in path:
        at = at[part]
    found: Json = at["properties"]
    return found


def _def(name: str, **fields: Json) -> Callable[[Json], None]:
    """Add or replace fields of a shared schema."""

    def change(document: Json) -> None:
        _fields(document, "$defs", name).update(copy.deepcopy(fields))

    return change


def _usual(name: str, *fields: str) -> Callable[[Json], None]:
    """Fields that are not there always: they come with most."""

    def change(document: Json) -> None:
        of = document["$defs"][name]
        of["required"] = [one for one in of["required"] if one not in fields]
        of["x-usual"] = sorted([*of.get("x-usual", ()), *fields])

    return change


def _all(*changes: Callable[[Json], None]) -> Callable[[Json], None]:
    def change(document: Json) -> None:
        for one in changes:
            one(document)

    return change


def _nullable(name: str, *fields: str) -> Callable[[Json], None]:
    def change(document: Json) -> None:
        of = _fields(document, "$defs", name)
        for field in fields:
            kinds = of[field].get("type")
            if kinds is not None and "null" not in kinds:
                of[field]["type"] = [kinds, "null"] if isinstance(kinds, str) else [*kinds, "null"]

    return change


def _ticker(document: Json) -> None:
    loose = {name: {"$ref": f"#/$defs/{name}"} for name in (*TICKER_REQUIRED, *TICKER_USUAL)}
    fields: Json = loose | {
        "state": {"$ref": "#/$defs/book_state"},
        "delivery_price": {"$ref": "#/$defs/delivery_price"},
        "estimated_delivery_price": {"$ref": "#/$defs/estimated_delivery_price"},
    }
    # What the texts of the parts say: null where there is no bid, no ask; and likewise no trade,
    # and an option for which no volatility can be found.
    for name in ("best_bid_price", "best_ask_price", "last_price", "bid_iv", "ask_iv", "mark_iv"):
        fields[name] = {"type": ["number", "null"]}
    fields["greeks"] = {"anyOf": [fields["greeks"], {"type": "null"}]}
    fields["underlying_index"] = TEXT
    ticker: Json = {
        "type": "object",
        "properties": fields,
        "required": list(TICKER_REQUIRED),
        "x-usual": list(TICKER_USUAL),
        "additionalProperties": False,
    }
    document["$defs"]["ticker"] = ticker
    document["methods"]["public/ticker"]["result"] = {"$ref": "#/$defs/ticker"}
    document["channels"]["ticker.(instrument_name).(interval)"] = {"$ref": "#/$defs/ticker"}
    rows: Json = {"type": "array", "items": {"type": "array", "items": [NUMBER, NUMBER]}}
    rows["items"] |= {"minItems": 2, "maxItems": 2}
    order_book = copy.deepcopy(ticker)
    order_book["properties"] |= {"change_id": {"type": "integer"}, "bids": rows, "asks": rows}
    order_book["required"] += ["asks", "bids", "change_id"]
    document["methods"]["public/get_order_book"]["result"] = order_book


def _incremental(document: Json) -> None:
    ticker = copy.deepcopy(document["$defs"]["ticker"])
    ticker["properties"]["type"] = {"enum": ["snapshot", "change"], "type": "string"}
    ticker["properties"]["stats"] = dict(document["$defs"]["stats"])
    ticker["properties"]["stats"].pop("required", None)
    ticker["required"] = ["instrument_name", "timestamp", "type"]
    ticker["x-usual"] = [*TICKER_REQUIRED, *TICKER_USUAL]
    document["channels"]["incremental_ticker.(instrument_name)"] = ticker


def _book(document: Json) -> None:
    row: Json = {"type": "array", "minItems": 3, "maxItems": 3}
    row["items"] = [{"enum": ["new", "change", "delete"]}, NUMBER, NUMBER]
    whole: Json = {"type": "array", "minItems": 2, "maxItems": 2}
    whole["items"] = [NUMBER, NUMBER]
    channels = document["channels"]
    book = channels["book.(instrument_name).(interval)"]
    book["properties"] |= {
        "type": {"enum": ["snapshot", "change"], "type": "string"},
        "change_id": {"type": "integer"},
        "prev_change_id": {"type": ["integer", "null"]},
        "bids": {"type": "array", "items": row},
        "asks": {"type": "array", "items": row},
    }
    book["x-usual"] = ["prev_change_id"]
    book["if"] = {"properties": {"type": {"const": "change"}}}
    book["then"] = {"required": ["prev_change_id"]}
    grouped = channels["book.(instrument_name).(group).(depth).(interval)"]
    grouped["properties"] |= {
        "change_id": {"type": "integer"},
        "bids": {"type": "array", "items": whole},
        "asks": {"type": "array", "items": whole},
    }


def _settlements(document: Json) -> None:
    for method in (
        "private/get_settlement_history_by_instrument",
        "private/get_settlement_history_by_currency",
        "public/get_last_settlements_by_instrument",
        "public/get_last_settlements_by_currency",
    ):
        result = document["methods"][method]["result"]
        result.pop("items", None)
        result["type"] = "object"
        result["properties"]["continuation"] = {"type": ["string", "null"]}


def _auth(document: Json) -> None:
    params = document["methods"]["public/auth"]["params"]
    params["required"] = ["grant_type"]


def _trades_by_order(document: Json) -> None:
    rows: Json = {"type": "array", "items": {"$ref": "#/$defs/user_trade"}}
    document["methods"]["private/get_user_trades_by_order"]["result"] = rows


def _wallet_types(document: Json) -> None:
    methods = document["methods"]
    rows = [
        methods[f"private/{name}"]["result"]
        for name in (
            "get_current_deposit_address",
            "create_deposit_address",
            "submit_transfer_to_subaccount",
            "submit_transfer_to_user",
        )
    ]
    rows.append(methods["private/get_subaccounts"]["result"]["items"])
    rows.append(methods["private/get_transfers"]["result"]["properties"]["data"]["items"])
    for row in rows:
        row["properties"]["type"] = TEXT


def _portfolios(document: Json) -> None:
    """One of each currency, whatever it is called."""
    of = document["methods"]["private/get_subaccounts"]["result"]["items"]["properties"]
    one = of["portfolio"]["properties"]["btc"]
    of["portfolio"] = {"type": "object", "additionalProperties": one}


def _index_names(document: Json) -> None:
    result = document["methods"]["public/get_index_price_names"]["result"]
    result["items"] = {"anyOf": [TEXT, result["items"]]}


def _resolution(document: Json) -> None:
    params = document["methods"]["public/get_tradingview_chart_data"]["params"]
    known = params["properties"]["resolution"]["enum"]
    params["properties"]["resolution"]["enum"] = [str(one) for one in known]


def _accounts(document: Json) -> Iterator[Json]:
    """Every summary of an account in one currency, and the account itself."""
    yield document["methods"]["private/get_account_summary"]["result"]
    account = document["methods"]["private/get_account_summaries"]["result"]
    yield account
    yield account["properties"]["summaries"]["items"]


def _account_type(document: Json) -> None:
    for one in _accounts(document):
        one["required"] = [name for name in one["required"] if name != "type"]
    summary, account, _ = _accounts(document)
    for one in (summary, account):
        one["properties"]["type"] = {"enum": ["main", "subaccount"], "type": "string"}
        one["x-extended"] = sorted([*one["x-extended"], "type"])


def _account_fields(document: Json) -> None:
    for one in _accounts(document):
        if "equity" in one["properties"]:
            one["properties"] |= {
                "delta_total_map": OPEN,
                "estimated_liquidation_ratio_map": OPEN,
                "locked_balance": NUMBER,
            }
        if "self_trading_extended_to_subaccounts" in one["properties"]:
            one["properties"]["self_trading_extended_to_subaccounts"] = BOOLEAN
    summary, account, _ = _accounts(document)
    for one in (summary, account):
        one["properties"]["referrer_id"] = {"type": ["string", "null"]}
        one["properties"]["block_rfq_self_match_prevention"] = BOOLEAN
        one["x-extended"] = sorted({*one["x-extended"], "block_rfq_self_match_prevention"})
    account["required"] = sorted({*account["required"], "summaries"})


def _portfolio(document: Json) -> None:
    document["channels"]["user.portfolio.(currency)"] = copy.deepcopy(
        document["methods"]["private/get_account_summary"]["result"]
    )


def _summaries_required(document: Json) -> None:
    for one in _accounts(document):
        one["required"] = [name for name in one["required"] if name not in _NOT_ALWAYS]


def _fee_type(document: Json) -> None:
    for one in _accounts(document):
        if "fees" in one["properties"]:
            value = one["properties"]["fees"]["items"]["properties"]["value"]
            value["properties"]["default"]["properties"]["type"] = TEXT


_CODES: Final = {"BTC", "ETH", "USD", "btc", "btc_usd", "ETHER"}


def _currencies(schema: Any) -> None:
    """Let every list of currencies be open."""
    if isinstance(schema, dict):
        values = schema.get("enum")
        if isinstance(values, list) and _CODES.intersection(values):
            del schema["enum"]
        for one in schema.values():
            _currencies(one)
    elif isinstance(schema, list):
        for one in schema:
            _currencies(one)


_NOT_ALWAYS: Final = (
    "futures_session_rpl",
    "futures_session_upl",
    "options_gamma_map",
    "options_session_rpl",
    "options_session_upl",
    "options_theta_map",
    "options_vega_map",
    "projected_delta_total",
    "projected_maintenance_margin",
)
_PERIOD: Final[Json] = {"enum": ["day", "week", "month", "perpetual"], "type": "string"}
_KINDS_OF_ORDER: Final = [
    "limit",
    "market",
    "market_limit",
    "stop_limit",
    "stop_market",
    "take_limit",
    "take_market",
    "trailing_stop",
]


EXCEPTIONS: Final = (
    Exception_(
        "frames: usIn, usOut, usDiff, testnet, error.data",
        "the frame around a reply is not described beyond jsonrpc, id, result and error",
        "nautilus: http_get_instrument.json, ws_error.json",
        lambda document: document.update(
            envelope=["usIn", "usOut", "usDiff", "testnet"], error=["code", "message", "data"]
        ),
    ),
    Exception_(
        "public/ticker, public/get_order_book, ticker.*: result",
        "wrapped twice: the result is a reference to the schema of an error. The parts are there, "
        "so the ticker is put together again from them; underlying_index is a name, book rows are "
        "pairs, volatilities and greeks may be null (users' reports)",
        "crypto_msg_parser: tests inverse_future, inverse_swap, option",
        _ticker,
    ),
    Exception_(
        "incremental_ticker.*",
        "two examples of a perpetual stand for every kind of instrument: a ticker of which only "
        "the changed fields, also of its statistics, are sent",
        "the channel's own second example",
        _incremental,
    ),
    Exception_(
        "book.*: rows",
        "examples in place of a schema: a row is [action, price, amount], or [price, amount] where "
        "grouped; a change names the message it follows, a snapshot none or null",
        "crypto_msg_parser: inverse_swap_snapshot, inverse_swap_update; nautilus: ws_book_snapshot",
        _book,
    ),
    Exception_(
        "private/get_settlement_history_by_*, public/get_last_settlements_by_*: result",
        "an object with a continuation, called an array; the last page has no continuation",
        "the example of the method",
        _settlements,
    ),
    Exception_(
        "private/get_user_trades_by_order: result",
        "lost: a list of user trades",
        "the example of the method",
        _trades_by_order,
    ),
    Exception_(
        "public/auth: parameters",
        "which are required depends on the grant; timestamp and signature belong to one of three",
        "the examples of the method",
        _auth,
    ),
    Exception_(
        "order.price",
        "a reference that leads nowhere: a number, or the words market_price for a trigger order",
        "nautilus: ws_order_stop_market_response.json",
        _def("order", price={"anyOf": [NUMBER, {"const": "market_price"}]}),
    ),
    Exception_(
        "order: order_type, user_id, max_show",
        "the list of types is older than the parameter `type` of private/buy; the user's id is "
        "sent with every order, and max_show by every example",
        "nautilus: ws_order_buy_response.json",
        _def(
            "order",
            order_type={"enum": _KINDS_OF_ORDER, "type": "string"},
            user_id={"type": "integer"},
            max_show=NUMBER,
        ),
    ),
    Exception_(
        "user_trade: reduce_only, post_only, profit_loss",
        "booleans that are called text, and a profit that is null where the trade is a combo's",
        "the examples of user.trades and user.combo_trades",
        _all(
            _def("user_trade", reduce_only=BOOLEAN, post_only=BOOLEAN),
            _nullable("user_trade", "profit_loss"),
        ),
    ),
    Exception_(
        "public_trade, user_trade: combo_trade_id, legs, index_price, mark_price",
        "the id is text like any other trade's, the public trade of a combo has its legs, and a "
        "historical one has neither index nor mark",
        "nautilus: http_get_last_trades_option_combo.json, http_get_last_trades_historical_combo",
        _all(
            _def("public_trade", combo_trade_id=TEXT, legs={"type": "array"}),
            _def("user_trade", combo_trade_id=TEXT),
            _usual("public_trade", "index_price", "mark_price"),
        ),
    ),
    Exception_(
        "user_change.positions",
        "called `position`",
        "the example of user.changes",
        lambda document: _fields(document, "$defs", "user_change").update(
            positions=_fields(document, "$defs", "user_change").pop("position")
        ),
    ),
    Exception_(
        "transaction_log, settlement, accounts, fees, wallet: type",
        "fields named `type` were lost when the specification was made: the account's is still "
        "required",
        "nautilus: http_get_account_summaries.json",
        _all(
            _account_type,
            _fee_type,
            _wallet_types,
            _def("transaction_log", type=TEXT),
            _def("settlement", type={"enum": ["settlement", "delivery", "bankruptcy"]}),
            lambda document: document["$defs"]["transaction_log"]["required"].append("type"),
            lambda document: document["$defs"]["settlement"]["required"].append("type"),
        ),
    ),
    Exception_(
        "transaction_log: nulls, info",
        "a row that is no trade has null where a trade has its price, ids and position; `info` is "
        "a text as well",
        "the example of the method",
        _all(
            _nullable(
                "transaction_log",
                "commission",
                "instrument_name",
                "interest_pl",
                "order_id",
                "position",
                "price",
                "trade_id",
            ),
            _def("transaction_log", info={"type": ["object", "string", "null"]}),
        ),
    ),
    Exception_(
        "account summaries: maps, booleans, referrer_id",
        "fields that are not listed, booleans that are called text, a referrer that is null; "
        "`summaries` is what the method is for",
        "nautilus: http_get_account_summaries.json",
        _account_fields,
    ),
    Exception_(
        "account summaries: required",
        "sessions, projections and maps by index are not always there",
        "nautilus: http_get_account_summaries_cross_margin.json",
        _summaries_required,
    ),
    Exception_(
        "user.portfolio.*",
        "an example in place of a schema: the summary of an account without what is extended",
        "nautilus: ws_portfolio.json",
        _portfolio,
    ),
    Exception_(
        "every list of currencies, coins and price indices",
        "older than the venue, which lists a new currency every few months; the portfolios of "
        "sub-accounts are listed by currency too",
        "nautilus: ws_portfolio.json (USDT), cryptofeed get_instruments (SOL)",
        _all(_currencies, _portfolios),
    ),
    Exception_(
        "instrument: settlement_period, tick_size_steps, contract_size",
        "`day` is missing; a list of steps, called one step; 0.001 of a coin, called an integer",
        "nautilus: http_get_instruments_option_combo.json, http_get_instrument.json, "
        "ws_order_buy_response.json (amount 0.001 is one contract)",
        _all(
            _def("instrument", settlement_period=_PERIOD, contract_size=NUMBER),
            lambda document: _fields(document, "$defs", "instrument").update(
                tick_size_steps={
                    "type": "array",
                    "items": _fields(document, "$defs", "instrument")["tick_size_steps"],
                }
            ),
        ),
    ),
    Exception_(
        "instrument: state, max_non_default_leverage, expiration_timestamp, price_index",
        "the first two are not listed, the others are not sent for spot",
        "nautilus: http_get_instruments_option_combo.json, http_get_instruments.json",
        _all(
            _def("instrument", state=TEXT, max_non_default_leverage=NUMBER),
            _usual("instrument", "expiration_timestamp", "price_index"),
        ),
    ),
    Exception_(
        "public/get_index_price_names: result",
        "a list of names; only with `extended` of objects",
        "the description of the parameter `extended`",
        _index_names,
    ),
    Exception_(
        "public/get_tradingview_chart_data: resolution",
        "a text, of which the enum has numbers",
        "the example of the request",
        _resolution,
    ),
    Exception_(
        "stats, book_summary: high, low, volume",
        "null where nothing has traded, as the texts say of their neighbors",
        "cryptofeed ws: ticker.ETH-27AUG21-4000-P.raw; crypto_msg_parser: inverse_future_all",
        _all(
            _nullable("stats", "high", "low", "volume", "volume_usd"),
            _nullable("book_summary", "high", "low", "volume"),
            _def("stats", volume_notional=NUMBER),
        ),
    ),
)
