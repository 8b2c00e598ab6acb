"""Deribit's pools of requests beside orders, and which method draws on which (`venues/pools.py`).

Whoever asks for more than is in a pool gets 10028, and the session is ended.
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from mmbot.venues import pools
from mmbot.venues.deribit.limits import READ_GATES, Limits
from mmbot.venues.rates import Rate


class Pool(Enum):
    """The kinds of request that share a limit."""

    TRANSACTION_LOG = auto()
    SUBSCRIBE = auto()
    INSTRUMENTS = auto()
    CANCEL_ALL = auto()
    OTHER = auto()


_READS: Final = (Pool.TRANSACTION_LOG, Pool.SUBSCRIBE, Pool.INSTRUMENTS, Pool.OTHER)
_NAMES: Final = {pool: gate.name for pool, gate in zip(_READS, READ_GATES, strict=True)}
RATES: Final[Mapping[Enum, Rate]] = {
    **{pool: Rate(*gate.of_session) for pool, gate in zip(_READS, READ_GATES, strict=True)},
    Pool.CANCEL_ALL: Limits().cancel_all,
}
"""The venue's, where the account does not say less (or, for CANCEL_ALL, something else)."""

_POOLS: Final[Mapping[str, Pool | None]] = {
    "private/get_transaction_log": Pool.TRANSACTION_LOG,
    "public/subscribe": Pool.SUBSCRIBE,
    "private/subscribe": Pool.SUBSCRIBE,
    "public/get_instruments": Pool.INSTRUMENTS,
    "private/cancel_all": Pool.CANCEL_ALL,
    "private/cancel_all_by_currency": Pool.CANCEL_ALL,
    "private/cancel_all_by_currency_pair": Pool.CANCEL_ALL,
    "private/cancel_all_by_instrument": Pool.CANCEL_ALL,
    "private/cancel_all_by_kind_or_type": Pool.CANCEL_ALL,
    "private/buy": None,
    "private/sell": None,
    "private/edit": None,
    "private/edit_by_label": None,
    "private/replace": None,
    "private/cancel": None,
    "private/cancel_by_label": None,
    "private/cancel_quotes": None,
    "private/close_position": None,
    "private/mass_quote": None,
    "private/move_positions": None,
}


def pool_of(method: str) -> Pool | None:
    """The pool that `method` (private/x, public/x) draws on; None: it is an order's."""
    return _POOLS.get(method, Pool.OTHER)


class Pools(pools.Pools):
    """The pools of one account."""

    def __init__(self, now_s: float) -> None:
        super().__init__(now_s, RATES)

    def obey(self, limits: Limits) -> None:
        """The account has told its own limits."""
        usual, stated = RATES[Pool.OTHER], limits.non_matching
        least = Rate(min(usual.rate, stated.rate), min(usual.burst, stated.burst))
        self.resize(Pool.OTHER, least)
        self.resize(Pool.CANCEL_ALL, limits.cancel_all)

    def named(self, now_s: float) -> dict[str, float]:
        """What is left of each pool of reads, by the name of its gate."""
        left = self.left(now_s)
        return {name: left[pool] for pool, name in _NAMES.items()}
