"""Derive's door: what opens an account, what is refused in a line, cancelling from outside."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ccxt.base.errors import AuthenticationError, NetworkError

from mmbot.clock import Clock
from mmbot.config import Mode
from mmbot.core.capabilities import DeadMan, Move, unsupported, without_dead_man
from mmbot.errors import ConfigError, Refused, VenueUnreachable
from mmbot.venues.canceller import CredentialsRefusedError, Way, WayFailedError
from mmbot.venues.credentials import Credentials
from mmbot.venues.derive.canceller import DeriveCanceller
from mmbot.venues.derive.exchange import DeriveExchange
from mmbot.venues.derive.sites import signer_of
from mmbot.venues.derive.venue import DeriveVenue
from mmbot.venues.plugin import credentials_of, plugin_of, variables_of
from mmbot.venues.site import Site
from tests.venues.derive.driven import CALL, KEY, OWNER, SUBACCOUNT, signer
from tests.venues.derive.samples import ORDER, SESSION_KEY
from tests.venues.derive.samples import SUBACCOUNT as STATED

LIVE = Site(Mode.LIVE, "derive", "derive")
GIVEN = {"wallet": OWNER, "subaccount": "5", "key": KEY.hex()}


class Played(DeriveExchange):
    """REST as a test plays it: by method, an answer or what is raised."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        super().__init__("http://127.0.0.1:1/v3", Clock(), signer())
        self.answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def over_rest(self, method: str, params: Mapping[str, Any]) -> Any:
        self.asked.append((method, dict(params)))
        answer = self.answers[method]
        if isinstance(answer, Exception):
            raise answer
        return {"result": answer}


def refusing(code: int, message: str) -> Exception:
    """As ccxt raises it, with what the venue said."""
    error: Any = AuthenticationError(f"derive {code}")
    error.http = (200, {"error": {"code": code, "message": message, "data": None}})
    raised: Exception = error
    return raised


# --- what opens an account --------------------------------------------------------------------


def test_an_account_is_a_wallet_a_subaccount_and_a_key() -> None:
    assert variables_of(LIVE) == ("DERIVE_WALLET", "DERIVE_SUBACCOUNT", "DERIVE_PRIVATE_KEY")


def test_every_account_and_mode_has_variables_of_its_own() -> None:
    hedge = Site(Mode.TESTNET, "hedge-2", "derive")
    assert variables_of(hedge) == (
        "HEDGE_2_TESTNET_WALLET",
        "HEDGE_2_TESTNET_SUBACCOUNT",
        "HEDGE_2_TESTNET_PRIVATE_KEY",
    )


def test_the_simulated_venue_needs_nothing_set(tmp_path: Path) -> None:
    site = Site(Mode.SIM, "derive", "derive")
    opens = signer_of(site, credentials_of(site, tmp_path))
    assert opens.subaccount_id == 130837
    assert not opens.is_owner


