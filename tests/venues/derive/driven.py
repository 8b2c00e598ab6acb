"""A session of Derive's driven by hand (`tests/venues/driven.py`), by a friendly venue.

Where the venue's specification lies beside the project, every request is held against it.
"""

from collections.abc import Mapping
from typing import Any, Final

from mmbot.core.contracts import Instrument
from mmbot.core.events import Link
from mmbot.core.intents import Resync
from mmbot.core.types import MS
from mmbot.core.why import Why
from mmbot.venues.derive.public import PublicSession
from mmbot.venues.derive.session import DeriveSession
from mmbot.venues.derive.signing import MAINNET, Signer
from tests.builders import NOW_NS
from tests.venues import driven
from tests.venues.derive.samples import ACCOUNT, ETH_CALL, RATE_LIMITS, ZEC_PERP
from tests.venues.derive.spec import FILES, faults, params_of
from tests.wire.spec.extract import specs

KEY = 32 * b"\x11"
OWNER = "0x5cb67F7829d01d9C75385A920De5E51060663374"
SUBACCOUNT = 86815
PART = 7
NOW_MS = NOW_NS // MS

CALL = "ETH-20250606-2800-C"
PERP = "ETH-PERP"
ETH_PERP = {
    **ZEC_PERP,
    "instrument_name": PERP,
    "base_currency": "ETH",
    "minimum_amount": "0.01",
    "scheduled_activation": 1748000000,
}

HAS_SPECS: Final = all((specs() / name).is_file() for name in FILES)
SOCKET_METHODS: Final = {
    "public/login": "LoginRequest",
    "private/set_cancel_on_disconnect": "SetCancelOnDisconnectRequest",
    "subscribe": "SubscribeParams",
    "unsubscribe": "UnsubscribeParams",
}


def signer() -> Signer:
    return Signer(KEY, OWNER, SUBACCOUNT, MAINNET)


def listings(params: Mapping[str, Any]) -> dict[str, Any]:
    """public/get_all_instruments, by type: one page of each."""
    rows = {"perp": [ETH_PERP], "option": [ETH_CALL]}[params["instrument_type"]]
    return {"instruments": rows, "pagination": {"num_pages": 1, "count": len(rows)}}


def subscribed(params: Mapping[str, Any]) -> dict[str, Any]:
    channels = list(params["channels"])
    return {"status": dict.fromkeys(channels, "ok"), "current_subscriptions": channels}


UP: Final[dict[str, Any]] = {
    "public/getRateLimits": RATE_LIMITS,
    "public/get_time": NOW_MS,
    "public/get_all_instruments": listings,
    "public/login": [SUBACCOUNT, 86816],
    "private/set_cancel_on_disconnect": "ok",
    "private/get_account": ACCOUNT,
    "subscribe": subscribed,
    "unsubscribe": subscribed,
}


class Driven(driven.Driven):
    """Derive's. `pongs`: whether pings are answered."""

    def __init__(
        self, session: PublicSession, answers: Mapping[str, Any], now_ns: int = NOW_NS
    ) -> None:
        super().__init__(session, UP | dict(answers), now_ns)
        self.pongs = True
        self.terms: dict[str, Instrument] = {}

    def _answer_text(self, link: Link, text: str) -> None:
        assert text == "ping"
        if self.pongs:
            self._waiting.append(lambda: self.session.receive(link, "pong", self.now_ns))

    def _answer(self, link: Link, frame: Mapping[str, Any]) -> None:
        assert set(frame) == {"id", "method", "params"}
        method = frame["method"]
        if HAS_SPECS:
            schema = SOCKET_METHODS.get(method) or params_of(method)
            params = dict(frame["params"])
            if schema == "EmptyRequest":  # said to be an empty object, and typed null
                assert params == {}, method
            else:
                assert not (found := faults(schema, params)), f"{method}: {found}"
        super()._answer(link, frame)

    def list_all(self) -> "Driven":
        """Ask what is listed, as the engine does before it connects."""
        found = self.ask(self.session.listed())
        self.terms = {one.name: one for one in found}
        self.instruments = (self.terms[CALL], self.terms[PERP])
        return self

    def ask(self, recipe: Any) -> Any:
        """What comes of a recipe; raises what it raises."""
        came: list[Any] = []
        connection = self.session.connection
        connection.at(self.now_ns)
        connection.run(recipe, lambda result, error: came.append((result, error)))
        self.carry_out(connection.settle())
        for _ in range(60):
            if came:
                break
            self.wait(1.0)
        ((result, error),) = came
        if error is not None:
            raise error
        return result

    def ask_open_orders(self) -> None:
        """A private question over the trading link, of which nobody waits for the answer."""
        session = self.session
        assert isinstance(session, DeriveSession)
        now_ns = session.connection.now_ns
        self.submit(Resync("derive", now_ns // MS, None, (), Why.STARTING))


def account(answers: Mapping[str, Any] | None = None) -> Driven:
    """An account's session, up."""
    session = DeriveSession("derive", signer(), PART, NOW_NS)
    told = Driven(session, answers or {}).list_all()
    told.carry_out(session.start(told.instruments, told.now_ns))
    told.wait(12.0)  # reads are one a second at first
    assert session.connection.up(Link.TRADING)
    told.forget()
    return told
