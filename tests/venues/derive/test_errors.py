"""Every error code has a scope and a fate; the list it is held against is other people's."""

import ccxt
import pytest

from mmbot.core.error_scope import ErrorScope
from mmbot.venues.derive.errors import MEANINGS, PASSING, meaning_of
from mmbot.venues.meanings import OrderFate

OF_THE_SHEET = """
-32700 -32600 -32601 -32602 -32603 -32000 -32100 9000 10011 10012 11000 11002 11003 11004 11005
11006 11007 11008 11009 11010 11011 11012 11013 11014 11015 11016 11017 11018 11019 11021 11022
11023 11024 11025 11027 11028 11029 11050 11051 11052 11053 11054 11055 11100 11101 11102 11103
11104 11105 11106 11107 12000 12001 12002 13000 14000 14001 14014 14020 14021 14022 14023 14026
14030 14031 14032 16000 16001 19000
"""


def test_no_code_of_the_sheet_is_missing() -> None:
    assert {int(code) for code in OF_THE_SHEET.split()} <= MEANINGS.keys()


def test_no_code_that_ccxt_knows_is_missing() -> None:
    known = {int(code) for code in ccxt.derive().describe()["exceptions"]["exact"]}
    assert len(known) > 100
    assert known <= MEANINGS.keys()


@pytest.mark.parametrize(
    ("code", "scope"),
    [
        (-32000, ErrorScope.REQUEST),
        (9000, ErrorScope.REQUEST),
        (11022, ErrorScope.REQUEST),
        (11006, ErrorScope.ORDER),
        (11008, ErrorScope.ORDER),
        (11013, ErrorScope.ORDER),
        (11017, ErrorScope.ORDER),
        (11023, ErrorScope.ORDER),
        (11028, ErrorScope.ORDER),
        (11000, ErrorScope.SIDE),
        (11019, ErrorScope.SIDE),
        (11029, ErrorScope.SIDE),
        (11015, ErrorScope.INSTRUMENT),
        (11021, ErrorScope.INSTRUMENT),
        (12001, ErrorScope.INSTRUMENT),
        (-32100, ErrorScope.SESSION),
        (14021, ErrorScope.SESSION),
        (14022, ErrorScope.SESSION),
        (14001, ErrorScope.ACCOUNT),
        (14023, ErrorScope.ACCOUNT),
        (14030, ErrorScope.ACCOUNT),
        (14031, ErrorScope.ACCOUNT),
        (16001, ErrorScope.ACCOUNT),
        (11012, ErrorScope.US),
        (14014, ErrorScope.US),
        (-32602, ErrorScope.US),
    ],
)
def test_a_refusal_reaches_as_far_as_it_says(code: int, scope: ErrorScope) -> None:
    assert meaning_of(code).scope is scope


@pytest.mark.parametrize("code", [9000, -32603, 11016])
def test_the_venue_that_does_not_know_is_not_believed(code: int) -> None:
    assert meaning_of(code).fate is OrderFate.OPEN


@pytest.mark.parametrize("code", [11003, 11004, 11005, 11006])
def test_an_order_that_is_not_open_is_asked_about(code: int) -> None:
    assert meaning_of(code).fate is OrderFate.GONE


@pytest.mark.parametrize("code", [-32000, 11017, 11022, 11023, 11028, 14014])
def test_what_was_not_taken_leaves_the_order_as_it_was(code: int) -> None:
    assert meaning_of(code).fate is OrderFate.STANDS


def test_an_order_that_would_have_traded_is_told_apart() -> None:
    assert {c for c, m in MEANINGS.items() if m.fate is OrderFate.CROSSED} == {11008}


def test_a_code_nobody_has_heard_of_stops_one_request_and_is_asked_about() -> None:
    meaning = meaning_of(15999)
    assert (meaning.name, meaning.scope) == ("", ErrorScope.REQUEST)
    assert meaning.fate is OrderFate.GONE


@pytest.mark.parametrize("code", [9001, 9999, -32001, -32050, -32768])
def test_a_new_code_of_the_servers_own_troubles_leaves_everything_open(code: int) -> None:
    assert meaning_of(code).fate is OrderFate.OPEN


def test_what_may_pass_is_known_and_is_no_refusal_of_the_order_itself() -> None:
    assert all(meaning_of(code).scope is not ErrorScope.ACCOUNT for code in PASSING)
    assert MEANINGS.keys() >= PASSING
