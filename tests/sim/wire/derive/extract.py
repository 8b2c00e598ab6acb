"""Writes what is used of Derive's own specification: `python -m tests.sim.wire.derive.extract`.

The specification is not part of the project (see `specs`). Kept are the parameters and results of
the methods that the simulator serves, and the messages of all channels, as JSON schemas; from these
comes what the simulator's manners must know: what must stay, and which fields there are.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, Final

from mmbot.sim.wire.derive.protocol import METHODS

Json = dict[str, Any]

ROOT: Final = Path(__file__).parents[4]
EXTRACT: Final = Path(__file__).with_name("extract.json")
OPTIONAL: Final = ROOT / "mmbot" / "sim" / "wire" / "derive" / "optional.json"

# Formats that JSON schema does not know, as patterns. A decimal has up to twelve digits behind the
# point, as the texts of the specification say.
PATTERNS: Final = {
    "decimal": r"^-?\d+(\.\d{1,12})?$",
    "uuid": r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
}
KEPT: Final = ("type", "enum", "const", "minimum", "maximum", "pattern", "minItems", "maxItems")
# Of a connection only, and described in a file of their own.
OF_CONNECTION: Final = {
    "public/login": ("publicLogin", "LoginRequest"),
    "subscribe": ("subscribe", "SubscribeParams"),
    "unsubscribe": ("unsubscribe", "UnsubscribeParams"),
    "private/set_cancel_on_disconnect": (
        "privateSetCancelOnDisconnect",
        "SetCancelOnDisconnectRequest",
    ),
}
LISTS: Final = "Pushed as a JSON array"
NAME: Final = re.compile(r"`([^`]+)`")


def specs() -> Path:
    """Where the venue's own specification is; it need not be there."""
    shared = os.environ.get("MMBOT_SHARED") or ROOT.parent / "shared"
    return Path(shared) / "venues" / "specs"


class Extractor:
    """Turns the schemas of one file into JSON schemas; shared ones go under a prefix."""

    def __init__(self, document: Json, prefix: str, defs: Json) -> None:
        self._schemas: Json = document["components"]["schemas"]
        self._prefix = prefix
        self._defs = defs

    def schema(self, stated: Json | bool) -> Json:
        """One schema; `true` stands for anything."""
        if isinstance(stated, bool):
            return {}
        ref = stated.get("$ref")
        if ref is not None:
            name = ref.rsplit("/", 1)[-1]
            key = self._prefix + name
            if key not in self._defs:
                self._defs[key] = {}
                self._defs[key] = self.schema(self._schemas[name])
            return {"$ref": f"#/$defs/{key}"}
        made: Json = {name: stated[name] for name in KEPT if name in stated}
        if stated.get("format") in PATTERNS:
            made["pattern"] = PATTERNS[stated["format"]]
        for word in ("anyOf", "oneOf", "allOf"):
            if word in stated:
                made["anyOf" if word == "oneOf" else word] = [
                    self.schema(one) for one in stated[word]
                ]
        if "items" in stated:
            made["items"] = self.schema(stated["items"])
        if "properties" in stated:
            made |= self._object(stated)
        elif isinstance(stated.get("additionalProperties"), dict):
            made["additionalProperties"] = self.schema(stated["additionalProperties"])
        return _or_null(made) if stated.get("nullable") else made

    def _object(self, stated: Json) -> Json:
        named = {name: one for name, one in stated["properties"].items() if "{" not in name}
        if not named:
            return {"additionalProperties": self.schema(stated["additionalProperties"])}
        made: Json = {
            "properties": {name: self.schema(one) for name, one in named.items()},
            "additionalProperties": False,
        }
        if stated.get("required"):
            made["required"] = sorted(stated["required"])
        return made


def _or_null(schema: Json) -> Json:
    kind = schema.get("type")
    if not isinstance(kind, str):
        return {"anyOf": [schema, {"type": "null"}]}
    return schema | {"type": [kind, "null"]}


