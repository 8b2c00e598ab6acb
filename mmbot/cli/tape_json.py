"""Turns of a tape as JSON: decimals as text, instruments by the venue's own name, and the venue."""

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from mmbot.core.types import venue_name

if TYPE_CHECKING:
    from mmbot.cli.tape_lines import NameOf


def print_array(bodies: Iterable[dict[str, Any]], many: int | None) -> int:
    """One array on stdout, written as it is read; how many it has."""
    import orjson

    out, count = sys.stdout, 0
    out.write("[")
    for place, body in enumerate(bodies):
        if place == many:
            break
        out.write("," if place else "")
        out.write(orjson.dumps(body).decode())
        count = place + 1
    out.write("]\n")
    return count


def as_objects(values: Sequence[object], name_of: "NameOf") -> list[dict[str, Any]]:
    """Events or intents: type and fields."""
    import msgspec

    objects = ((type(one).__name__, msgspec.to_builtins(one)) for one in values)
    return [{"type": kind} | _named(fields, name_of) for kind, fields in objects]


def _named(value: Any, name_of: "NameOf") -> Any:
    if isinstance(value, dict):
        named = {
            key: name_of(part) if key == "instrument" and part else _named(part, name_of)
            for key, part in value.items()
        }
        if value.get("instrument"):
            named.setdefault("venue", venue_name(value["instrument"]))
        return named
    return [_named(part, name_of) for part in value] if isinstance(value, list) else value
