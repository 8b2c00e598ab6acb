"""Writes the compact extract of Deribit's own specification: `python -m tests.wire.spec.extract`.

It reads the OpenAPI and AsyncAPI files of the shared folder and writes `extract.json` (JSON schemas
with names, types, enums, nullability and what is required, no texts) and, for `--manners`, the
table of what may be left out (`mmbot/sim/wire/deribit/optional.json`). The project keeps both.

What only the texts say becomes keywords of ours:

- `x-extended`: the fields that come only with the parameter `extended`;
- `x-usual`: the fields that come with some kinds of instrument only, or only when they were given.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, Final

from mmbot.sim.wire.deribit.protocol import METHODS

Json = dict[str, Any]

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[2]
EXTRACT: Final = HERE / "extract.json"
OPTIONAL: Final = ROOT / "mmbot" / "sim" / "wire" / "deribit" / "optional.json"

EXTENDED: Final = re.compile(r"extended`?\s*(?:=|:)\s*`?true")
NULL: Final = re.compile(r"`null`|\bNULL\b|\bnull otherwise")
USUAL: Final = re.compile(
    r"\bonly for (?:options?|futures|derivatives|positions of perpetual)|not added for spot"
    r"|\b(?:options?|futures|perpetual|futures and spots|settlement and delivery) only\b"
    r"|settlement for perpetual|\bpresent(?:ed)? only when\b",
    re.IGNORECASE,
)
OPTIONAL_TEXT: Final = re.compile(r"^optional\b|\boptional\)|\badded only\b", re.IGNORECASE)

# Parts of the ticker and the order book, to which no schema that is whole refers any more.
LOOSE: Final = (
    "ask_iv",
    "best_ask_amount",
    "best_ask_price",
    "best_bid_amount",
    "best_bid_price",
    "bid_iv",
    "book_state",
    "current_funding",
    "delivery_price",
    "estimated_delivery_price",
    "funding_8h",
    "greeks",
    "index_price",
    "instrument_name",
    "interest_rate",
    "interest_value",
    "last_price",
    "mark_iv",
    "mark_price",
    "max_price",
    "min_price",
    "open_interest",
    "order_type2",
    "settlement_price",
    "stats",
    "timestamp",
    "underlying_index",
    "underlying_price",
)
SHARED: Final = (
    "order",
    "user_trade",
    "public_trade",
    "instrument",
    "position",
    "transaction_log",
    "book_summary",
    "settlement",
    "currency_with_apr",
    "user_change",
    "stats",
    "greeks",
)
# Which of the shared schemas a channel's message is, for AsyncAPI has examples in place of schemas.
OF_CHANNEL: Final[dict[str, Json]] = {
    "trades.(instrument_name).(interval)": {"list": "public_trade"},
    "trades.(kind).(currency).(interval)": {"list": "public_trade"},
    "user.trades.(instrument_name).(interval)": {"list": "user_trade"},
    "user.trades.(kind).(currency).(interval)": {"list": "user_trade"},
    "user.combo_trades.(instrument_name).(interval)": {"list": "user_trade"},
    "user.combo_trades.(kind).(currency).(interval)": {"list": "user_trade"},
    "user.orders.(instrument_name).raw": {"one": "order"},
    "user.orders.(kind).(currency).raw": {"one": "order"},
    "user.orders.(instrument_name).(interval)": {"list": "order"},
    "user.orders.(kind).(currency).(interval)": {"list": "order"},
    "user.changes.(instrument_name).(interval)": {"one": "user_change"},
    "user.changes.(kind).(currency).(interval)": {"one": "user_change"},
}
NOT_OURS: Final = ("block_", "announcements", "user.access_log")


def shared() -> Path:
    """The folder of material shared between checkouts; it need not be there."""
    return Path(os.environ.get("MMBOT_SHARED") or ROOT.parent / "shared")


def specs() -> Path:
    """Where the venue's own specifications are."""
    return shared() / "venues" / "specs"


