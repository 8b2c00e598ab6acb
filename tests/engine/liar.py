"""A relay on which a test changes what the venue says, in WebSocket and REST alike.

    liar = Liar()
    liar.refuse = lambda method, params: FUNDS if method == "private/sell" else None
    async with live(line=liar): ...

`refuse` answers a request with an error in the venue's place, `reply` changes a result, `push` what
is passed on of a channel's message. `calls` are all requests, with their parameters.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from aiohttp import web

from tests.engine.relay import Frame, Kind, Relay, Talk

Json = dict[str, Any]


class Liar(Relay):
    """See above."""

    def __init__(self) -> None:
        super().__init__()
        self.refuse: Callable[[str, Json], Json | None] = lambda method, params: None
        self.reply: Callable[[str, Json, Any], Any] = lambda method, params, result: result
        self.push: Callable[[str, Any], Iterable[Any]] = lambda channel, data: (data,)
        self.calls: list[tuple[str, Json]] = []
        self.to_venue, self.to_engine = self._asked, self._said
        self._params: dict[tuple[int, int], Json] = {}
        self._answering: set[asyncio.Task[None]] = set()

    def count(self, method: str, **params: Any) -> int:
        """How often a method was called with (at least) these parameters."""
        return sum(name == method and params.items() <= sent.items() for name, sent in self.calls)

    def counts(self) -> Counter[str]:
        """Requests by method."""
        return Counter(name for name, _ in self.calls)

    async def say(self, kind: Kind, channel: str, data: Any) -> None:
        """A message that the venue never sent, on the engine's connections of a kind."""
        text = json.dumps(_message(channel, data))
        for talk in list(self.talks):
            if talk.kind is kind:
                await talk.say(Frame(text, {}))

    # -- WebSocket -------------------------------------------------------------------------------

    def _asked(self, talk: Talk, frame: Frame) -> Sequence[Frame]:
        params, number = frame.body.get("params") or {}, frame.body.get("id")
        self.calls.append((frame.method, params))
        error = self.refuse(frame.method, params)
        if error is not None:
            text = json.dumps({"jsonrpc": "2.0", "id": number, "error": error})
            task = asyncio.ensure_future(talk.say(Frame(text, {})))
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)
            return ()
        if isinstance(number, int):
            self._params[id(talk), number] = params
        return (frame,)

    def _said(self, talk: Talk, frame: Frame) -> Sequence[Frame]:
        if frame.channel:
            data = frame.body["params"]["data"]
            passed = self.push(frame.channel, data)
            return [Frame(json.dumps(_message(frame.channel, one)), {}) for one in passed]
        if frame.answers and "result" in frame.body:
            params = self._params.pop((id(talk), frame.body["id"]), {})
            result = self.reply(frame.answers, params, frame.body["result"])
            return (Frame(json.dumps({**frame.body, "result": result}), {}),)
        return (frame,)

    # -- REST ------------------------------------------------------------------------------------

    async def _on_request(self, request: web.Request) -> web.StreamResponse:
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await super()._on_request(request)
        method, params = request.path.removeprefix("/api/v2/"), dict(request.query)
        self.calls.append((method, params))
        error = self.refuse(method, params)
        if error is not None:
            return web.json_response({"jsonrpc": "2.0", "error": error}, status=400)
        answer = await super()._on_request(request)
        assert isinstance(answer, web.Response)
        assert isinstance(answer.body, bytes)
        body = json.loads(answer.body)
        if "result" in body:
            body["result"] = self.reply(method, params, body["result"])
        return web.json_response(body, status=answer.status)


def _message(channel: str, data: Any) -> Json:
    params = {"channel": channel, "data": data}
    return {"jsonrpc": "2.0", "method": "subscription", "params": params}
