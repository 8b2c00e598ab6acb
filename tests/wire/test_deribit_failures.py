"""What is said of everything that is no venue: the real client's exceptions on real sockets."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mmbot.clock import Clock
from mmbot.core.events import Link
from mmbot.errors import VenueUnreachable
from mmbot.sim.wire.server import SimVenue, VenueOptions
from mmbot.venues.arrival import Arrival
from mmbot.venues.deribit.client import Deribit
from mmbot.venues.deribit.venue import DeribitVenue
from mmbot.venues.failures import may_pass, said, unreachable
from mmbot.venues.patience import patiently
from tests.wire.no_venue import (
    NOWHERE,
    Connection,
    at_first,
    hangs_up,
    http,
    json,
    never_answers,
    no_venue,
    own_certificate,
    refuses_tls,
    resets,
    saying,
)

Ask = Callable[[Deribit], Awaitable[object]]


async def over_rest(client: Deribit) -> object:
    return await client.privateGetGetAccountSummaries({})


async def over_websocket(client: Deribit) -> None:
    await client.start((Link.MARKET,))


async def failing(ask: Ask, host: str, scheme: str = "http") -> Exception:
    """What the client raises there."""
    client = a_client(host, scheme)
    try:
        await ask(client)
    except Exception as error:  # noqa: BLE001  # what it is, is the question
        return error
    finally:
        await client.aclose()
    raise AssertionError(f"{host} was taken for a venue")


def a_client(host: str, scheme: str = "http", time_scale: float = 1.0) -> Deribit:
    ws = f"{scheme.replace('http', 'ws')}://{host}/ws/api/v2"
    urls = {"api": {"rest": f"{scheme}://{host}", "ws": ws}}
    config = {"apiKey": "sim", "secret": "sim", "urls": urls}
    client = Deribit(config, clock=Clock(1 / time_scale))
    client.timeout = 300
    return client


MAINTENANCE = '{"jsonrpc":"2.0","error":{"code":11051,"message":"system_maintenance"}}'
LOGIN = "Location: https://login.example/?next=/"

CASES: list[tuple[Connection, Ask, str, bool]] = [
    (resets, over_rest, "connection reset by {host}", True),
    (resets, over_websocket, "connection reset by it", True),
    (
        hangs_up,
        over_rest,
        "connection closed by {host} without an answer (does it want TLS?)",
        True,
    ),
    (never_answers, over_rest, "no answer from {host} in 10 s", True),
    (saying(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), over_rest, "unreadable answer (not HTTP)", False),
    (saying(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), over_websocket, "unreadable answer (not HTTP)", False),
    (
        http("200 OK", "<html>Log in</html>"),
        over_rest,
        "unreadable answer (no JSON-RPC message) from {host}",
        False,
    ),
    (http("200 OK"), over_websocket, "unreadable answer (HTTP 200, but no WebSocket)", False),
    (http("302 Found", "", LOGIN), over_rest, "redirected to https://login.example/?next=/", False),
    (http("301 Moved", "", "Location: /"), over_websocket, "redirected to /", False),
    (http("500 Oops"), over_rest, "HTTP 500 Internal Server Error from {host}", True),
    (http("503 Busy", "<p>"), over_rest, "HTTP 503 Service Unavailable from {host}", True),
    (http("503 Busy", MAINTENANCE, kind="application/json"), over_rest, "11051 system_maint", True),
    (http("503 Busy"), over_websocket, "HTTP 503 Service Unavailable", True),
    (http("429 Slow down"), over_rest, "HTTP 429 Too Many Requests from {host}", True),
    (http("404 Nothing"), over_rest, "HTTP 404 Not Found from {host}", False),
    (http("599 Odd"), over_websocket, "HTTP 599", False),
    (json("null"), over_rest, "unreadable answer (no JSON-RPC message) from {host}", False),
    (json("[]"), over_rest, "unreadable answer (no JSON-RPC message) from {host}", False),
    (json('{"error": {}}'), over_rest, 'an error without a code: {{"error": {{}}}}', False),
    (
        json('{"error":{"code":-32602,"message":"Invalid params","data":{"reason":"no"}}}'),
        over_rest,
        "-32602 Invalid params: no",
        False,
    ),
]


@pytest.mark.parametrize(("connection", "ask", "words", "passing"), CASES)
async def test_what_is_no_venue_is_named(
    connection: Connection, ask: Ask, words: str, passing: bool
) -> None:
    async with no_venue(connection) as host:
        error = await failing(ask, host)
        assert said(error).startswith(words.format(host=host))
        assert may_pass(error) is passing


@pytest.mark.parametrize("ask", [over_rest, over_websocket])
async def test_nobody_there_is_a_refused_connection(ask: Ask) -> None:
    error = await failing(ask, NOWHERE)
    assert said(error) == f"connection refused by {NOWHERE}"
    assert may_pass(error)


@pytest.mark.parametrize("ask", [over_rest, over_websocket])
async def test_tls_to_a_plain_port_and_to_a_stranger_say_tls(ask: Ask, tmp_path: Path) -> None:
    async with no_venue(refuses_tls) as host:
        error = await failing(ask, host, "https")
        assert said(error) == "TLS: the other end does not speak it (wrong version number)"
        assert not may_pass(error)
    async with no_venue(json("{}"), own_certificate(tmp_path)) as host:
        error = await failing(ask, host, "https")
        assert said(error) == "TLS: the certificate is not accepted (self-signed certificate)"
        assert not may_pass(error)
        assert "closed by" in said(await failing(over_rest, host)), "plain HTTP to a TLS port"


async def test_a_redirect_is_not_followed() -> None:
    asked = []

    async def elsewhere(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readline())
        writer.close()

    async with no_venue(elsewhere) as there:
        redirect = http("307 Elsewhere", "", f"Location: http://{there}/")
        async with no_venue(redirect) as host:
            for ask in (over_rest, over_websocket):
                assert said(await failing(ask, host)) == f"redirected to http://{there}/"
    assert asked == []


def test_wrong_credentials_are_no_failure_of_the_line() -> None:
    from ccxt.base.errors import AuthenticationError

    error = AuthenticationError('deribit {"error":{"code":13004,"message":"invalid_credentials"}}')
    assert not may_pass(error)
    assert str(unreachable("deribit", error)) == (
        "deribit refuses the credentials (13004 invalid_credentials): check key and secret"
    )


# --- arriving ---------------------------------------------------------------------------------

MESSAGES = (
    "{}",
    '{"result": null}',
    '{"result": "ok"}',
    '{"result": 7}',
    '{"result": {}}',
    '{"result": []}',
    '{"result": [null]}',
    '{"result": [{}]}',
    '{"result": {"summaries": null}}',
)


@pytest.mark.parametrize("message", MESSAGES)
async def test_an_answer_of_another_shape_is_called_unreadable(message: str) -> None:
    async with no_venue(json(message)) as host:
        clock = Clock()
        venue = DeribitVenue("deribit", a_client(host), clock)
        arrival = Arrival(venue, clock, limit_s=0.0)
        try:
            with pytest.raises(VenueUnreachable, match="unreadable answer to get_instruments"):
                await arrival.listed()
            with pytest.raises(VenueUnreachable, match="unreadable answer to get_account_summ"):
                await arrival.asked(venue.account)
            if message != '{"result": 7}':  # a time as good as any
                with pytest.raises(VenueUnreachable, match="unreadable answer to get_time"):
                    await arrival.venue_ms()
        finally:
            await venue.close()


async def test_connecting_is_tried_again_and_ends_on_both_links() -> None:
    async with SimVenue(VenueOptions(flow_scale=0.0)) as simulated:
        port = int(simulated.rest_url.rpartition(":")[2])
        async with no_venue(at_first(http("503 Busy"), 3, port)) as host:
            urls = {"api": {"rest": simulated.rest_url, "ws": f"ws://{host}/ws/api/v2"}}
            clock = Clock()
            client = Deribit({"apiKey": "sim", "secret": "sim", "urls": urls}, clock=clock)
            venue = DeribitVenue("deribit", client, clock)
            arrival = Arrival(venue, clock, limit_s=30.0)
            seen: list[object] = []
            try:
                listed = await arrival.listed()
                clock.set_to_ms(await arrival.venue_ms())
                await arrival.connected(seen.append, listed[:2])
                assert venue._session.connection.up(Link.MARKET)
                assert venue._session.connection.up(Link.TRADING)
            finally:
                await venue.close()


class Troubled:
    """Fails so many times, with a real refusal to connect, and then answers."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.left, self.error = failures, error
        self.asked = 0

    async def ask(self) -> str:
        self.asked += 1
        if self.left:
            self.left -= 1
            raise self.error
        return "an answer"


