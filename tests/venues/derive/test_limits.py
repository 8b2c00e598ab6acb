"""What the venue grants becomes gates, and the lowest figures hold until then."""

from typing import Any

import pytest

from mmbot.core.capabilities import Capabilities, Draws, Gate, GateKind, GateScope
from mmbot.venues.derive.limits import Limits, granted, measured
from mmbot.venues.reading import Unread, Unreadable
from tests.venues.derive import samples


def gates(limits: Limits, *, mmp: bool = False) -> dict[str, Gate]:
    return {gate.name: gate for gate in limits.gates(mmp=mmp)}


def test_before_anything_is_known_one_a_second_is_counted_with() -> None:
    found = gates(Limits())
    orders = found["orders"]
    assert (orders.rate_per_s, orders.burst) == (1, 5)
    assert (orders.kind, orders.scope) == (GateKind.FIXED_WINDOW, GateScope.ACCOUNT)
    one = found["orders of an instrument"]
    assert (one.rate_per_s, one.burst) == (1, 5)
    assert (one.kind, one.scope) == (GateKind.TOKEN_BUCKET, GateScope.INSTRUMENT)


def test_every_request_passes_the_gates_of_its_kind() -> None:
    found = gates(Limits())
    passes = {
        draws: {name for name, gate in found.items() if gate.weight(draws)} for draws in Draws
    }
    both = {"orders", "orders of an instrument"}
    assert passes == {
        Draws.PLACE: both,
        Draws.MOVE: both,
        Draws.CANCEL: both,
        Draws.MASS_CANCEL: {"orders", "cancels of all"},
        Draws.READ: {"other requests"},
    }
    assert Capabilities(gates=tuple(found.values())).order_gate == found["orders"]


def test_an_order_under_protection_counts_a_third_and_its_cancel_whole() -> None:
    for gate in (gates(Limits(), mmp=True)[n] for n in ("orders", "orders of an instrument")):
        assert gate.weight(Draws.PLACE) == gate.weight(Draws.MOVE) == pytest.approx(1 / 3)
        assert gate.weight(Draws.CANCEL) == 1


def test_what_the_wallet_is_granted_is_taken_from_its_account() -> None:
    account = samples.ACCOUNT | {
        "websocket_matching_tps": 500,
        "websocket_option_tps": 10,
        "websocket_perp_tps": 20,
        "websocket_non_matching_tps": 250,
        "per_endpoint_tps": {"private/cancel_all": 2},
    }
    found = granted(account, Unread(), Limits())
    assert found == Limits(matching=500, instrument=10, non_matching=250, cancel_all=2)
    assert gates(found)["orders"].burst == 2500


@pytest.mark.parametrize("odd", [None, 0, "many", -1])
def test_what_the_account_does_not_say_is_as_before(odd: Any) -> None:
    names = ["matching", "option", "perp", "non_matching"]
    account = samples.ACCOUNT | {f"websocket_{name}_tps": odd for name in names}
    before = Limits(matching=5, instrument=3, non_matching=7, cancel_all=1)
    assert granted(account | {"per_endpoint_tps": odd}, Unread(), before) == before


def test_the_size_of_a_window_is_what_is_left_and_what_was_taken() -> None:
    """4 left and 1 taken: 5 in 5 seconds; 24 and 1: 25."""
    found = measured(samples.RATE_LIMITS, Unread(), Limits(instrument=3))
    assert found == Limits(matching=1, instrument=3, non_matching=5, cancel_all=1)


def test_a_window_of_nothing_is_no_limit_to_go_by() -> None:
    nothing = {"remainingPoints": 0, "consumedPoints": 0, "msBeforeNext": 0}
    stated = {"remaining_matching": nothing, "remaining_non_matching": nothing}
    before = Limits(matching=5, non_matching=7)
    assert measured(stated, Unread(), before) == before


@pytest.mark.parametrize("answer", [None, {}, [], {"remaining_matching": None}])
def test_an_answer_without_limits_is_not_understood(answer: Any) -> None:
    with pytest.raises(Unreadable):
        measured(answer, Unread(), Limits())
    with pytest.raises(Unreadable):
        granted(answer, Unread(), Limits())
