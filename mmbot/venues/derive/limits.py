"""How many requests a wallet may make, as the venue says, and as the core's gates.

Theory of operation
-------------------
Two tiers, and a request passes both or is refused. Budgets of the wallet, one for orders and one
for everything else, are windows of five seconds that are given back at once. Each instrument has a
bucket for orders besides, which refills steadily. Replacing is one request. An order under
market-maker protection counts a third. A single cancel counts among orders, and so does a cancel of
an instrument's; a cancel of everything has a budget of its own.

What the wallet is granted stands in `private/get_account`; `public/getRateLimits` tells what is
left of the windows, from which their size follows, and nothing of the instruments. Until either is
read the lowest figures that the venue has published are counted with.
"""

from dataclasses import dataclass
from typing import Final

from mmbot.core.capabilities import Draws, Gate, GateKind, GateScope
from mmbot.venues.derive.messages import Account, RateLimit, RateLimits
from mmbot.venues.reading import Unread, read

WINDOW_S: Final = 5.0
"""Of the budgets; an instrument's bucket holds as much."""

MMP_SHARE: Final = 1 / 3
"""Of a request, that an order under market-maker protection takes."""

CANCEL_ALL: Final = "private/cancel_all"

_ORDERS: Final = (Draws.PLACE, Draws.MOVE, Draws.CANCEL, Draws.MASS_CANCEL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Requests a second. The defaults are safe before more is known."""

    matching: float = 1.0
    instrument: float = 1.0
    """Of one instrument: an option's or a perpetual's, whichever is less."""
    non_matching: float = 5.0
    cancel_all: float = 1.0

    def gates(self, *, mmp: bool) -> tuple[Gate, ...]:
        """The same for the core. `mmp`: quotes are under market-maker protection."""
        orders = tuple((draws, _weight(draws, mmp=mmp)) for draws in _ORDERS)
        return (
            _window("orders", self.matching, orders),
            Gate(
                "orders of an instrument",
                rate_per_s=self.instrument,
                burst=self.instrument * WINDOW_S,
                kind=GateKind.TOKEN_BUCKET,
                scope=GateScope.INSTRUMENT,
                weights=orders[:-1],
            ),
            _window("cancels of all", self.cancel_all, ((Draws.MASS_CANCEL, 1.0),)),
            _window("other requests", self.non_matching, ((Draws.READ, 1.0),)),
        )


def _weight(draws: Draws, *, mmp: bool) -> float:
    return MMP_SHARE if mmp and draws in (Draws.PLACE, Draws.MOVE) else 1.0


def _window(name: str, per_s: float, weights: tuple[tuple[Draws, float], ...]) -> Gate:
    burst = per_s * WINDOW_S
    return Gate(name, per_s, burst, kind=GateKind.FIXED_WINDOW, weights=weights)


def granted(data: object, unread: Unread, before: Limits) -> Limits:
    """Those of private/get_account; what it does not say is as `before`. Raises Unreadable."""
    stated = read(Account, data, unread, "account")
    kinds = [one for one in (stated.websocket_option_tps, stated.websocket_perp_tps) if one]
    per_endpoint = stated.per_endpoint_tps or {}
    return Limits(
        matching=stated.websocket_matching_tps or before.matching,
        instrument=min(kinds, default=before.instrument),
        non_matching=stated.websocket_non_matching_tps or before.non_matching,
        cancel_all=per_endpoint.get(CANCEL_ALL) or before.cancel_all,
    )


def measured(data: object, unread: Unread, before: Limits) -> Limits:
    """What follows from public/getRateLimits; the rest is as `before`. Raises Unreadable."""
    stated = read(RateLimits, data, unread, "rate limits")
    per_endpoint = stated.remaining_per_endpoint or {}
    one = per_endpoint.get(CANCEL_ALL)
    return Limits(
        matching=_per_s(stated.remaining_matching, before.matching),
        instrument=before.instrument,
        non_matching=_per_s(stated.remaining_non_matching, before.non_matching),
        cancel_all=before.cancel_all if one is None else _per_s(one, before.cancel_all),
    )


def _per_s(stated: RateLimit, before: float) -> float:
    """A window holds what is left of it and what was taken."""
    whole = stated.remaining_points + max(0, stated.consumed_points)
    return whole / WINDOW_S if whole > 0 else before
