"""The quotes of a chain that a surface can be fitted to, and why the others cannot.

A row is left out for the first reason that fits it, in the order of `REASONS`; what is left is on
the out-of-the-money side, both bid and ask, wide by no more than a share of its price, with a
volatility at either price.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mmbot.pricing import black76
from mmbot.pricing.svi import Array

YEAR_NS: Final = 365 * 86_400_000_000_000

REASONS: Final = (
    "expired",
    "no_forward",
    "synthetic_forward",
    "no_quote",
    "one_sided",
    "crossed",
    "in_the_money",
    "low_bid",
    "wide",
    "below_tick",
    "no_vol",
    "few_quotes",
)
"""Reason -> as JSON has it. `synthetic_forward`: the venue made up the forward, although another
row of the expiry is priced on a listed future. `below_tick`: the time value is less than a tick, so
that the volatility is an interval. `few_quotes`: the row is good, and its expiry has too few."""

_USED = len(REASONS)


@dataclass(frozen=True, slots=True)
class ChainQuotes:
    """One underlying's options at one moment; one row an option, NaN where nothing was said.

    Bid and ask are those of others: our own orders are to be taken out beforehand.
    """

    at_ns: int
    underlying: str
    expiry_ns: NDArray[np.int64]
    strike: Array
    sign: Array
    """+1 for a call, -1 for a put."""
    forward: Array
    bid: Array
    ask: Array
    """In coin if `inverse`, else in the forward's currency."""
    mark_vol: Array
    """The venue's volatility."""
    synthetic: NDArray[np.bool_]
    """Whether the forward belongs to no listed future."""
    inverse: bool = True
    tick: float = 1e-4

    def __len__(self) -> int:
        return len(self.strike)


@dataclass(frozen=True, slots=True)
class Rule:
    """Which quotes count."""

    bid_min: float = 0.0003
    """In coin; for linear options, of the forward."""
    width_max: float = 0.35
    """Ask less bid over the middle."""
    few: int = 6
    """An expiry with fewer quotes gets no smile of five parameters."""
    least: int = 3
    """With fewer than these, none at all."""


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The rows that count, by expiry and strike, and of each expiry what was left out."""

    expiries_ns: NDArray[np.int64]
    """All of the chain, ascending, but what is expired."""
    years: Array
    forward: Array
    """The middle one of an expiry's rows, NaN where no row has one."""
    place: NDArray[np.int64]
    """Of every row that counts: its expiry."""
    k: Array
    bid_vol: Array
    ask_vol: Array
    mark_vol: Array
    count: NDArray[np.int64]
    """Of each expiry: the rows that count."""
    skipped: tuple[tuple[tuple[str, int], ...], ...]
    expired: int
    """Rows of expiries that are over."""

    @property
    def vol(self) -> Array:
        """In the middle of bid and ask."""
        return 0.5 * (self.bid_vol + self.ask_vol)


def clean(chain: ChainQuotes, rule: Rule) -> Cleaned:
    """Sort the rows of a chain out."""
    over = chain.expiry_ns <= chain.at_ns
    expiries, place = np.unique(chain.expiry_ns[~over], return_inverse=True)
    place_of = np.full(len(chain), -1, dtype=np.int64)
    place_of[~over] = place
    reason = _reasons(chain, rule, over, place_of, len(expiries))
    good = np.nonzero(reason == _USED)[0]
    years = (chain.expiry_ns[good] - chain.at_ns) / YEAR_NS
    bid_vol, ask_vol = _vols(chain, good, years)
    known = (bid_vol > 0.0) & (ask_vol > bid_vol)
    reason[good[~known]] = REASONS.index("no_vol")
    good, bid_vol, ask_vol = good[known], bid_vol[known], ask_vol[known]
    count = np.bincount(place_of[good], minlength=len(expiries))
    enough = count[place_of[good]] >= rule.least
    reason[good[~enough]] = REASONS.index("few_quotes")
    good, bid_vol, ask_vol = good[enough], bid_vol[enough], ask_vol[enough]
    order = np.lexsort((chain.strike[good], place_of[good]))
    good = good[order]
    return Cleaned(
        expiries_ns=expiries,
        years=(expiries - chain.at_ns) / YEAR_NS,
        forward=_forwards(chain, place_of, len(expiries)),
        place=place_of[good],
        k=np.log(chain.strike[good] / chain.forward[good]),
        bid_vol=bid_vol[order],
        ask_vol=ask_vol[order],
        mark_vol=chain.mark_vol[good],
        count=np.bincount(place_of[good], minlength=len(expiries)),
        skipped=_told(reason, place_of, len(expiries)),
        expired=int(over.sum()),
    )


def _reasons(
    chain: ChainQuotes,
    rule: Rule,
    over: NDArray[np.bool_],
    place_of: NDArray[np.int64],
    expiries: int,
) -> NDArray[np.int64]:
    """Of every row, the first reason that can be told without its volatility."""
    bid, ask, forward = chain.bid, chain.ask, chain.forward
    has_bid, has_ask = bid > 0.0, ask > 0.0
    priced = np.isfinite(forward) & (forward > 0.0)
    listed = np.zeros(expiries + 1, dtype=np.bool_)
    listed[place_of[priced & ~chain.synthetic & ~over]] = True
    middle = 0.5 * (bid + ask)
    unit = 1.0 if chain.inverse else np.where(priced, forward, 1.0)
    tests = (
        over,
        ~priced,
        chain.synthetic & listed[place_of],
        ~has_bid & ~has_ask,
        has_bid != has_ask,
        ask <= bid,
        chain.sign * (forward - chain.strike) > 0.0,
        bid < rule.bid_min * unit,
        ask - bid >= rule.width_max * middle,
        middle < chain.tick,
    )
    return np.select(tests, range(len(tests)), default=_USED)


def _vols(chain: ChainQuotes, rows: NDArray[np.int64], years: Array) -> tuple[Array, Array]:
    """At bid and at ask."""
    twice = np.concatenate((rows, rows))
    both = black76.implied_vol(
        np.concatenate((chain.bid[rows], chain.ask[rows])),
        chain.forward[twice],
        chain.strike[twice],
        np.concatenate((years, years)),
        chain.sign[twice],
        inverse=chain.inverse,
    )
    return both[: len(rows)], both[len(rows) :]


def _forwards(chain: ChainQuotes, place_of: NDArray[np.int64], expiries: int) -> Array:
    """The middle forward of each expiry, of its listed future where there is one."""
    found = np.full(expiries, np.nan)
    priced = np.isfinite(chain.forward) & (chain.forward > 0.0)
    for place in range(expiries):
        here = (place_of == place) & priced
        real = here & ~chain.synthetic
        if here.any():
            found[place] = np.median(chain.forward[real if real.any() else here])
    return found


def _told(
    reason: NDArray[np.int64], place_of: NDArray[np.int64], expiries: int
) -> tuple[tuple[tuple[str, int], ...], ...]:
    width = len(REASONS) + 1
    here = place_of >= 0
    table = np.bincount(place_of[here] * width + reason[here], minlength=expiries * width)
    return tuple(
        tuple((name, int(n)) for name, n in zip(REASONS, row, strict=False) if n)
        for row in table.reshape(expiries, width)
    )
