"""Messages for tests of what reads them: any that the specification permits, and any with a fault.

`permitted` and `broken` take the name of a method (its results) or of a channel's pattern (its
data). What is drawn is plain JSON, except that a broken number may be a NaN or an infinity, which
some parsers let through.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from hypothesis import assume
from hypothesis import strategies as st

from tests.wire.spec import law

Json = dict[str, Any]
Path = tuple[str | int, ...]

ROWS_MAX: Final = 3  # of every list


class Break(Enum):
    """What is wrong with one field."""

    REMOVED = "removed"
    NULL = "null"
    WORD = "word"
    NAN_TEXT = "NaN as text"
    NAN = "not a number"
    INFINITE = "infinite"
    NEGATIVE = "negative"
    LIST = "a list"
    OBJECT = "an object"
    BOOLEAN = "a boolean"
    HUGE = "huge"


VALUES: Final[dict[Break, Any]] = {
    Break.NULL: None,
    Break.WORD: "unheard_of",
    Break.NAN_TEXT: "NaN",
    Break.NAN: math.nan,
    Break.INFINITE: math.inf,
    Break.NEGATIVE: -1,
    Break.LIST: [],
    Break.OBJECT: {},
    Break.BOOLEAN: True,
    Break.HUGE: 10**400,
}


@dataclass(frozen=True, slots=True)
class Broken:
    """A message of which one field, at `path`, has been broken."""

    message: Any
    path: Path
    how: Break


def permitted(name: str, *, extended: bool = False) -> st.SearchStrategy[Any]:
    """Any result of a method, or any data of a channel, that the specification permits."""
    if name in law.law()["methods"]:
        schema = law.result_schema(name, extended=extended)
    else:
        schema = law.channel_schema(name)
    return _of(schema, schema["$defs"])


@st.composite
def broken(draw: st.DrawFn, name: str) -> Broken:
    """The same with one field broken; the rest is as the specification permits."""
    message = copy.deepcopy(draw(permitted(name)))
    paths = sorted(_paths(message), key=str)
    assume(paths)
    path = draw(st.sampled_from(paths))
    how = draw(st.sampled_from(Break))
    holder = message
    for step in path[:-1]:
        holder = holder[step]
    if how is Break.REMOVED:
        del holder[path[-1]]
    else:
        holder[path[-1]] = VALUES[how]
    return Broken(message, path, how)


def _paths(value: Any, at: Path = ()) -> Iterator[Path]:
    inside: list[tuple[str | int, Any]] = []
    if isinstance(value, dict):
        inside = list(value.items())
    elif isinstance(value, list):
        inside = list(enumerate(value))
    for step, one in inside:
        yield (*at, step)
        yield from _paths(one, (*at, step))


def _of(schema: Json, shared: Json) -> st.SearchStrategy[Any]:
    """What a schema permits, of the schemas that there are here."""
    if "$ref" in schema:
        return _of(shared[schema["$ref"].rsplit("/", 1)[-1]], shared)
    if "const" in schema:
        return st.just(schema["const"])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if "anyOf" in schema:
        return st.one_of([_of(one, shared) for one in schema["anyOf"]])
    kinds = schema.get("type", "anything")
    if isinstance(kinds, list):
        return st.one_of([_of({**schema, "type": kind}, shared) for kind in kinds])
    match kinds:
        case "object":
            return _object(schema, shared)
        case "array":
            items = schema.get("items", {})
            if isinstance(items, list):
                return st.tuples(*(_of(one, shared) for one in items)).map(list)
            return st.lists(_of(items, shared), max_size=ROWS_MAX)
        case "string":
            return st.text(max_size=12)
        case "integer":
            return st.integers(schema.get("minimum", -(2**53)), schema.get("maximum", 2**53))
        case "number":
            return st.one_of(
                st.just(0), st.integers(-(10**9), 10**9), st.floats(-1e9, 1e9, allow_nan=False)
            )
        case "boolean":
            return st.booleans()
        case "null":
            return st.none()
        case _:
            return st.sampled_from((None, 1, "text", [], {}))


def _object(schema: Json, shared: Json) -> st.SearchStrategy[Json]:
    fields: Json = schema.get("properties", {})
    if not fields:
        others = schema.get("additionalProperties", True)
        values = _of(others, shared) if isinstance(others, dict) else st.integers()
        return st.dictionaries(st.text(max_size=8), values, max_size=2)
    required = schema.get("required", ())
    made = st.fixed_dictionaries(
        {name: _of(fields[name], shared) for name in required},
        optional={name: _of(one, shared) for name, one in fields.items() if name not in required},
    )
    if "if" not in schema:
        return made
    # The one condition that there is: with some value of a field, others must be there.
    ((name, wanted),) = schema["if"]["properties"].items()
    then = set(schema["then"]["required"])
    return made.filter(lambda one: one[name] != wanted["const"] or then <= one.keys())
