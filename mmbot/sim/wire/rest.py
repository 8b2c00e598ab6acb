"""A REST request to the simulated venue, read from its path, query and body."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web


@dataclass(frozen=True, slots=True)
class RestCall:
    """A method with its parameters."""

    method: str
    params: dict[str, Any]
    request_id: Any


def read_call(request: web.Request, body: str) -> RestCall | None:
    """What is asked: the path and the query, or a JSON-RPC request in the body; None where the body
    is no JSON object."""
    method = request.match_info["tail"].strip("/")
    params: dict[str, Any] = dict(request.query)
    request_id: Any = None
    if body:
        try:
            posted = orjson.loads(body)
        except orjson.JSONDecodeError:
            posted = None
        if not isinstance(posted, dict):
            return None
        if isinstance(posted.get("method"), str):
            method = posted["method"]
            request_id = posted.get("id")
            posted = posted.get("params") or {}
        params |= posted
    return RestCall(method, params, request_id)
