"""REST as the shell carries it out: status and message also where ccxt would raise."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from mmbot.clock import Clock
from mmbot.core.types import Nanos
from mmbot.venues.deribit.connection import Connection
from mmbot.venues.deribit.unified import Unified
from mmbot.venues.recipe import Get, Recipe
from mmbot.venues.requests import Outcome, Reply
from mmbot.venues.shell import Shell
from mmbot.venues.timing import USUAL
from tests.wire.no_venue import NOWHERE, http, json, no_venue
from tests.wire.scripted import Refused, Scripted


@asynccontextmanager
async def shell_at(rest_url: str) -> AsyncIterator[tuple[Shell, Connection]]:
    """A shell without a client, whose connection asks over REST alone."""
    clock = Clock()
    urls = {"api": {"rest": rest_url, "ws": "ws://127.0.0.1:1"}}
    exchange = Unified({"apiKey": "k", "secret": "s", "urls": urls, "timeout_on_exit": 0})
    now_ns: Nanos = clock.now_ns()
    connection = Connection("deribit", ("k", "s"), USUAL, now_ns)
    shell = Shell("deribit", connection, exchange, clock)
    try:
        yield shell, connection
    finally:
        await shell.close()
        await exchange.close()


def asked() -> Recipe[Reply]:
    reply: Reply = yield Get("private/get_open_orders", {"currency": "any"}, 10.0)
    return reply


async def came(rest_url: str) -> Reply:
    async with shell_at(rest_url) as (shell, connection):
        return await shell.run(connection, asked())


async def test_a_result() -> None:
    async with Scripted() as venue:
        venue.answer("private/get_open_orders", [])
        reply = await came(venue.rest_url)
        assert (reply.outcome, reply.result) == (Outcome.OK, [])
        assert venue.rest == [("private/get_open_orders", {"currency": "any"})]


async def test_a_refusal_is_the_venues_own() -> None:
    async with Scripted() as venue:
        venue.answer("private/get_open_orders", Refused(13009, "unauthorized"))
        reply = await came(venue.rest_url)
        assert reply.outcome is Outcome.REFUSED
        assert reply.error is not None
        assert (reply.error.code, reply.error.message) == (13009, "unauthorized")


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (http("503 Busy", "<p>"), "HTTP 503 Service Unavailable from {host}"),
        (http("200 OK", "<html>Log in</html>"), "unreadable answer (no JSON-RPC message)"),
        (json("[]"), "unreadable answer (no JSON-RPC message) from {host}"),
        (http("302 Found", "", "Location: https://login.example/"), "redirected to https://login"),
    ],
)
async def test_what_is_no_answer_is_unknown_and_named(answer: object, why: str) -> None:
    async with no_venue(answer) as host:  # type: ignore[arg-type]
        reply = await came(f"http://{host}")
        assert (reply.outcome, reply.error) == (Outcome.UNKNOWN, None)
        assert reply.why.startswith(why.format(host=host))


async def test_nobody_there() -> None:
    reply = await came(f"http://{NOWHERE}")
    assert reply.outcome is Outcome.UNKNOWN
    assert reply.why == f"connection refused by {NOWHERE}"
