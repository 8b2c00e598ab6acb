"""A session key that may not trade is told before anything is sent, and which it is."""

from typing import Any

import pytest

from mmbot.venues.derive.keys import trouble_with
from mmbot.venues.derive.signing import MAINNET, Signer
from mmbot.venues.reading import Unread, Unreadable
from tests.venues.derive import samples

OWNER = "0x5cb67F7829d01d9C75385A920De5E51060663374"
SIGNER = Signer("11" * 32, OWNER, 86815, MAINNET)
KEY = {**samples.SESSION_KEY, "public_session_key": SIGNER.address.lower()}
NOW_S = 1_748_865_600


def trouble(*keys: Any, signer: Signer = SIGNER) -> str | None:
    return trouble_with(signer, {"public_session_keys": list(keys)}, NOW_S, Unread())


@pytest.mark.parametrize("scopes", [["trade:all"], ["transfer:all", "Trade(All)"], ["admin"]])
def test_a_key_that_may_trade_everything_is_none(scopes: list[str]) -> None:
    assert trouble(samples.SESSION_KEY, {**KEY, "protocol_scopes": scopes}) is None


def test_the_wallets_own_key_is_in_no_list() -> None:
    own = Signer("11" * 32, SIGNER.address, 86815, MAINNET)
    assert trouble(signer=own) is None


def test_a_key_of_another_wallet_is_named_with_those_that_there_are() -> None:
    found = trouble(samples.SESSION_KEY)
    assert found is not None
    assert SIGNER.address in found
    assert OWNER in found
    assert samples.SESSION_KEY["public_session_key"] in found
    assert "none" in str(trouble())


def test_an_expired_key_is_told() -> None:
    assert "expired" in str(trouble({**KEY, "expiry_sec": NOW_S}))
    assert trouble({**KEY, "expiry_sec": NOW_S + 1}) is None


def test_a_key_for_other_subaccounts_is_told() -> None:
    assert "86816, 86817" in str(trouble({**KEY, "subaccount_ids": [86816, 86817]}))
    assert trouble({**KEY, "subaccount_ids": []}) is None


@pytest.mark.parametrize(
    "scopes", [[], ["withdraw"], ["trade:rfq:all"], ["Trade(Spot)"], ["trade:orderbook:option"]]
)
def test_a_key_that_may_not_trade_everything_is_told(scopes: list[str]) -> None:
    assert "may not trade" in str(trouble({**KEY, "protocol_scopes": scopes}))


def test_scopes_that_are_not_told_are_no_trouble() -> None:
    assert trouble({**KEY, "protocol_scopes": None}) is None


@pytest.mark.parametrize("odd", [None, {}, {"public_session_key": SIGNER.address}])
def test_one_that_cannot_be_read_may_be_the_one(odd: Any) -> None:
    with pytest.raises(Unreadable):
        trouble(odd)
    assert trouble(odd, KEY) is None


@pytest.mark.parametrize("answer", [None, [], {}, {"public_session_keys": None}])
def test_a_list_that_is_none_is_not_understood(answer: Any) -> None:
    with pytest.raises(Unreadable):
        trouble_with(SIGNER, answer, NOW_S, Unread())