class Extractor:
    """Turns schemas of OpenAPI 3.0 into JSON schemas, the texts into keywords."""

    def __init__(self, openapi: Json) -> None:
        self._api = openapi
        self.defs: Json = {}
        self.missing: set[str] = set()

    def whole(self) -> None:
        """Take in the shared and the loose parts."""
        for name in (*SHARED, *LOOSE):
            self.schema({"$ref": f"#/components/schemas/{name}"}, share=True)

    def method(self, name: str) -> Json:
        """The parameters and the result of a method."""
        stated = self._api["paths"]["/" + name]["get"]
        parameters = [self._found(one) for one in stated.get("parameters", [])]
        params: Json = {
            "type": "object",
            "properties": {one["name"]: self.schema(one["schema"]) for one in parameters},
            "required": sorted(one["name"] for one in parameters if one.get("required")),
            "additionalProperties": False,
        }
        # What stands beside a $ref does not count.
        answer = self._found(stated["responses"]["200"])
        reply = answer.get("content", {}).get("application/json", {}).get("schema", {})
        whole = self._found(reply)
        result = whole.get("properties", {}).get("result")
        return {"params": params, "result": {} if result is None else self.schema(result)}

    def schema(self, stated: Json, *, share: bool = False) -> Json:
        """One schema; `share`: as a reference even where it is small."""
        ref = stated.get("$ref")
        if ref is not None:
            name = ref.rsplit("/", 1)[-1]
            found = self._found(stated, default=None)
            if found is None:
                self.missing.add(name)
                return {}
            if name not in SHARED and not share:
                return self.schema(found)
            if name not in self.defs:
                self.defs[name] = {}
                self.defs[name] = self.schema(found)
            return {"$ref": f"#/$defs/{name}"}
        if "allOf" in stated:
            return self.schema(self._merged(stated["allOf"]))
        if "oneOf" in stated:
            return {"anyOf": [self.schema(one) for one in stated["oneOf"]]}
        made: Json = {}
        kind = stated.get("type")
        if kind is not None:
            made["type"] = kind
        if "enum" in stated:
            made["enum"] = stated["enum"]
        for bound in ("minimum", "maximum"):
            if bound in stated:
                made[bound] = stated[bound]
        if "items" in stated:
            made["items"] = self.schema(stated["items"])
            made["type"] = "array"
        if "properties" in stated:
            made |= self._object(stated)
        return made

    def _object(self, stated: Json) -> Json:
        fields: Json = {}
        required = set(stated.get("required", ()))
        extended, usual = [], []
        for name, field in stated["properties"].items():
            text = self._text(field)
            fields[name] = self.schema(field)
            if NULL.search(text) or field.get("nullable"):
                fields[name] = or_null(fields[name])
            if EXTENDED.search(text):
                extended.append(name)
            if USUAL.search(text):
                usual.append(name)
            if USUAL.search(text) or OPTIONAL_TEXT.search(text):
                required.discard(name)
        made: Json = {"type": "object", "properties": fields, "additionalProperties": False}
        for keyword, names in (
            ("required", required),
            ("x-extended", extended),
            ("x-usual", usual),
        ):
            if names:
                made[keyword] = sorted(names)
        return made

    def _text(self, field: Json) -> str:
        """What is said of a field, there or where it refers to."""
        own = field.get("description", "")
        ref = field.get("$ref")
        if ref is None:
            return str(own)
        found = self._found(field, default={}) or {}
        return f"{own} {found.get('description', '')}"

    def _merged(self, parts: list[Json]) -> Json:
        merged: Json = {"type": "object", "properties": {}, "required": []}
        for part in parts:
            found = self._found(part)
            merged["properties"] |= found.get("properties", {})
            merged["required"] += found.get("required", [])
        return merged

    def _found(self, stated: Json, default: Any = ...) -> Any:
        ref = stated.get("$ref")
        if ref is None:
            return stated
        at: Any = self._api
        for part in ref.removeprefix("#/").split("/"):
            if part not in at:
                if default is ...:
                    raise KeyError(ref)
                return default
            at = at[part]
        return self._found(at)


def or_null(schema: Json) -> Json:
    """The schema, or null."""
    kind = schema.get("type")
    if kind is None:
        return schema if not schema else {"anyOf": [schema, {"type": "null"}]}
    made = schema | {"type": [kind, "null"]}
    if "enum" in schema:
        made["enum"] = [*schema["enum"], None]
    return made


def of_examples(examples: list[Any]) -> Json:
    """The schema that examples stand for: what all of them have is required."""
    kinds = {_kind(one) for one in examples}
    if kinds == {"object"}:
        names = sorted({name for one in examples for name in one})
        return {
            "type": "object",
            "properties": {n: of_examples([one[n] for one in examples if n in one]) for n in names},
            "required": [n for n in names if all(n in one for one in examples)],
            "additionalProperties": False,
        }
    if kinds == {"array"}:
        rows = [row for one in examples for row in one]
        return {"type": "array"} | ({"items": of_examples(rows)} if rows else {})
    return {"type": sorted(kinds)} if len(kinds) > 1 else {"type": kinds.pop()}


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    names: dict[type, str] = {str: "string", list: "array", dict: "object"}
    return names[type(value)]


def extract(openapi: Json, asyncapi: Json) -> Json:
    """The extract of both files."""
    taken = Extractor(openapi)
    taken.whole()
    methods = {name: taken.method(name) for name in sorted(METHODS)}
    channels: Json = {}
    for name, stated in asyncapi["channels"].items():
        if name.startswith(NOT_OURS):
            continue
        of = OF_CHANNEL.get(name)
        if of is not None:
            row = {"$ref": f"#/$defs/{of.get('one') or of.get('list')}"}
            channels[name] = row if "one" in of else {"type": "array", "items": row}
            continue
        shown = stated["messages"]["subscription_message"].get("examples") or []
        channels[name] = of_examples([one["payload"] for one in shown]) if shown else {}
    return {
        "version": openapi["info"]["version"],
        "missing": sorted(taken.missing),
        "methods": methods,
        "channels": dict(sorted(channels.items())),
        "$defs": dict(sorted(taken.defs.items())),
    }


def written(document: Json) -> str:
    """As it is kept: one entry a line, so that a difference can be read."""
    lines = []
    for key, value in document.items():
        if isinstance(value, dict):
            rows = ",\n".join(f" {json.dumps(name)}: {_line(one)}" for name, one in value.items())
            lines.append(f"{json.dumps(key)}: {{\n{rows}\n}}")
        else:
            lines.append(f"{json.dumps(key)}: {_line(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _line(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def main() -> None:
    """Write both files."""
    document = extract(
        json.loads((specs() / "deribit_openapi.json").read_text()),
        json.loads((specs() / "deribit_asyncapi.json").read_text()),
    )
    EXTRACT.write_text(written(document))
    print(f"{EXTRACT}: {len(document['methods'])} methods, {len(document['channels'])} channels")
    # Imported here, for it reads the file that has just been written.
    from tests.wire.spec.table import table

    OPTIONAL.write_text(written(table()))
    print(OPTIONAL)


if __name__ == "__main__":
    main()
