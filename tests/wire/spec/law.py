"""What Deribit's specification permits: the extract, less its known mistakes, as validators.

`faults_of_reply`, `faults_of_push` and `faults_of_request` return what is wrong, in words; nothing
where all is right.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, Final

from jsonschema import Draft7Validator

from tests.wire.spec.exceptions import EXCEPTIONS, Exception_
from tests.wire.spec.extract import EXTRACT

Json = dict[str, Any]

FAULTS_MAX: Final = 20


@cache
def law() -> Json:
    """The extract with the exceptions applied. Nobody may write to it."""
    return read(EXCEPTIONS)


def read(exceptions: Iterable[Exception_]) -> Json:
    """The extract with such exceptions applied."""
    document: Json = json.loads(EXTRACT.read_text())
    for one in exceptions:
        one.change(document)
    return document


def result_schema(method: str, *, extended: bool = False) -> Json:
    """The schema of a method's result, complete with what it refers to. Raises KeyError."""
    return _complete(law()["methods"][method]["result"], extended=extended)


def params_schema(method: str) -> Json:
    """The schema of a method's parameters. Raises KeyError."""
    return _complete(law()["methods"][method]["params"], extended=True)


def channel_schema(pattern: str) -> Json:
    """The schema of a channel's data; `pattern` as AsyncAPI names it. Raises KeyError."""
    return _complete(law()["channels"][pattern], extended=False)


def pattern_of(channel: str) -> str | None:
    """The pattern that a channel's name follows, None if there is none."""
    fitting = [one for one in law()["channels"] if shape(one).fullmatch(channel)]
    # `raw` is an interval too, and has a pattern of its own where it matters.
    return max(fitting, key=lambda one: (one.endswith(".raw"), len(one)), default=None)


@cache
def shape(pattern: str) -> re.Pattern[str]:
    """What the names of the channels of a pattern look like."""
    words = {"kind": "(any|future|option|spot|combo|future_combo|option_combo)"}
    parts = re.split(r"\((\w+)\)", pattern)
    text = "".join(
        re.escape(part) if at % 2 == 0 else words.get(part, r"[^.]+")
        for at, part in enumerate(parts)
    )
    return re.compile(text)


def faults_of_reply(method: str, result: Any, *, extended: bool = False) -> list[str]:
    """What is wrong with a result."""
    if method not in law()["methods"]:
        return [f"{method}: the specification has no such method"]
    return _faults(method, _reply_validator(method, extended), result)


def faults_of_push(channel: str, data: Any) -> list[str]:
    """What is wrong with a message of a channel."""
    pattern = pattern_of(channel)
    if pattern is None:
        return [f"{channel}: the specification has no such channel"]
    return _faults(channel, _push_validator(pattern), data)


def faults_of_pattern(pattern: str, data: Any) -> list[str]:
    """What is wrong with a message of any channel of a pattern."""
    return _faults(pattern, _push_validator(pattern), data)


def faults_of_request(method: str, params: Mapping[str, Any], *, rest: bool = False) -> list[str]:
    """What is wrong with a request; over REST every value is a text."""
    if method not in law()["methods"]:
        return [f"{method}: the specification has no such method"]
    schema = params_schema(method)
    sent = dict(params)
    if rest:
        sent = {
            name: _read(value, schema["properties"].get(name, {})) for name, value in sent.items()
        }
    return _faults(method, _request_validator(method), sent)


def faults_of_error(frame: Mapping[str, Any]) -> list[str]:
    """What is wrong with a frame that says no."""
    return _faults("error", _error_validator(), frame)


# -- inside ---------------------------------------------------------------------------------------


@cache
def _reply_validator(method: str, extended: bool) -> Draft7Validator:
    return Draft7Validator(result_schema(method, extended=extended))


@cache
def _push_validator(pattern: str) -> Draft7Validator:
    return Draft7Validator(channel_schema(pattern))


@cache
def _request_validator(method: str) -> Draft7Validator:
    return Draft7Validator(params_schema(method))


@cache
def _error_validator() -> Draft7Validator:
    error = {
        "type": "object",
        "properties": {name: {} for name in law()["error"]}
        | {"code": {"type": "integer"}, "message": {"type": "string"}},
        "required": ["code", "message"],
        "additionalProperties": False,
    }
    return Draft7Validator(
        {
            "type": "object",
            "properties": {name: {} for name in law()["envelope"]}
            | {"jsonrpc": {"const": "2.0"}, "id": {}, "error": error},
            "required": ["jsonrpc", "error"],
            "additionalProperties": False,
        }
    )


def _complete(schema: Json, *, extended: bool) -> Json:
    made = copy.deepcopy(schema)
    if "$defs" not in made:
        made["$defs"] = copy.deepcopy(law()["$defs"])
    if not extended:
        for one in _objects(made):
            for name in one.get("x-extended", ()):
                del one["properties"][name]
            if "required" in one:
                one["required"] = [n for n in one["required"] if n in one["properties"]]
    return made


def _objects(schema: Any) -> Iterator[Json]:
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
            yield schema
        for one in list(schema.values()):
            yield from _objects(one)
    elif isinstance(schema, list):
        for one in schema:
            yield from _objects(one)


def _faults(about: str, validator: Draft7Validator, value: Any) -> list[str]:
    found: list[str] = []
    for error in validator.iter_errors(_plain(value)):
        at = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in error.absolute_path)
        found.append(f"{about}{at}: {error.message[:300]}")
        if len(found) == FAULTS_MAX:
            break
    return found


def _plain(value: Any) -> Any:
    """Tuples are arrays on the wire."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value


def _read(value: Any, schema: Json) -> Any:
    """A text of a query string as the type that is asked for, or as it is."""
    kinds = schema.get("type")
    if not isinstance(value, str):
        return f"not a text: {value!r}"
    if kinds == "boolean":
        return {"true": True, "false": False}.get(value, value)
    if kinds in ("number", "integer", "array", "object"):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value
