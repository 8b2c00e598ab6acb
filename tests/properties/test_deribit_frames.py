"""Whatever a frame says, reading goes on: it is understood, or refused as what it concerns."""

import copy
import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from mmbot.core.events import Link
from mmbot.venues.book import Book
from tests.wire.clients import arrive, ours, state_of, wire_of
from tests.wire.scripted import Scripted, change, snapshot, ticker

NAME = "BTC-PERPETUAL"
BOOK, TICKER, USER = f"book.{NAME}.raw", f"ticker.{NAME}.raw", "user.changes.any.any.raw"

junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
    | st.sampled_from(["new", "change", "delete", "snapshot", NAME, BOOK, TICKER, USER]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)


def push(channel: str, data: Any) -> dict[str, Any]:
    return {
        "jsonrpc": "2.0",
        "method": "subscription",
        "params": {"channel": channel, "data": data},
    }


GOOD = (
    push(BOOK, snapshot(1, [[100.0, 10.0], [99.0, 5.0]], [[101.0, 10.0]])),
    push(BOOK, change(1, 2, [["change", 100.0, 5.0]], [["delete", 101.0, 0.0]])),
    push(TICKER, ticker(100.0)),
    push(USER, {"orders": [], "trades": []}),
    push("trades.any.any.raw", [{"instrument_name": NAME}]),
    push("deribit_price_index.btc_usd", {"index_name": "btc_usd", "price": 1.0}),
    push("platform_state", {"locked": "false"}),
    {"jsonrpc": "2.0", "method": "heartbeat", "params": {"type": "test_request"}},
    {"jsonrpc": "2.0", "id": 1, "result": "ok", "usOut": 5},
    {"jsonrpc": "2.0", "id": 1, "error": {"code": 11050, "message": "bad_request", "data": None}},
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a frame, outermost first."""
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    found = [path] if path else []
    for key in keys:
        found += places(value[key], (*path, key))
    return found


@st.composite
def broken(draw: st.DrawFn) -> dict[str, Any]:
    """A good frame with one thing in it gone or replaced."""
    frame: dict[str, Any] = copy.deepcopy(draw(st.sampled_from(GOOD)))
    *path, last = draw(st.sampled_from(places(frame)))
    holder: Any = frame
    for key in path:
        holder = holder[key]
    if draw(st.booleans()):
        holder[last] = draw(junk)
    else:
        del holder[last]
    return frame


async def test_any_frame_is_survived() -> None:
    async with Scripted() as venue, ours(venue) as (client, _):
        await client.start([Link.MARKET], {Link.MARKET: [BOOK, TICKER]})
        wire, book = wire_of(client, Link.MARKET), state_of(client).books[BOOK]

        @settings(max_examples=400, deadline=None)
        @given(frames=st.lists(st.sampled_from(GOOD) | broken() | junk, max_size=6))
        def hear(frames: list[Any]) -> None:
            for frame in frames:
                arrive(client, json.dumps(frame))
                assert wire_of(client, Link.MARKET) is wire, (
                    "no frame but an error of the session's ends it"
                )
                assert_sound(book)

        hear()
        arrive(client, json.dumps(GOOD[0]))
        assert book.valid


def assert_sound(book: Book) -> None:
    for side, best_first in zip(book.levels(), (True, False), strict=True):
        prices = [price for price, _ in side]
        assert prices == sorted(set(prices), reverse=best_first)
        assert all(type(price) in (int, float) and price > 0 for price in prices)
        assert all(type(amount) in (int, float) and amount > 0 for _, amount in side)
        assert book.valid or not side
