"""A venue that says no more than its specification promises, to the letter.

Everything that the specification calls optional is left out of a result, the fields included that
any client hopes for (an order's amount and instrument, a trade's label, a listing's commissions).
Where the specification itself says nothing of use (`UNSPECIFIED`), a result stays whole.
"""

from functools import cache
from typing import Any

from tests.wire.spec import law

Json = dict[str, Any]

UNSPECIFIED = frozenset({"public/ticker", "public/get_order_book"})
"""Their schema is that of an error, wrapped twice."""


@cache
def _letter() -> Json:
    """The extract as it is, with no exception applied."""
    return law.read(())


def stripped(method: str, result: Any) -> Any:
    """A result with nothing optional in it."""
    schema = _letter()["methods"].get(method)
    return result if schema is None or method in UNSPECIFIED else _strip(schema["result"], result)


def stripped_push(channel: str, data: Any) -> Any:
    """The orders and trades of a private message, by the same letter."""
    if not channel.startswith("user.changes."):
        return data
    placed = _letter()["methods"]["private/buy"]["result"]["properties"]
    trade = placed["trades"]["items"]
    return {
        **data,
        "orders": [_strip(placed["order"], one) for one in data["orders"]],
        "trades": [_strip(trade, one) for one in data["trades"]],
    }


def _strip(schema: Json, value: Any) -> Any:
    if "$ref" in schema:
        return _strip(_letter()["$defs"][schema["$ref"].rsplit("/", 1)[-1]], value)
    for branch in schema.get("anyOf", ()):
        if "$ref" in branch or "properties" in branch:
            return _strip(branch, value)
    if isinstance(value, list) and isinstance(schema.get("items"), dict):
        return [_strip(schema["items"], one) for one in value]
    fields = schema.get("properties")
    if not isinstance(value, dict) or not fields:
        return value
    required = set(schema.get("required", ()))
    return {
        name: _strip(fields.get(name, {}), one) for name, one in value.items() if name in required
    }
