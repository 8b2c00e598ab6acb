"""Turns of a tape as JSON: decimals as text, instruments by the venue's own name, and the venue."""

import sys
from collections.abc import Iterable, Sequence
from typing import Any


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


def as_objects(values: Sequence[object]) -> list[dict[str, Any]]:
    """Events or intents: type and fields."""
    import msgspec

    return [{"type": type(one).__name__} | _named(msgspec.to_builtins(one)) for one in values]


def venues_name(instrument: str | None) -> str:
    """An instrument's name without the venue; empty for none."""
    return "" if instrument is None else instrument.partition(":")[2]


def _named(value: Any) -> Any:
    if isinstance(value, dict):
        named = {
            key: venues_name(part) if key == "instrument" and part else _named(part)
            for key, part in value.items()
        }
        if value.get("instrument"):
            named.setdefault("venue", value["instrument"].partition(":")[0])
        return named
    return [_named(part) for part in value] if isinstance(value, list) else value
