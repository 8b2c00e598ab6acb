"""The extract of Deribit's specification is what the script writes, and the real venue obeys it."""

import contextlib
import json

import pytest

from tests.wire.spec import law
from tests.wire.spec.exceptions import EXCEPTIONS
from tests.wire.spec.extract import EXTRACT, OPTIONAL, extract, shared, specs, written
from tests.wire.spec.recorded import recorded
from tests.wire.spec.table import table

needs_specs = pytest.mark.skipif(not specs().is_dir(), reason="the shared folder is not here")
needs_frames = pytest.mark.skipif(
    not (shared() / "data" / "deribit_messages").is_dir(), reason="the shared folder is not here"
)


@needs_specs
def test_the_kept_extract_is_what_the_script_writes_now() -> None:
    document = extract(
        json.loads((specs() / "deribit_openapi.json").read_text()),
        json.loads((specs() / "deribit_asyncapi.json").read_text()),
    )
    assert EXTRACT.read_text() == written(document)


def test_what_the_simulator_knows_of_it_is_what_the_script_writes_now() -> None:
    assert OPTIONAL.read_text() == written(table())


def test_the_exceptions_are_few_and_each_has_a_reason_and_a_witness() -> None:
    assert len(EXCEPTIONS) <= 25
    assert all(len(one.reason) > 10 and one.seen for one in EXCEPTIONS)
    assert len({one.where for one in EXCEPTIONS}) == len(EXCEPTIONS)


@pytest.mark.parametrize("skipped", EXCEPTIONS, ids=lambda one: one.where)
def test_every_exception_changes_something(
    skipped: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = law.read(EXCEPTIONS)
    rest = [one for one in EXCEPTIONS if one is not skipped]
    with contextlib.suppress(KeyError):  # others build on it: it changes something all the more
        assert law.read(rest) != whole


@needs_frames
def test_the_recorded_frames_of_the_real_venue_conform() -> None:
    faults, count = [], 0
    for one in recorded():
        count += 1
        if one.is_push:
            found = law.faults_of_push(one.about, one.payload)
        else:
            found = law.faults_of_reply(one.about, one.payload, extended=True)
        faults += [f"{one.source}: {fault}" for fault in found]
    assert not faults
    assert count > 150


def test_what_comes_with_extended_only_is_told_where_nobody_asked_for_it() -> None:
    account = {"summaries": [], "username": "me"}
    assert law.faults_of_reply("private/get_account_summaries", account) == [
        "private/get_account_summaries: Additional properties are not allowed "
        "('username' was unexpected)"
    ]
    missing = law.faults_of_reply("private/get_account_summaries", account, extended=True)
    assert any("'id' is a required property" in fault for fault in missing)


def test_a_missing_a_mistyped_and_an_unknown_field_and_value_are_told() -> None:
    good = {"trade_id": "1", "trade_seq": 1, "instrument_name": "X", "timestamp": 1, "price": 1.0}
    good |= {"direction": "buy", "tick_direction": 0, "amount": 1.0}
    channel = "trades.BTC-PERPETUAL.raw"
    assert not law.faults_of_push(channel, [good])
    for bad in (
        {k: v for k, v in good.items() if k != "price"},
        good | {"price": "1.0"},
        good | {"price": None},
        good | {"color": "red"},
        good | {"direction": "up"},
    ):
        assert len(law.faults_of_push(channel, [bad])) == 1, bad


def test_a_request_over_rest_is_read_as_text() -> None:
    method = "private/get_account_summaries"
    assert not law.faults_of_request(method, {"extended": "true"}, rest=True)
    assert law.faults_of_request(method, {"extended": "True"}, rest=True)
    assert law.faults_of_request(method, {"extended": "true"})
    assert law.faults_of_request(method, {"extend": True})
    assert law.faults_of_request("private/get_open_order", {})


def test_channels_find_their_patterns() -> None:
    for channel, pattern in (
        ("user.orders.any.any.raw", "user.orders.(kind).(currency).raw"),
        ("user.orders.ETH-PERPETUAL.100ms", "user.orders.(instrument_name).(interval)"),
        ("trades.option.any.raw", "trades.(kind).(currency).(interval)"),
        ("book.X.none.20.100ms", "book.(instrument_name).(group).(depth).(interval)"),
        ("user.portfolio.any", "user.portfolio.(currency)"),
        ("no.such.channel", None),
    ):
        assert law.pattern_of(channel) == pattern
