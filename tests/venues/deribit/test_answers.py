"""Which errors of the venue's are refusals, and which say that the moment was a bad one."""

import pytest
from ccxt.base.errors import NetworkError, RequestTimeout

from mmbot.venues.answers import Declined, result_of
from mmbot.venues.deribit.dialect import DERIBIT
from mmbot.venues.deribit.errors import MEANINGS
from mmbot.venues.deribit.unified import Unified
from mmbot.venues.in_ccxt import in_ccxt
from mmbot.venues.requests import reply_of

CODES = sorted(set(MEANINGS) | {int(code) for code in Unified().exceptions})


@pytest.mark.parametrize("code", CODES)
def test_they_are_those_that_ccxt_does_not_hold_for_errors_of_the_network(code: int) -> None:
    reply = reply_of(DERIBIT, {"id": 1, "error": {"code": code, "message": "name"}})
    with pytest.raises(Declined, match=rf"deribit private/buy: {code} name") as caught:
        result_of("private/buy", reply)
    error = caught.value
    same = in_ccxt(error, Unified().exceptions)
    assert error.refuses is not isinstance(same, NetworkError)
    assert error.timed_out is isinstance(same, RequestTimeout)
    assert same.__cause__ is error
