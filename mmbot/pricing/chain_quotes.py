"""The quotes of a chain that a surface can be fitted to, and why the others cannot.

A row is left out for the first reason that fits it, in the order of `REASONS`; what is left is on
the out-of-the-money side, both bid and ask, wide by no more than a share of its price, with a
volatility at either price.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mmbot.pricing import black76, near_vol
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
class Layout:
    """How the rows of a chain belong together; the same as long as its options are."""

    expiry_ns: NDArray[np.int64]
    strike: Array
    expiries_ns: NDArray[np.int64]
    """Ascending."""
    place: NDArray[np.int64]
    """Of every row: its expiry."""
    order: NDArray[np.intp]
    """The rows by expiry and strike."""

    def fits(self, chain: ChainQuotes) -> bool:
        """Whether these are the chain's options."""
        return np.array_equal(self.strike, chain.strike) and np.array_equal(
            self.expiry_ns, chain.expiry_ns
        )


def layout(chain: ChainQuotes) -> Layout:
    """Of a chain's rows."""
    expiries, place = np.unique(chain.expiry_ns, return_inverse=True)
    order = np.lexsort((chain.strike, place))
    return Layout(chain.expiry_ns, chain.strike, expiries, place.astype(np.int64), order)


@dataclass(frozen=True, slots=True)
class Cleaned:
    """The rows that count, by expiry and strike, and of each expiry what was left out."""

    layout: Layout
    years: Array
    """Of each expiry; not positive for one that is over."""
    forward: Array
    """The mean of an expiry's rows, NaN where no row has one."""
    place: NDArray[np.int64]
    """Of every row that counts: its expiry."""
    k: Array
    bid_vol: Array
    ask_vol: Array
    mark_vol: Array
    count: NDArray[np.int64]
    """Of each expiry: the rows that count."""
    skipped: tuple[tuple[tuple[str, int], ...], ...]
    near: tuple[Array, Array]
    """Of every row of the chain the volatilities at bid and ask, NaN where unknown: for the next
    chain of this layout."""

    @property
    def vol(self) -> Array:
        """In the middle of bid and ask."""
        return 0.5 * (self.bid_vol + self.ask_vol)

    def rows_of(self, expiry_ns: int) -> NDArray[np.bool_]:
        """Which of the rows that count are of an expiry."""
        return np.asarray(self.layout.expiries_ns[self.place] == expiry_ns)


def clean(
    chain: ChainQuotes,
    rule: Rule,
    laid_out: Layout | None = None,
    near: tuple[Array, Array] | None = None,
) -> Cleaned:
    """Sort the rows of a chain out. `near`: the volatilities of the last chain of this layout."""
    if laid_out is None:
        laid_out = layout(chain)
    expiries, place = laid_out.expiries_ns, laid_out.place
    years = (expiries - chain.at_ns) / YEAR_NS
    forward, synthetic_alone = _forwards(chain, place, len(expiries))
    reason = _reasons(chain, rule, (years <= 0.0)[place], synthetic_alone[place])
    good = laid_out.order[reason[laid_out.order] == _USED]
    bid_vol, ask_vol = _vols(chain, good, years[place[good]], near)
    known = (bid_vol > 0.0) & (ask_vol > bid_vol)
    if not known.all():
        reason[good[~known]] = REASONS.index("no_vol")
        good, bid_vol, ask_vol = good[known], bid_vol[known], ask_vol[known]
    found = np.full(len(chain), np.nan), np.full(len(chain), np.nan)
    found[0][good], found[1][good] = bid_vol, ask_vol
    count = np.bincount(place[good], minlength=len(expiries))
    enough = (count >= rule.least)[place[good]]
    if not enough.all():
        reason[good[~enough]] = REASONS.index("few_quotes")
        good, bid_vol, ask_vol = good[enough], bid_vol[enough], ask_vol[enough]
        count = np.where(count >= rule.least, count, 0)
    return Cleaned(
        layout=laid_out,
        years=years,
        forward=forward,
        place=place[good],
        k=np.log(chain.strike[good] / chain.forward[good]),
        bid_vol=bid_vol,
        ask_vol=ask_vol,
        mark_vol=chain.mark_vol[good],
        count=count,
        skipped=_told(reason, place, len(expiries)),
        near=found,
    )


def _forwards(
    chain: ChainQuotes, place: NDArray[np.int64], expiries: int
) -> tuple[Array, NDArray[np.bool_]]:
    """The mean forward of each expiry, of its listed future where there is one, and whether there
    is none."""
    priced = (chain.forward > 0.0) & (chain.forward < np.inf)
    value = np.where(priced, chain.forward, 0.0)
    real = (priced & ~chain.synthetic).astype(np.float64)
    listed = np.bincount(place, real, minlength=expiries) > 0.0
    weight = np.where(listed[place], real, priced)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(place, value * weight, minlength=expiries) / np.bincount(
            place, weight, minlength=expiries
        )
    return mean, ~listed


def _reasons(
    chain: ChainQuotes,
    rule: Rule,
    over: NDArray[np.bool_],
    synthetic_alone: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Of every row, the first reason that can be told without its volatility."""
    forward = chain.forward
    no_bid, no_ask, unpriced = (
        ~((said > 0.0) & (said < np.inf)) for said in (chain.bid, chain.ask, forward)
    )
    bid, ask = np.where(no_bid, np.nan, chain.bid), np.where(no_ask, np.nan, chain.ask)
    middle = 0.5 * (bid + ask)
    unit = 1.0 if chain.inverse else forward
    tests = (
        over,
        unpriced,
        chain.synthetic & ~synthetic_alone,
        no_bid & no_ask,
        no_bid | no_ask,
        ~(bid < ask),
        chain.sign * (forward - chain.strike) > 0.0,
        bid < rule.bid_min * unit,
        ask - bid >= rule.width_max * middle,
        middle < chain.tick,
    )
    reason = np.full(len(chain), _USED)
    for code in range(len(tests) - 1, -1, -1):
        reason[tests[code]] = code
    return reason


def _vols(
    chain: ChainQuotes,
    rows: NDArray[np.intp],
    years: Array,
    near: tuple[Array, Array] | None,
) -> tuple[Array, Array]:
    """At bid and at ask."""
    twice = np.concatenate((rows, rows))
    price = np.concatenate((chain.bid[rows], chain.ask[rows]))
    forward, strike, sign = chain.forward[twice], chain.strike[twice], chain.sign[twice]
    both_years = np.concatenate((years, years))
    if near is None:
        both = black76.implied_vol(price, forward, strike, both_years, sign, inverse=chain.inverse)
    else:
        last = np.concatenate((near[0][rows], near[1][rows]))
        both = near_vol.implied_vol(
            price, forward, strike, both_years, sign, last, inverse=chain.inverse
        )
    return both[: len(rows)], both[len(rows) :]


def _told(
    reason: NDArray[np.int64], place: NDArray[np.int64], expiries: int
) -> tuple[tuple[tuple[str, int], ...], ...]:
    width = len(REASONS) + 1
    table = np.bincount(place * width + reason, minlength=expiries * width)
    return tuple(
        tuple((name, n) for name, n in zip(REASONS, row, strict=False) if n)
        for row in table.reshape(expiries, width).tolist()
    )
