"""A simulated world with a clock of its own: every moment is translated where it crosses."""

from decimal import Decimal
from typing import get_args

import pytest
from msgspec import Struct
from msgspec.structs import fields

from mmbot.core import events as ev
from mmbot.core.capabilities import Capabilities
from mmbot.core.intents import Place, Resync
from mmbot.core.order_life import OrderState
from mmbot.core.protection import FOREVER, ProtectionTold
from mmbot.core.statements import OpenOrder
from mmbot.core.types import MS, SECOND, InstrumentId, Label, Side
from mmbot.core.why import Why
from mmbot.venues.own_clock import moved
from tests.builders import NOW_NS, a_fill

LATER = 7 * SECOND
ORDER = OpenOrder("1", Label("mm1-1"), None, Side.BUY, Decimal(1), Decimal(1), Decimal(0), 5_000)


def test_moments_of_an_event_move_and_nothing_else_does() -> None:
    book = ev.BookChanged(InstrumentId("x:A"), ((1.0, 2.0),), (), 9_000, NOW_NS)
    later = ev.BookChanged(InstrumentId("x:A"), ((1.0, 2.0),), (), 16_000, NOW_NS + LATER)
    assert moved(book, LATER) == later
    assert moved(moved(book, LATER), -LATER) == book


def test_what_has_no_moment_has_none_afterwards() -> None:
    seen = ev.OrderSeen("x", None, "1", None, None, None, None, None, OrderState.OPEN, 0)
    assert moved(seen, LATER) == seen
    alive = ev.LinkAlive("x", ev.Link.MARKET, NOW_NS, NOW_NS + 1, None)
    assert moved(alive, LATER).venue_ns is None


def test_everything_inside_a_snapshot_moves_along() -> None:
    fill = a_fill()
    taken = ev.SnapshotTaken(
        "x",
        NOW_NS,
        (ORDER,),
        (),
        (fill,),
        lookups=((Label("mm1-2"), None),),
    )
    later = moved(taken, LATER)
    assert later.asked_ns == NOW_NS + LATER
    assert later.orders[0].venue_ms == 5_000 + LATER // MS
    assert later.fills[0].venue_ms == fill.venue_ms + LATER // MS
    assert later.lookups == taken.lookups


def test_a_request_is_valid_as_long_by_the_clock_of_the_venue() -> None:
    place = Place(
        InstrumentId("x:A"),
        Label("mm1-1"),
        Side.BUY,
        Decimal(1),
        Decimal(1),
        True,
        False,
        NOW_NS,
        Why.QUOTED,
    )
    assert moved(place, LATER).valid_until_ns == NOW_NS + LATER
    look = Resync("x", 60_000, None, (), Why.RECONCILING)
    assert moved(look, LATER) == Resync("x", 67_000, None, (), Why.RECONCILING)


def test_a_deadline_is_as_long_by_every_clock() -> None:
    told = ev.VenueDescribed("x", Capabilities(valid_for_ns=SECOND))
    assert moved(told, LATER) == told


def test_what_lasts_until_it_is_reset_does_so_by_every_clock() -> None:
    frozen = ProtectionTold("x", "ETH", FOREVER)
    assert moved(frozen, -LATER) == frozen
    assert moved(ProtectionTold("x", "ETH", NOW_NS), LATER).frozen_until_ns == NOW_NS + LATER


@pytest.mark.parametrize("kind", [*get_args(ev.MarketEvent), *get_args(ev.OrderEvent)])
def test_a_moment_is_known_by_its_name(kind: type[Struct]) -> None:
    told = [field.name for field in fields(kind) if field.type is int]
    assert all(name.endswith(("_ns", "_ms")) for name in told)