FAST = 100.0
"""Clock seconds a second."""


async def test_what_may_pass_is_asked_again_and_a_long_wait_is_told_once() -> None:
    error = await failing(over_rest, NOWHERE)
    told: list[BaseException] = []
    short, long = Troubled(1, error), Troubled(6, error)
    for venue in (short, long):
        answer = await patiently(
            venue.ask, may_pass=may_pass, clock=Clock(FAST), limit_s=300.0, tell=told.append
        )
        assert answer == "an answer"
        if venue is short:
            assert told == []
    assert told == [error]
    assert long.asked == 7


async def test_it_is_given_up_when_time_is_up_and_at_once_where_waiting_cannot_help() -> None:
    error = await failing(over_rest, NOWHERE)
    ever = Troubled(10_000, error)
    with pytest.raises(type(error)):
        await patiently(ever.ask, may_pass=may_pass, clock=Clock(FAST), limit_s=30.0)
    assert 5 <= ever.asked <= 12, "waits grow, up to a few seconds"
    async with no_venue(http("404 Nothing")) as host:
        never = Troubled(10_000, await failing(over_rest, host))
    with pytest.raises(type(never.error)):
        await patiently(never.ask, may_pass=may_pass, clock=Clock(FAST), limit_s=30.0)
    assert never.asked == 1
