"""The venue's own specification, where it lies beside the project."""

import json
from functools import cache
from typing import Any, Final

import pytest
from jsonschema import Draft7Validator

from tests.wire.spec.extract import specs

FILES: Final = ("derive_websocket.json", "derive_subscriptions.json", "derive_openapi.json")
"""What a later one says of a message holds: the first two are in an older dialect."""

needs_specs = pytest.mark.skipif(
    not all((specs() / name).is_file() for name in FILES), reason="the shared folder is not here"
)


@cache
def schemas() -> Any:
    """Every named schema of the venue's, by its name.

    One is put right: levels of a book have been seen as [price, amount] (ccxt), and derive-py reads
    nothing else; the file has objects.
    """
    found: dict[str, Any] = {}
    for name in FILES:
        found |= json.loads((specs() / name).read_text())["components"]["schemas"]
    found["OrderSnapshot"] = {"type": "array", "items": {"type": "string"}, "minItems": 2}
    return _with_nulls(found)


def _with_nulls(schema: Any) -> Any:
    """The older dialect's `nullable` in the newer one's words."""
    if isinstance(schema, list):
        return [_with_nulls(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {key: _with_nulls(one) for key, one in schema.items() if key != "nullable"}
    if schema.get("nullable") is True and isinstance(schema.get("type"), str):
        changed["type"] = [schema["type"], "null"]
    return changed


@cache
def methods() -> dict[str, Any]:
    """Every method, with what it takes and gives."""
    found: dict[str, Any] = json.loads((specs() / FILES[-1]).read_text())["paths"]
    return {path.removeprefix("/"): stated["post"] for path, stated in found.items()}


def faults(name: str, value: object) -> list[str]:
    """What is wrong with a value by the schema of that name."""
    document = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas()}}
    found = Draft7Validator(document).iter_errors(value)
    return [f"{'/'.join(map(str, one.path))}: {one.message}"[:200] for one in found]


def params_of(method: str) -> str:
    """The name of the schema of a method's parameters."""
    content = methods()[method]["requestBody"]["content"]["application/json"]
    return str(content["schema"]["$ref"]).rpartition("/")[2]