@pytest.mark.parametrize(
    ("part", "value", "said"),
    [
        ("key", "0x12", "private key is none"),
        ("key", "zz" * 32, "private key is none"),
        ("wallet", "0x1234", "characters are no wallet"),
        ("subaccount", "abc", "is no number"),
        ("subaccount", "-5", "is no number"),
        ("subaccount", "", "is no number"),
    ],
)
def test_what_is_no_key_wallet_or_number_is_one_line(part: str, value: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        signer_of(LIVE, Credentials({**GIVEN, part: value}))
    assert "\n" not in str(caught.value)
    assert KEY.hex() not in str(caught.value)


def test_the_network_is_the_modes() -> None:
    chains = {
        mode: signer_of(Site(mode, "derive", "derive"), Credentials(GIVEN)).chain_id
        for mode in (Mode.LIVE, Mode.TESTNET, Mode.SIM)
    }
    assert chains == {Mode.LIVE: 1, Mode.TESTNET: 11155111, Mode.SIM: 1}


def test_the_core_can_do_all_that_the_venue_needs() -> None:
    can = plugin_of("derive").capabilities()
    assert unsupported(can) is None
    assert without_dead_man(can, require_dead_man=True) is None
    assert (can.move, can.dead_man, can.fills_final) == (Move.REPLACE, DeadMan.WALLET, True)


def test_addresses_are_the_venues_own() -> None:
    exchange = DeriveExchange("https://api.derive.xyz/v3/", Clock())
    assert exchange.rest_url == "https://api.derive.xyz/v3"
    assert exchange.socket_url == "wss://api.derive.xyz/v3/ws"


# --- whose account it is ----------------------------------------------------------------------


async def named(answers: Mapping[str, Any], *, by_label: bool = False) -> str:
    key = {**SESSION_KEY, "public_session_key": signer().address, "expiry_sec": 2**40}
    exchange = Played({"private/session_keys": {"public_session_keys": [key]}, **answers})
    venue = DeriveVenue("derive", exchange, signer(), 7, Clock(), named_by_label=by_label)
    try:
        return await venue.account()
    finally:
        await venue.close()


OURS = {"subaccount_ids": [SUBACCOUNT, 5], "wallet": OWNER}


async def test_the_account_is_the_subaccounts_number() -> None:
    assert await named({"private/get_subaccounts": OURS}) == str(SUBACCOUNT)


@pytest.mark.parametrize(("label", "name"), [("sim-1", "sim-1"), ("", str(SUBACCOUNT))])
async def test_a_simulated_account_goes_by_the_label_of_its_world(label: str, name: str) -> None:
    answers = {"private/get_subaccount": {**STATED, "label": label}}
    assert await named(answers, by_label=True) == name


async def test_a_simulated_account_whose_label_is_not_told_has_no_other_name() -> None:
    unknown = {"private/get_subaccount": refusing(14001, "why")}
    with pytest.raises(ConfigError, match=r"no subaccount 86815 .*: it has 5, 6"):
        await named(
            unknown | {"private/get_subaccounts": {"subaccount_ids": [5, 6]}}, by_label=True
        )
    with pytest.raises(VenueUnreachable, match="14001"):
        await named(unknown | {"private/get_subaccounts": OURS}, by_label=True)


async def test_a_subaccount_that_is_missing_is_told_with_those_that_exist() -> None:
    with pytest.raises(ConfigError, match=r"no subaccount 86815 .*: it has 5, 6"):
        await named({"private/get_subaccounts": {"subaccount_ids": [5, 6]}})


@pytest.mark.parametrize("code", [14014, 14023, 14026, 14030, 14031])
async def test_a_key_that_is_refused_is_named_with_its_wallet(code: int) -> None:
    with pytest.raises(Refused, match=f"{signer().address} for the wallet {OWNER}: {code} why"):
        await named({"private/get_subaccounts": refusing(code, "why")})


# --- cancelling from outside ------------------------------------------------------------------


def canceller(exchange: DeriveExchange) -> DeriveCanceller:
    return DeriveCanceller("derive", exchange, signer(), Clock(), 1.0)


RESTS = {**ORDER, "instrument_name": CALL, "label": "mm7-1", "order_id": "a"}
FOREIGN = {**RESTS, "label": "by hand", "order_id": "b"}
NAMELESS = {**RESTS, "order_id": None, "label": "mm7-2"}


async def test_rest_comes_before_a_login_that_takes_others_along() -> None:
    exchange = Played({"private/get_open_orders": {"orders": [RESTS, FOREIGN]}})
    outside = canceller(exchange)
    try:
        with pytest.raises(WayFailedError):
            await outside.look(Way.WEBSOCKET)
        assert exchange.asked == []
        look = await outside.look(Way.REST)
        assert [order.order_id for order in look.ours] == ["a"]
        assert [order.order_id for order in look.others] == ["b"]
    finally:
        await outside.close()


async def test_orders_are_cancelled_as_few_requests_allow() -> None:
    answers = {
        key: {"cancelled_orders": 1}
        for key in ("private/cancel", "private/cancel_all", "private/cancel_by_label")
    }
    exchange = Played(
        {**answers, "private/get_open_orders": {"orders": [RESTS, NAMELESS, FOREIGN]}}
    )
    outside = canceller(exchange)
    try:
        look = await outside.look(Way.REST)
        exchange.asked.clear()
        await outside.cancel(Way.REST, look.ours, look.others, look.unread)
        await outside.cancel(Way.REST, look.ours, (), 0)
        assert exchange.asked == [
            (
                "private/cancel",
                {"subaccount_id": SUBACCOUNT, "instrument_name": CALL, "order_id": "a"},
            ),
            ("private/cancel_by_label", {"subaccount_id": SUBACCOUNT, "label": "mm7-2"}),
            ("private/cancel_all", {"subaccount_id": SUBACCOUNT}),
        ]
    finally:
        await outside.close()


async def test_where_rest_is_dead_the_websocket_is_a_way() -> None:
    exchange = Played({"private/get_open_orders": NetworkError("derive gone")})
    outside = canceller(exchange)
    try:
        with pytest.raises(WayFailedError, match="rest"):
            await outside.look(Way.REST)
        with pytest.raises(WayFailedError, match=r"websocket: .*refused"):  # nobody is there
            await outside.look(Way.WEBSOCKET)
    finally:
        await outside.close()


async def test_credentials_that_are_refused_are_no_dead_way() -> None:
    outside = canceller(Played({"private/get_open_orders": refusing(14023, "no key of it")}))
    try:
        with pytest.raises(CredentialsRefusedError):
            await outside.look(Way.REST)
    finally:
        await outside.close()
