"""The laws that hold in every situation are ones that can be broken."""

from dataclasses import dataclass
from decimal import Decimal

import pytest
from msgspec.structs import replace

from mmbot.core import events as ev
from mmbot.core.capabilities import Capabilities, Move
from mmbot.core.order_life import OrderState, Request
from mmbot.core.types import Label, Side
from tests.builders import a_fill, an_option
from tests.contract.law import contradictions

LABEL = Label("mm7-1")
SEEN = ev.OrderSeen(
    "deribit",
    LABEL,
    "ETH-1",
    an_option().id,
    Side.BUY,
    Decimal("0.02"),
    Decimal(1),
    Decimal(0),
    OrderState.OPEN,
    1,
    Request.PLACE,
)
FILL = a_fill(label=LABEL)


@dataclass(frozen=True)
class FillVoided:
    """As a venue would say it whose fills are not final."""


def test_what_is_told_alike_is_lawful() -> None:
    looked = ev.SnapshotTaken("deribit", 1, (), (), (FILL,))
    filled = replace(SEEN, state=OrderState.FILLED, answers=None)
    assert contradictions(Capabilities(), [SEEN, ev.Filled(FILL), looked, filled]) == []


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (replace(SEEN, order_id="ETH-2"), "another id"),
        (replace(SEEN, label=None), "no label"),
        (ev.Filled(replace(FILL, amount=Decimal(2))), "not alike"),
        (FillVoided(), "voided"),
    ],
)
def test_what_goes_against_the_capabilities_is_not(other: ev.Event, said: str) -> None:
    (found,) = contradictions(Capabilities(), [SEEN, ev.Filled(FILL), other])
    assert said in found
    able = Capabilities(move=Move.REPLACE, label_echoed=False, fills_final=False)
    assert contradictions(able, [SEEN, ev.Filled(FILL), other]) == []


def test_a_label_that_was_sent_twice_may_be_that_of_two_orders() -> None:
    both = [SEEN, replace(SEEN, order_id="ETH-2")]
    assert contradictions(Capabilities(), both, [LABEL]) == []
