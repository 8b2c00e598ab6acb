"""The simulated Deribit says only what Deribit's own specification permits."""

from enum import Enum

import pytest

from mmbot.sim.exchange.listing import Right, Side
from mmbot.sim.exchange.orders import CancelReason, OrderState, OrderType, TimeInForce
from mmbot.sim.wire.deribit.protocol import METHODS
from tests.wire.spec import history, law


def test_every_reply_and_push_of_a_morning_conforms() -> None:
    faults = sorted(set(history.morning().faults))
    assert not faults, "\n".join(faults[:80])


def test_no_served_method_goes_unjudged() -> None:
    assert METHODS.keys() == history.morning().answered


def test_no_served_channel_goes_unjudged() -> None:
    assert history.served_patterns() == history.morning().pushed


def test_every_kind_of_channel_follows_the_specification() -> None:
    judged = history.Judged()
    name = judged.venue.catalog.list_combo({history.LATER_OPTION: 1, "ETH-13JUN25-2900-C": -1})
    names = (*history.CHANNELS, *(one.format(name) for one in history.COMBO_CHANNELS))
    made = {type(one) for one in judged.made(names)}
    assert history.channel_kinds() == made


def test_every_way_to_say_no_is_judged() -> None:
    assert history.morning().refused >= {-32601, -32602, 10004, 13020}


@pytest.mark.parametrize(
    ("words", "shape", "name"),
    [
        (CancelReason, "order", "cancel_reason"),
        (OrderState, "order", "order_state"),
        (OrderState, "user_trade", "state"),
        (OrderType, "order", "order_type"),
        (TimeInForce, "order", "time_in_force"),
        (Side, "order", "direction"),
        (Right, "instrument", "option_type"),
    ],
)
def test_every_word_of_the_exchange_is_one_of_the_venues(
    words: type[Enum], shape: str, name: str
) -> None:
    permitted = law.law()["$defs"][shape]["properties"][name]["enum"]
    said = {one.value for one in words if one is not CancelReason.EXPIRY}  # of other venues
    assert said <= set(permitted)


def test_every_request_of_the_morning_is_permitted_itself() -> None:
    for method, requests in history.EVERYTHING.items():
        for params in requests:
            assert not law.faults_of_request(method, params)
