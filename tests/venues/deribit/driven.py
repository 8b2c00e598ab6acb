"""A session of Deribit's driven by hand (`tests/venues/driven.py`), by a friendly venue."""

from collections.abc import Mapping
from typing import Any

from mmbot.core.types import MS
from mmbot.venues.deribit.public import PublicSession
from mmbot.venues.deribit.session import DeribitSession
from tests.builders import NOW_NS, a_perpetual, an_option
from tests.venues import driven
from tests.wire.scripted import LIMITS, TOKEN

KEYS = ("key", "secret")
OPTION, PERPETUAL = an_option(), a_perpetual()

UP: dict[str, Any] = {
    "public/set_heartbeat": "ok",
    "public/auth": TOKEN,
    "public/test": {"version": "1.2.26"},
    "public/status": {"locked": "false"},
    "private/enable_cancel_on_disconnect": "ok",
    "private/get_cancel_on_disconnect": {"scope": "connection", "enabled": True},
    "private/get_account_summaries": {"summaries": [{"currency": "BTC", "limits": LIMITS}]},
}


class Driven(driven.Driven):
    """Deribit's."""

    instruments = (OPTION, PERPETUAL)

    def __init__(
        self, session: PublicSession, answers: Mapping[str, Any], now_ns: int = NOW_NS
    ) -> None:
        friendly = UP | dict.fromkeys(SUBSCRIBING, _echo)
        super().__init__(session, friendly | dict(answers), now_ns)
        self.stamped = True
        """Whether answers say when they left."""

    def framed(self, frame: dict[str, Any]) -> dict[str, Any]:
        stamp = {"usOut": self.now_ns // 1000} if self.stamped and "id" in frame else {}
        return {"jsonrpc": "2.0", **frame, **stamp}


SUBSCRIBING = (
    "public/subscribe",
    "private/subscribe",
    "public/unsubscribe",
    "private/unsubscribe",
)


def _echo(params: Mapping[str, Any]) -> list[str]:
    return list(params["channels"])


def account(answers: Mapping[str, Any] | None = None) -> Driven:
    """An account's session, up."""
    return Driven(DeribitSession("deribit", KEYS, NOW_NS), answers or {}).start()


NOW_MS = NOW_NS // MS
