"""`mmbot price`: what an option, a binary market or a whole chain is worth by its model."""

import math
from enum import Enum
from typing import Annotated

import typer

from mmbot.cli.pages import print_json, show
from mmbot.cli.wanted import Json, one_of
from mmbot.errors import ConfigError

app = typer.Typer(no_args_is_help=True, add_completion=False)

LEAST, MOST = 1e-9, 1e12
"""A price in USD lies between them."""

Forward = Annotated[
    float, typer.Option(metavar="F", help="Of the expiry, USD per coin; not the index.")
]
Strike = Annotated[float, typer.Option(metavar="K", help="USD per coin.")]
Years = Annotated[
    float, typer.Option(metavar="T", help="Time to expiry in years of 365 days; 7 days: 0.019178.")
]
RightName = Annotated[str, typer.Option("--right", metavar="R", help="call or put.")]
Inverse = Annotated[
    bool, typer.Option("--inverse", help="The price is in coin, not in the currency of F.")
]


class Right(Enum):
    """What the buyer of an option may do."""

    CALL = "call"
    PUT = "put"

    @property
    def sign(self) -> float:
        """As black76 has it."""
        return 1.0 if self is Right.CALL else -1.0


@app.callback()
def price() -> None:
    """What an instrument is worth by a model: options, implied volatility, binary markets."""


@app.command()
def iv(
    price: Annotated[float, typer.Option(metavar="P", help="Coin with --inverse, else USD.")],
    forward: Forward,
    strike: Strike,
    expiry_years: Years,
    right: RightName,
    inverse: Inverse = False,
    tick: Annotated[
        float | None,
        typer.Option(metavar="X", help="Step of prices: a time value below it is an interval."),
    ] = None,
    json: Json = False,
) -> None:
    """The volatility an option's price stands for, or which bound the price breaks."""
    finite(price, "--price")
    finite(expiry_years, "--expiry-years")
    terms = (usd(forward, "--forward"), usd(strike, "--strike"), expiry_years)
    sign = one_of(Right, right, "right", "--right").sign
    if tick is not None and not 0 < finite(tick, "--tick") <= MOST:
        raise ConfigError(f"--tick {tick:g}: a step of prices is above 0")

    from mmbot.pricing.black76 import implied_vol, implied_vol_interval

    vol = float(implied_vol(price, *terms, sign, inverse=inverse))
    ends = implied_vol_interval(price, tick or 0.0, *terms, sign, inverse=inverse)
    low, high = map(float, ends)
    bound = None if not math.isnan(vol) else _bound(price, *terms, sign, inverse=inverse)
    if json:
        told = {"iv": vol, "low": low, "high": high}
        print_json({**{name: _known(value) for name, value in told.items()}, "bound": bound})
        return
    if bound is not None:
        show("", ("", "", ""), [("implied volatility", "none", _BOUNDS[bound])])
        return
    rows = [("implied volatility", f"{vol * 100:,.4f}", "% a year")]
    if low != high:
        rows += [
            ("lowest", f"{low * 100:,.4f}", "% a year: the time value is below one tick"),
            ("highest", f"{high * 100:,.4f}", "% a year: at a time value of one tick"),
        ]
    show("", ("", ">value", "unit"), rows)


_BOUNDS = {
    "expired": "expired: the price is that of exercise, whatever the volatility",
    "below_intrinsic": "below intrinsic value: no volatility is that low",
    "above_upper": "at or above what a call (the forward) or put (the strike) can be worth",
}


def _bound(
    price: float, forward: float, strike: float, years: float, sign: float, *, inverse: bool
) -> str:
    """Why a price has no volatility."""
    if years <= 0:
        return "expired"
    intrinsic = max(sign * (forward - strike), 0.0) / (forward if inverse else 1.0)
    return "below_intrinsic" if price < intrinsic else "above_upper"


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


# --- numbers of the command line ------------------------------------------------------------------


def finite(value: float, flag: str) -> float:
    """A number that is one. Raises ConfigError for NaN and infinities."""
    if not math.isfinite(value):
        raise ConfigError(f"{flag} {value}: a finite number is needed")
    return value


def usd(value: float, flag: str) -> float:
    """A price that something can have. Raises ConfigError."""
    if not LEAST <= finite(value, flag) <= MOST:
        raise ConfigError(f"{flag} {value:g}: a price in USD lies between {LEAST:g} and {MOST:g}")
    return value
