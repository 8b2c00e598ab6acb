"""What the log says of several venues: each by its name, and none in another's place."""

import logging

import pytest

from mmbot.core import events as ev
from mmbot.core.intents import CancelAll
from mmbot.core.types import InstrumentId
from mmbot.core.why import Why
from mmbot.ops.limit import Limit
from mmbot.ops.log import log_taken
from tests.builders import a_fill, a_perpetual

VENUES = ("deribit", "hedge")
AT_HEDGE = a_perpetual(id=InstrumentId("hedge:ETH-PERPETUAL"), venue="hedge")


@pytest.fixture
def shown(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Lines as the log of a run shows them."""
    caplog.set_level(logging.INFO)
    caplog.handler.addFilter(Limit())
    return caplog


def test_the_links_of_two_venues_are_told_side_by_side(shown: pytest.LogCaptureFixture) -> None:
    ups = [ev.LinkChanged(venue, ev.Link.TRADING, True, "connected") for venue in VENUES]
    log_taken(ups, [], 0)
    log_taken(ups, [], 0)
    assert shown.messages == [f"{venue} trading link up: connected" for venue in VENUES]


def test_what_is_cancelled_at_each_venue_is_told(shown: pytest.LogCaptureFixture) -> None:
    log_taken([], [CancelAll(venue, None, (), Why.STOPPING) for venue in VENUES], 0)
    assert shown.messages == [f"cancel all on {venue}: stopping" for venue in VENUES]


def test_of_several_venues_an_instrument_is_named_with_its_own(
    shown: pytest.LogCaptureFixture,
) -> None:
    filled = ev.Filled(a_fill(price="2850", amount=10, instrument=AT_HEDGE, label="mm1-1"))
    log_taken([filled], [], 0)
    log_taken([filled], [], 0, name_of=str)
    alone, beside = shown.messages
    assert alone.startswith("fill ETH-PERPETUAL buy 10 @ 2850, fee 0")
    assert beside.startswith("fill hedge:ETH-PERPETUAL buy 10 @ 2850, fee 0")
