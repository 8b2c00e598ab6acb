"""What the simulator's manners must know of the specification: what must stay, what may be null.

A node tells of an object: `keep` are its fields that stay however thin it becomes, `null` those
that may be null, `in` the objects inside. Lists do not count: a node tells of every element.
`{"of": name}` is a shared node. An object of which the specification does not say what is required
stays whole, and has no `keep`.
"""

from __future__ import annotations

from typing import Any

from tests.wire.spec import law

Json = dict[str, Any]


def table() -> Json:
    """Shared nodes, nodes by method, and nodes by regular expression of a channel."""
    whole = law.law()
    methods = {name: _node(one["result"]) for name, one in whole["methods"].items()}
    channels = {law.shape(name).pattern: _node(one) for name, one in whole["channels"].items()}
    return {
        "shared": {name: node for name, one in whole["$defs"].items() if (node := _node(one))},
        "methods": {name: node for name, node in methods.items() if node},
        "channels": {name: node for name, node in channels.items() if node},
    }


def _node(schema: Json) -> Json:
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return {"of": name} if _node(law.law()["$defs"][name]) else {}
    for branch in schema.get("anyOf", ()):
        if found := _node(branch):
            return found
    if isinstance(schema.get("items"), dict):
        return _node(schema["items"])
    if "properties" not in schema:
        return {}
    fields: Json = schema["properties"]
    node: Json = {}
    required = schema.get("required", ())
    if required:
        node["keep"] = sorted({*required, *schema.get("x-usual", ())})
    if nullable := sorted(name for name, one in fields.items() if _may_be_null(one)):
        node["null"] = nullable
    if inside := {name: found for name, one in fields.items() if (found := _node(one))}:
        node["in"] = inside
    return node


def _may_be_null(schema: Json) -> bool:
    kinds = schema.get("type", ())
    return "null" in kinds or any(_may_be_null(one) for one in schema.get("anyOf", ()))
