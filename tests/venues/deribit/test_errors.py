"""Every error code has a scope; the lists it is held against are other people's."""

import ccxt
import pytest

from mmbot.core.error_scope import ErrorScope
from mmbot.venues.deribit.errors import MEANINGS, meaning_of
from mmbot.venues.meanings import OrderFate

PUBLISHED = """
10000 10001 10002 10003 10004 10005 10006 10007 10009 10010 10011 10012 10013 10014 10015 10016
10017 10018 10019 10020 10021 10022 10023 10024 10025 10026 10027 10028 10029 10030 10031 10032
10033 10034 10035 10036 10037 10038 10039 10040 10041 10043 10044 10045 10046 10047 10048 10049
10066 10072 11008 11013 11021 11022 11029 11030 11031 11035 11036 11037 11038 11039 11041 11042
11043 11044 11045 11046 11047 11048 11049 11050 11051 11052 11053 11054 11055 11056 11090 11091
11092 11093 11094 11095 11096 11097 11098 12001 12002 12003 12004 12005 12100 12998 13004 13005
13006 13007 13008 13009 13010 13011 13012 13013 13014 13015 13016 13018 13019 13020 13021 13025
13028 13030 13031 13032 13034 13035 13036 13037 13040 13042 13043 13403 13503 13666 13777 13778
13780 13781 13791 13792 13793 13888 13901 13902 13903 13904 -32602 -32600 -32601 -32700 -32000
"""
"""The venue's own list as another client's error module repeats it."""


def test_no_code_of_the_venues_list_is_missing() -> None:
    assert {int(code) for code in PUBLISHED.split()} <= MEANINGS.keys()


def test_no_code_that_ccxt_knows_is_missing() -> None:
    known = {int(code) for code in ccxt.deribit().describe()["exceptions"]}
    assert len(known) > 100
    assert known <= MEANINGS.keys()


@pytest.mark.parametrize(
    ("code", "scope"),
    [
        (10040, ErrorScope.REQUEST),
        (10047, ErrorScope.REQUEST),
        (11044, ErrorScope.ORDER),
        (10009, ErrorScope.SIDE),
        (10018, ErrorScope.SIDE),
        (10012, ErrorScope.INSTRUMENT),
        (13019, ErrorScope.INSTRUMENT),
        (10019, ErrorScope.PLATFORM),
        (10041, ErrorScope.PLATFORM),
        (11051, ErrorScope.PLATFORM),
        (10028, ErrorScope.SESSION),
        (13009, ErrorScope.SESSION),
        (13004, ErrorScope.SESSION),
        (13010, ErrorScope.SESSION),
        (13021, ErrorScope.SESSION),
        (13403, ErrorScope.SESSION),
        (11098, ErrorScope.ACCOUNT),
        (10021, ErrorScope.US),
        (-32601, ErrorScope.US),
    ],
)
def test_a_refusal_reaches_as_far_as_it_says(code: int, scope: ErrorScope) -> None:
    assert meaning_of(code).scope is scope


def test_invalid_params_about_an_instrument_that_is_not_open_concern_that_instrument() -> None:
    shut = {"param": "instrument_name", "reason": "instrument is not open"}
    assert meaning_of(-32602, shut).scope is ErrorScope.INSTRUMENT
    assert meaning_of(-32602, {"reason": "Instrument is closed"}).scope is ErrorScope.INSTRUMENT


@pytest.mark.parametrize(
    "data",
    [None, "", [], {}, {"reason": None}, {"param": "amount", "reason": "must be a number"}],
)
def test_other_invalid_params_are_our_own_fault(data: object) -> None:
    assert meaning_of(-32602, data).scope is ErrorScope.US


def test_a_code_nobody_has_heard_of_stops_one_request_and_its_order_is_asked_about() -> None:
    meaning = meaning_of(99999)
    assert (meaning.scope, meaning.fate) == (ErrorScope.REQUEST, OrderFate.GONE)


@pytest.mark.parametrize("code", [11094, 13888, 10001, 13008])
def test_where_the_venue_does_not_know_itself_neither_do_we(code: int) -> None:
    assert meaning_of(code).fate is OrderFate.OPEN
