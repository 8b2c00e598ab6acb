"""A chain: the options of one underlying at one venue, in a fixed order, and what each is worth.

Rows go by expiry, strike and right; a market knows its row (`Market.chain`, `Market.row`). All
columns are plain lists, so that a chain goes onto the tape and comes back; NaN stands for what
nobody said. core.chain_upkeep fills them, pricing.chain_pass values them.
"""

from dataclasses import dataclass, field
from math import nan
from typing import NamedTuple

from msgspec import Struct

from mmbot.core.types import InstrumentId, Nanos


class ChainKey(NamedTuple):
    """Which options are one chain: they share their forwards and what they are paid in."""

    venue: str
    underlying: str
    settlement: str

    @property
    def text(self) -> str:
        """By this name chains are kept, and told apart on the tape."""
        return f"{self.venue}:{self.underlying}/{self.settlement}"


class Smile(Struct, frozen=True, gc=False):
    """The fitted volatilities of one expiry: raw SVI in total variance over ln(strike / forward),
    w(k) = a + b (rho (k - m) + sqrt((k - m)^2 + s^2)), at the moment of the fit."""

    expiry_ns: Nanos
    model: str
    """svi or essvi."""
    a: float
    b: float
    rho: float
    m: float
    s: float
    quotes: int
    """That counted."""
    error: float | None
    """Root mean square of the distance to the middle of their volatilities, a fraction per year;
    None where it is not known."""


@dataclass(slots=True)
class Basis:
    """How far an expiry's forward is from the perpetual, as a fraction: a mean over a minute."""

    mean: float = nan
    last: float = nan
    at_ns: Nanos = 0


@dataclass(slots=True)
class Chain:
    """One chain. Prices are in the options' quote unit, forwards in USD."""

    key: ChainKey
    inverse: bool
    """Whether prices are in coin."""
    perpetual: InstrumentId | None = None
    """Whose book leads the forwards; None: nobody watches one."""
    # --- columns, a row an option ---
    names: list[InstrumentId] = field(default_factory=list)
    strike: list[float] = field(default_factory=list)
    sign: list[float] = field(default_factory=list)
    """+1 for a call, -1 for a put."""
    expiry: list[int] = field(default_factory=list)
    """Which of `expiries`."""
    traded: list[bool] = field(default_factory=list)
    tick: list[float] = field(default_factory=list)
    bid: list[float] = field(default_factory=list)
    """As tickers state them, our own orders included."""
    ask: list[float] = field(default_factory=list)
    mark: list[float] = field(default_factory=list)
    iv: list[float] = field(default_factory=list)
    """The venue's volatility."""
    heard_ns: list[Nanos] = field(default_factory=list)
    fair: list[float] = field(default_factory=list)
    sigma: list[float] = field(default_factory=list)
    """What fair was reckoned with: the surface's volatility, or else the venue's."""
    fitted: list[bool] = field(default_factory=list)
    """Whether that was the surface's."""
    delta: list[float] = field(default_factory=list)
    """Black's, in coin."""
    gamma_coin_per_pct: list[float] = field(default_factory=list)
    vega_usd_per_vol_point: list[float] = field(default_factory=list)
    theta_usd_per_day: list[float] = field(default_factory=list)
    decided: list[float] = field(default_factory=list)
    """Fair value when the market was last decided about for its sake."""
    # --- by expiry ---
    expiries: list[Nanos] = field(default_factory=list)
    stated: list[float] = field(default_factory=list)
    """The venue's own forward."""
    basis: list[Basis] = field(default_factory=list)
    forward: list[float] = field(default_factory=list)
    """The one options are valued on."""
    # --- of the whole ---
    lead: float = nan
    """The perpetual's price at the last valuation; NaN: it had none ..."""
    valued_ns: Nanos = 0
    """... and when that was."""
    step_usd: float = 0.0
    """A move of the forward from which on some fair value is another."""
    due: bool = True
    """Something other than the forward has changed."""
    smiles: dict[Nanos, Smile] = field(default_factory=dict)
    """By expiry, the last fit ..."""
    fitted_ns: Nanos = 0
    """... and the moment of its quotes; 0: there was none."""
    asked_ns: Nanos = 0
    """When a fit was last asked for ..."""
    asked_lead: float = nan
    """... and the first forward then."""
    answered_ns: Nanos = 0
    trouble: str = ""
    """Why the last fit came to nothing."""


class FitSurface(Struct, frozen=True):
    """Have a surface fitted to the quotes of a chain, outside of the turn; the answer is a
    `Fitted`. One entry an option; None where nothing is said. Our own orders are not in it."""

    chain: str
    at_ns: Nanos
    expiry_ns: tuple[Nanos, ...]
    strike: tuple[float, ...]
    sign: tuple[float, ...]
    forward: tuple[float | None, ...]
    bid: tuple[float | None, ...]
    ask: tuple[float | None, ...]
    iv: tuple[float | None, ...]
    inverse: bool
    tick: float


class Fitted(Struct, frozen=True):
    """What a fit came to. `at_ns`: the moment of the quotes. `trouble`: why there is none."""

    chain: str
    at_ns: Nanos
    smiles: tuple[Smile, ...]
    trouble: str = ""
