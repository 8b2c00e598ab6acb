"""How many requests an account may make, and what the venue is like, as the core is told it.

Theory of operation
-------------------
1. Orders draw from the wallet's matching budget, a window of five seconds, and from a bucket for
   each instrument that refills steadily. `cancel_all` has a budget of its own, and so have cancels
   by a label alone: a cancel that finds nothing left of the first goes that way. So with one
   request a second, four options on two sides cannot be moved at once: the budget decides which
   are.
2. The account states what it is allowed a second (private/get_account), and public/getRateLimits
   what its windows hold just now; where both say something, the less counts, and where nobody
   does, the least that the venue gives anybody.
3. What an instrument may be sent differs for options and perpetuals; a kind of which nothing is
   stated may be sent as little as the other one.
4. A quote under market-maker protection costs a third, whether it is placed or moved. A cancel is
   about no order's terms, and is paid in full.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mmbot.core.capabilities import (
    Capabilities,
    DeadMan,
    Draws,
    Gate,
    GateKind,
    GateScope,
    Move,
)
from mmbot.core.types import SECOND
from mmbot.venues.derive.dialect import UNKNOWN_TPS, WINDOW_S
from mmbot.venues.derive.messages import Account, RateLimit, RateLimits
from mmbot.venues.derive.names import OPTION_ENDS, PERPETUAL_ENDS
from mmbot.venues.derive.signing import EXPIRES_AFTER_S

ORDERS: Final = "matching"
INSTRUMENTS: Final = "per instrument"
OPTIONS: Final = "per option"
PERPETUALS: Final = "per perpetual"
MASS_CANCELS: Final = "cancel_all"
LABEL_CANCELS: Final = "cancel_by_label"
READS: Final = "non_matching"

_CANCEL_RESERVE: Final = 0.2
"""Of five requests in five seconds, one is kept for cancels; `cancel_all` has its own besides."""

QUOTE_SHARE: Final = 1 / 3
"""Of the price of an order, for one with `mmp`."""

_SINGLE: Final = ((Draws.PLACE, 1.0), (Draws.MOVE, 1.0), (Draws.CANCEL, 1.0))


@dataclass(frozen=True, slots=True)
class Limits:
    """Requests a second, by budget. The defaults are safe before more is known."""

    matching: float = UNKNOWN_TPS
    non_matching: float = UNKNOWN_TPS
    option: float = UNKNOWN_TPS
    perpetual: float = UNKNOWN_TPS
    cancel_all: float = UNKNOWN_TPS
    by_label: float = UNKNOWN_TPS


def limits_of(account: Account | None, windows: RateLimits | None) -> Limits:
    """What both say together; None: not asked, or refused."""
    stated_matching = stated_reads = option = perpetual = None
    each: Mapping[str, int] = {}
    if account is not None:
        stated_matching = account.websocket_matching_tps
        stated_reads = account.websocket_non_matching_tps
        option, perpetual = account.websocket_option_tps, account.websocket_perp_tps
        each = account.per_endpoint_tps or {}
    matching = reads = None
    if windows is not None:
        matching, reads = tps_of(windows.remaining_matching), tps_of(windows.remaining_non_matching)
    return Limits(
        matching=_least(stated_matching, matching) or UNKNOWN_TPS,
        non_matching=_least(stated_reads, reads) or UNKNOWN_TPS,
        option=option or perpetual or UNKNOWN_TPS,
        perpetual=perpetual or option or UNKNOWN_TPS,
        cancel_all=each.get("private/cancel_all") or UNKNOWN_TPS,
        by_label=each.get("private/cancel_by_label") or UNKNOWN_TPS,
    )


def tps_of(window: RateLimit) -> float:
    """Requests a second that a window amounts to; 0 where it holds none."""
    return max(0, window.remaining_points + window.consumed_points) / WINDOW_S


def _least(*stated: float | None) -> float | None:
    """The least that is stated and is not nothing."""
    return min((float(one) for one in stated if one), default=None)


def capabilities(limits: Limits, *, protected: bool = False) -> Capabilities:
    """An order moves by being replaced; requests expire; a wallet's connection that ends takes all
    of the wallet's orders along. What is signed ends with its signature, unless it is renewed.
    `protected`: quotes are under market-maker protection."""
    share = QUOTE_SHARE if protected else 1.0
    return Capabilities(
        move=Move.REPLACE,
        dead_man=DeadMan.WALLET,
        orders_expire_ns=EXPIRES_AFTER_S * SECOND,
        protects_quotes=True,
        gates=(
            _window(ORDERS, limits.matching, _SINGLE, share),
            *_of_instruments(limits, share),
            _window(MASS_CANCELS, limits.cancel_all, ((Draws.MASS_CANCEL, 1.0),)),
            _window(LABEL_CANCELS, limits.by_label, ((Draws.LABEL_CANCEL, 1.0),)),
            _window(READS, limits.non_matching, ((Draws.READ, 1.0),)),
        ),
    )


def _of_instruments(limits: Limits, share: float) -> tuple[Gate, ...]:
    """One limit for all where it is the same."""
    if limits.option == limits.perpetual:
        return (_bucket(INSTRUMENTS, limits.option, (), share),)
    return (
        _bucket(OPTIONS, limits.option, OPTION_ENDS, share),
        _bucket(PERPETUALS, limits.perpetual, PERPETUAL_ENDS, share),
    )


def _bucket(name: str, tps: float, ends: tuple[str, ...], share: float) -> Gate:
    return Gate(
        name,
        tps,
        tps * WINDOW_S,
        scope=GateScope.INSTRUMENT,
        weights=_SINGLE,
        cancel_reserve=_CANCEL_RESERVE,
        quote_share=share,
        name_ends=ends,
    )


def _window(
    name: str, tps: float, weights: tuple[tuple[Draws, float], ...], share: float = 1.0
) -> Gate:
    return Gate(
        name,
        tps,
        tps * WINDOW_S,
        kind=GateKind.FIXED_WINDOW,
        weights=weights,
        cancel_reserve=_CANCEL_RESERVE,
        quote_share=share,
    )
