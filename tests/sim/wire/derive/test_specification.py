"""The simulated Derive says only what Derive's own specification permits."""

from __future__ import annotations

import json

import pytest

from mmbot.sim.wire.derive.calls_orders import TIMES, TYPES
from mmbot.sim.wire.derive.limits import Pool
from mmbot.sim.wire.derive.protocol import METHODS
from mmbot.sim.wire.derive.venue import _UPDATES
from tests.sim.wire.derive import history, law
from tests.sim.wire.derive.extract import EXTRACT, OPTIONAL, read_specs, specs, table, written

needs_specs = pytest.mark.skipif(not specs().is_dir(), reason="the shared folder is not here")


@needs_specs
def test_the_kept_extract_is_what_the_script_writes_now() -> None:
    document = read_specs()
    assert EXTRACT.read_text() == written(document)
    assert OPTIONAL.read_text() == written(table(document))


def test_every_exception_says_what_the_specification_does_not() -> None:
    document = json.loads(EXTRACT.read_text())
    for one in law.EXCEPTIONS:
        stated = document["$defs"][one.where]
        assert (one.fields is None) != (one.schema is None)
        assert one.schema != stated
        assert not (one.fields or {}).keys() & stated["properties"].keys()
        assert len(one.reason) > 10
        assert one.seen


def test_every_reply_and_push_of_a_morning_conforms() -> None:
    faults = sorted(set(history.morning().judge.faults))
    assert not faults, "\n".join(faults[:80])


def test_no_served_method_goes_unjudged() -> None:
    assert METHODS.keys() == history.morning().judge.answered


def test_every_channel_that_has_something_to_say_is_judged() -> None:
    assert history.morning().judge.pushed == history.TOLD


def test_every_way_to_say_no_is_judged() -> None:
    told = {-32601, -32602, 11006, 12001, 12002, 14001, 14014}
    assert history.morning().judge.refused == told


def test_every_request_of_the_morning_is_permitted_itself() -> None:
    for method, requests in history.EVERYTHING.items():
        for params in requests:
            assert not law.faults_of_request(method, params)
    caller = history.morning().caller()
    assert not law.faults_of_request("private/order", caller.signed())


def test_every_class_of_request_is_the_venues() -> None:
    words = {
        "matching": {Pool.MATCHING},
        "non_matching": {Pool.OTHER},
        "endpoint": {Pool.CANCEL_ALL},
        "custom": {Pool.BY_LABEL, Pool.LIVE_NAMES},
    }
    for name, word in law.law()["classes"].items():
        assert METHODS[name].pool in words[word], name


@pytest.mark.parametrize(
    ("told", "shape"),
    [(TYPES, "OrderType"), (TIMES, "TimeInForce"), (_UPDATES.values(), "push.BalanceUpdateType")],
)
def test_every_word_of_the_simulator_is_one_of_the_venues(told: object, shape: str) -> None:
    assert set(told) <= set(law.law()["$defs"][shape]["enum"])  # type: ignore[call-overload]


def test_a_missing_a_mistyped_and_an_unknown_field_and_value_are_told() -> None:
    good = {"name": "USDC", "new_balance": "1.5", "previous_balance": "0", "update_type": "trade"}
    assert not law.faults_of_push("7.balances", [good])
    for bad in (
        {name: one for name, one in good.items() if name != "name"},
        good | {"new_balance": 1.5},
        good | {"new_balance": "1e3"},
        good | {"new_balance": "0.1234567890123"},
        good | {"color": "red"},
        good | {"update_type": "gift"},
    ):
        assert len(law.faults_of_push("7.balances", [bad])) == 1, bad
    assert law.faults_of_request("private/cancel_all", {"subaccount_id": "7"})
    assert law.faults_of_request("private/cancel_all", {"subaccount_id": 7, "all": True})
