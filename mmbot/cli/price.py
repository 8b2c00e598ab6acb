"""`mmbot price`: what an option, a binary market or a whole chain is worth by its model."""

import math
from collections.abc import Mapping
from enum import Enum
from typing import Annotated

import typer

from mmbot.cli.pages import print_json, show
from mmbot.cli.price_surface import surface
from mmbot.cli.wanted import Json, one_of
from mmbot.errors import ConfigError

app = typer.Typer(no_args_is_help=True, add_completion=False)
app.command("surface")(surface)

LEAST, MOST = 1e-9, 1e12
"""A price in USD lies between them."""
VOL_LEAST, VOL_MOST = 1e-6, 50.0
YEARS_MOST = 1_000.0
_VOL = "an annual volatility (0.6 is 60 %)"
SKEW_MOST = 1_000.0
YEAR_S = 365.0 * 86_400.0

Forward = Annotated[
    float, typer.Option(metavar="F", help="Of the expiry, USD per coin; not the index.")
]
Strike = Annotated[float, typer.Option(metavar="K", help="USD per coin.")]
Years = Annotated[
    float, typer.Option(metavar="T", help="To expiry, in years of 365 days; 0.02 is 7.3 days.")
]
Vol = Annotated[float, typer.Option(metavar="V", help="Annual volatility; 0.6 is 60 %.")]
WindowLeft = Annotated[
    float | None,
    typer.Option(
        metavar="U", help="Inside the window: the share of it that is left, between 0 and 1."
    ),
]
Average = Annotated[
    float | None, typer.Option(metavar="A", help="Mean of the index in the window so far, USD.")
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
def option(
    forward: Forward,
    strike: Strike,
    expiry_years: Years,
    vol: Vol,
    right: RightName,
    inverse: Inverse = False,
    window_left: WindowLeft = None,
    average: Average = None,
    json: Json = False,
) -> None:
    """Price and greeks of an option by Black (1976).

    With --window-left it settles on the mean of the index over a window before expiry, half an
    hour at the options venues: 1 while all of it is ahead, --average once it has begun.
    """
    terms = (usd(forward, "--forward"), usd(strike, "--strike"), years(expiry_years))
    sign = one_of(Right, right, "right", "--right").sign
    within(vol, "--vol", 0.0, VOL_MOST, _VOL)
    known = _window(window_left, average)

    from mmbot.pricing import averaging, black76

    if known is not None:
        share, mean = known
        found = averaging.greeks_in_window(
            *terms, vol, sign, share_left=share, average=mean, inverse=inverse
        )
    else:
        before = expiry_years if window_left is None else averaging.years_before(expiry_years)
        found = black76.greeks(forward, strike, before, vol, sign, inverse=inverse)
    told = {name: float(value) + 0.0 for name, value in found._asdict().items()}  # no -0
    if json:
        print_json(told)
        return
    title = (
        f"{right.lower()} at {strike:,.10g}, forward {forward:,.10g} USD, {100 * vol:.6g} % a year"
    )
    show(
        title + _so_far(known),
        ("", ">value", "unit", ""),
        _option_rows(told, forward, inverse=inverse),
    )


def _option_rows(
    told: Mapping[str, float], forward: float, *, inverse: bool
) -> list[tuple[str, ...]]:
    unit = "coin" if inverse else "USD"
    in_usd = f"{_number(told['price'] * forward)} USD" if inverse else ""
    rows = [
        ("price", "price", unit, in_usd),
        ("  intrinsic value", "intrinsic", unit, ""),
        ("  time value", "time_value", unit, ""),
        ("delta, Black", "delta_black", "coin", ""),
        ("delta, net", "delta_net_coin", "coin", "less the premium" if inverse else "as Black's"),
        ("delta in USD", "delta_usd", "USD", ""),
        ("gamma per USD", "gamma_per_usd", "coin", "delta for 1 USD of the forward"),
        ("gamma per 1 %", "gamma_coin_per_pct", "coin", "delta for 1 % of the forward"),
        ("vega", "vega_usd_per_vol_point", "USD", "per vol point"),
        ("theta", "theta_usd_per_day", "USD", "per day, capped in the last one"),
        ("vanna", "vanna", "coin", "delta for one vol point"),
        ("volga", "volga", "USD", "vega for one vol point"),
        ("charm", "charm_per_day", "coin", "delta per day"),
    ]
    return [(title, _number(told[key]), unit, note) for title, key, unit, note in rows]


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
    within(price, "--price", -MOST, MOST)
    terms = (usd(forward, "--forward"), usd(strike, "--strike"), years(expiry_years))
    sign = one_of(Right, right, "right", "--right").sign
    if tick is not None:
        within(tick, "--tick", LEAST, MOST)

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


@app.command()
def binary(
    spot: Annotated[float, typer.Option(metavar="S", help="USD per coin.")],
    strike: Strike,
    seconds: Annotated[float, typer.Option(metavar="T", help="To the settlement.")],
    vol: Vol,
    model: Annotated[
        str, typer.Option(metavar="M", help="normal, or t5 with fatter tails.")
    ] = "normal",
    skew: Annotated[
        float,
        typer.Option(metavar="DSIGMA_DK", help="Slope of the smile at the strike, in k = ln(K/S)."),
    ] = 0.0,
    window_seconds: Annotated[
        float | None,
        typer.Option(metavar="W", help="It settles on the mean of a final window of so many."),
    ] = None,
    average: Average = None,
    window_left: WindowLeft = None,
    json: Json = False,
) -> None:
    """The chance that a price ends above a strike, and its greeks. A tie pays NO.

    Inside the window --average is needed; the share that is left is T / W unless it is given.
    """
    usd(spot, "--spot")
    usd(strike, "--strike")
    within(seconds, "--seconds", 0.0, YEARS_MOST * YEAR_S)
    within(vol, "--vol", VOL_LEAST, VOL_MOST, _VOL)
    within(skew, "--skew", -SKEW_MOST, SKEW_MOST)
    window_s = within(window_seconds or 0.0, "--window-seconds", 0.0, YEARS_MOST * YEAR_S)

    from mmbot.pricing.binary import Model, Window, value

    law = one_of(Model, model, "model", "--model")
    if window_left is None and seconds < window_s:
        window_left = seconds / window_s
    known = _window(window_left, average)
    found = value(
        spot,
        strike,
        seconds / YEAR_S,
        vol,
        model=law,
        skew=skew,
        window_years=window_s / YEAR_S,
        window=None if known is None else Window(*known),
    )
    told = {name: getattr(found, name) + 0.0 for name in found.__struct_fields__}  # no -0
    if json:
        print_json(told)
        return
    rows = [
        ("YES", "p_yes", "of 1", "above the strike"),
        ("NO", "p_no", "of 1", "at it or below"),
        ("delta", "delta_per_usd", "of 1", "for 1 USD of the spot"),
        ("gamma", "gamma_per_usd2", "of 1", "delta for 1 USD of the spot"),
        ("vega", "vega_per_vol_point", "of 1", "for one vol point"),
        ("theta", "theta_per_second", "of 1", "per second"),
    ]
    show(
        f"above {strike:,.10g} in {seconds:,.10g} s, "
        f"spot {spot:,.10g} USD, {100 * vol:.6g} % a year{_so_far(known)}",
        ("", ">value", "unit", ""),
        [(title, _number(told[key]), unit, note) for title, key, unit, note in rows],
    )


# --- numbers of the command line ------------------------------------------------------------------


def within(value: float, flag: str, least: float, most: float, what: str = "a number") -> float:
    """A number between two others, both included. Raises ConfigError, for NaN and infinities
    too."""
    if not least <= value <= most:
        raise ConfigError(f"{flag} {value:g}: {what} between {least:g} and {most:g} is needed")
    return value


def usd(value: float, flag: str) -> float:
    """A price that something can have. Raises ConfigError."""
    return within(value, flag, LEAST, MOST, "a price in USD")


def years(value: float) -> float:
    """Time to expiry; after it below 0. Raises ConfigError."""
    return within(value, "--expiry-years", -YEARS_MOST, YEARS_MOST)


def _window(left: float | None, average: float | None) -> tuple[float, float] | None:
    """The share of a window that is left and the mean so far; None where it has not begun. Raises
    ConfigError."""
    if left is None or within(left, "--window-left", 0.0, 1.0) == 1.0:
        if average is not None:
            raise ConfigError("--average: none before the window: say --window-left below 1")
        return None
    if average is None:
        raise ConfigError("--average is needed inside the window: the mean of the index so far")
    return left, usd(average, "--average")


def _so_far(known: tuple[float, float] | None) -> str:
    """The window, behind the terms of a title."""
    return (
        "" if known is None else f", mean {known[1]:,.10g} with {known[0]:.4g} of the window left"
    )


def _number(value: float) -> str:
    """Six digits that count."""
    return f"{value:,.6g}" if abs(value) < 1e6 else f"{value:,.0f}"
