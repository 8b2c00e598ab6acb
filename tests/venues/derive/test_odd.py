"""Whatever the venue sends, a reader understands it or says that it does not: nothing else."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmbot.core.order_life import Request
from mmbot.venues.derive import flows, keys, parse
from mmbot.venues.derive.catalog import listed_of
from mmbot.venues.derive.signing import MAINNET, Signer
from mmbot.venues.reading import Unread, Unreadable
from tests.venues.derive import samples
from tests.venues.derive.test_parse import CALL, PERP

Reader = Callable[[Any, Unread], object]

SIGNER = Signer("11" * 32, "0x5cb67F7829d01d9C75385A920De5E51060663374", 86815, MAINNET)
FOLLOWED = {CALL.name: CALL, PERP.name: PERP}
REPLACED = {
    "cancelled_order": {**samples.ORDER, "order_status": "cancelled"},
    "order": samples.ORDER,
    "create_order_error": None,
    "trades": [samples.TRADE],
}

READERS: dict[str, tuple[Any, Reader]] = {
    "option": (samples.ETH_CALL, lambda data, unread: listed_of("derive", data, unread)),
    "perpetual": (samples.BTC_PERP, lambda data, unread: listed_of("derive", data, unread)),
    "ticker": (
        {"timestamp": 1, "instrument_ticker": samples.OPTION_TICKER},
        lambda data, unread: parse.ticker_changed(CALL, data, unread, 1),
    ),
    "book": (
        samples.ORDERBOOK,
        lambda data, unread: parse.book_changed("derive", data, 10, unread, 1),
    ),
    "version": (samples.ORDERBOOK, lambda data, _: parse.publish_id(data)),
    "public trade": (
        samples.PUBLIC_TRADE,
        lambda data, unread: parse.trade_printed("derive", data, unread),
    ),
    "order": (
        samples.ORDER,
        lambda data, unread: parse.seen_of("derive", data, Request.PLACE, unread),
    ),
    "open order": (
        samples.ORDER,
        lambda data, unread: parse.open_order_of("derive", data, unread),
    ),
    "replace": (REPLACED, lambda data, unread: parse.replaced_of("derive", data, unread)),
    "fill": (samples.TRADE, lambda data, unread: parse.fill_of("derive", data, unread)),
    "position": (
        samples.POSITION,
        lambda data, unread: parse.position_of("derive", data, None, unread),
    ),
    "equity": (samples.SUBACCOUNT, parse.equity_of),
    "subscription": (
        {"status": {"a": "ok"}, "current_subscriptions": ["a"]},
        lambda data, unread: parse.refused_channels(data, ["a", "b"], unread),
    ),
    "funding": (
        samples.FUNDING,
        lambda data, unread: flows.funding_flows(data, FOLLOWED, unread),
    ),
    "settlement": (
        [samples.SETTLEMENT],
        lambda data, unread: flows.settlement_flows(data, FOLLOWED, unread),
    ),
    "deposit": ([samples.DEPOSIT], flows.deposit_flows),
    "withdrawal": ([samples.DEPOSIT], flows.withdrawal_flows),
    "session keys": (
        {"public_session_keys": [samples.SESSION_KEY]},
        lambda data, unread: keys.trouble_with(SIGNER, data, 1, unread),
    ),
}

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=True, allow_infinity=True),
    st.sampled_from(["", "0", "-1", "NaN", "-Infinity", "1E+999999", "1E-999999", "1_0", " 5 "]),
    st.text(max_size=8),
    st.just([]),
    st.just({}),
    st.just([None]),
    st.just([["1"]]),
    st.just({"price": None}),
)


def paths(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something can be changed: every field and every element, however deep."""
    found = [path] if path else []
    if isinstance(data, dict):
        for key, inner in data.items():
            found += paths(inner, (*path, key))
    elif isinstance(data, list):
        for number, inner in enumerate(data):
            found += paths(inner, (*path, number))
    return found


def changed(data: Any, path: tuple[Any, ...], odd: Any) -> Any:
    """The same with something else at one place."""
    if not path:
        return odd
    key, rest = path[0], path[1:]
    copy = dict(data) if isinstance(data, dict) else list(data)
    copy[key] = changed(data[key], rest, odd)
    return copy


@pytest.mark.parametrize("name", READERS)
def test_a_plain_message_is_read_without_a_note(name: str) -> None:
    sample, reader = READERS[name]
    unread = Unread()
    reader(sample, unread)
    assert unread.take() == []


@pytest.mark.parametrize("name", READERS)
@given(data=st.data())
@settings(max_examples=150)
def test_an_odd_message_is_understood_or_refused(name: str, data: st.DataObject) -> None:
    sample, reader = READERS[name]
    for _ in range(data.draw(st.integers(1, 3))):
        places = paths(sample)
        if not places:
            break
        sample = changed(sample, data.draw(st.sampled_from(places)), data.draw(ODD))
    with suppress(Unreadable):
        reader(sample, Unread())


@pytest.mark.parametrize("name", READERS)
@given(odd=ODD)
@settings(max_examples=30)
def test_what_is_no_message_at_all_is_refused_or_says_nothing(name: str, odd: Any) -> None:
    _, reader = READERS[name]
    with suppress(Unreadable):
        reader(odd, Unread())