def extract(openapi: Json, websocket: Json, subscriptions: Json) -> Json:
    """The extract of the three files."""
    defs: Json = {}
    over_http = Extractor(openapi, "", defs)
    on_line = Extractor(websocket, "line.", defs)
    pushed = Extractor(subscriptions, "push.", defs)
    methods: Json = {}
    for name in sorted(METHODS):
        if name in OF_CONNECTION:
            message, request = OF_CONNECTION[name]
            payload = websocket["components"]["messages"][f"{message}Response"]["payload"]
            result = payload["anyOf"][0]["properties"]["result"]
            params = on_line.schema({"$ref": f"#/{request}"})
            methods[name] = {"params": params, "result": on_line.schema(result)}
            continue
        stated = openapi["paths"]["/" + name]["post"]
        body = stated["requestBody"]["content"]["application/json"]["schema"]
        answer = stated["responses"]["200"]["content"]["application/json"]["schema"]
        methods[name] = {"params": over_http.schema(body), "result": over_http.schema(answer)}
    channels: Json = {}
    for stated in subscriptions["channels"].values():
        found = NAME.search(stated["description"])
        assert found is not None, "a channel's description names it"
        (told,) = (
            one["$ref"].rsplit("/", 1)[-1]
            for key, one in stated["messages"].items()
            if key.endswith("Notification")
        )
        message = subscriptions["components"]["messages"][told]
        row = pushed.schema(message["payload"])
        is_list = LISTS in message.get("summary", "")
        channels[found[1]] = {"type": "array", "items": row} if is_list else row
    return {
        "version": openapi["info"]["version"],
        "classes": {
            name: openapi["paths"]["/" + name]["post"]["x-rate-limit-class"]
            for name in sorted(METHODS.keys() - OF_CONNECTION.keys())
        },
        "methods": methods,
        "channels": dict(sorted(channels.items())),
        "error": over_http.schema({"$ref": "#/RPCError"}),
        "$defs": dict(sorted(defs.items())),
    }


# --- what the manners must know -------------------------------------------------------------------


def table(document: Json) -> Json:
    """Of every object what must stay and which fields there are, by method and by channel."""
    shared = {name: one for name, one in document["$defs"].items() if _node(one, {})}

    def node(schema: Json) -> Json:
        return _node(schema, shared)

    methods = {name: node(one["result"]) for name, one in document["methods"].items()}
    channels = {shape(name).pattern: node(one) for name, one in document["channels"].items()}
    told = {
        "methods": {name: found for name, found in methods.items() if found},
        "channels": {name: found for name, found in channels.items() if found},
    }
    used: Json = {}
    waiting = sorted(_named(told))
    while waiting:
        name = waiting.pop()
        used[name] = node(document["$defs"][name])
        waiting += sorted(_named(used[name]) - used.keys())
    return {"shared": dict(sorted(used.items())), **told}


def _named(node: Any) -> set[str]:
    """The shared nodes that one leads to."""
    if not isinstance(node, dict):
        return set()
    found = {node["of"]} if isinstance(node.get("of"), str) else set()
    return found.union(*(_named(one) for one in node.values()))


def shape(pattern: str) -> re.Pattern[str]:
    """What the names of the channels of a pattern look like."""
    words = {
        "subaccount_id": r"\d+",
        "wallet": "0x[0-9a-fA-F]{40}",
        "instrument_type": "(?:erc20|option|perp)",
    }
    parts = re.split(r"\{(\w+)\}", pattern)
    return re.compile(
        "".join(
            re.escape(part) if at % 2 == 0 else words.get(part, r"[^.]+")
            for at, part in enumerate(parts)
        )
    )


def _node(schema: Json, shared: Json) -> Json:
    """`shared` empty: whether there is anything to say is what is asked."""
    ref = schema.get("$ref")
    if ref is not None:
        name = ref.rsplit("/", 1)[-1]
        return {"of": name} if not shared or name in shared else {}
    for branch in schema.get("anyOf", ()):
        if found := _node(branch, shared):
            return found
    if "items" in schema:
        return _node(schema["items"], shared)
    each = schema.get("additionalProperties")
    if isinstance(each, dict):
        found = _node(each, shared)
        return {"each": found} if found else {}
    if "properties" not in schema:
        return {}
    fields: Json = schema["properties"]
    inside = {name: found for name, one in fields.items() if (found := _node(one, shared))}
    node: Json = {"keep": sorted(schema.get("required", ())), "known": sorted(fields)}
    return node | ({"in": inside} if inside else {})


def written(document: Json) -> str:
    """As it is kept: one entry a line, so that a difference can be read."""
    lines = []
    for key, value in document.items():
        if isinstance(value, dict) and key != "error":
            rows = ",\n".join(f" {json.dumps(name)}: {_line(one)}" for name, one in value.items())
            lines.append(f"{json.dumps(key)}: {{\n{rows}\n}}")
        else:
            lines.append(f"{json.dumps(key)}: {_line(value)}")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _line(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def read_specs() -> Json:
    """The extract of the files as they are now."""
    names = ("derive_openapi", "derive_websocket", "derive_subscriptions")
    return extract(*(json.loads((specs() / f"{name}.json").read_text()) for name in names))


def main() -> None:
    """Write both files."""
    document = read_specs()
    EXTRACT.write_text(written(document))
    OPTIONAL.write_text(written(table(document)))
    print(f"{EXTRACT}: {len(document['methods'])} methods, {len(document['channels'])} channels")


if __name__ == "__main__":
    main()
