"""Vega of one option, without numpy: for a single value now and then."""

from math import exp, log, pi, sqrt


def vega(*, forward: float, strike: float, years: float, vol: float, inverse: bool) -> float:
    """Change of the option's price for a change of volatility by 1 (100 vol points).

    Black-76: F phi(d1) sqrt(T) in the currency of the forward, d1 = ln(F/K) / (vol sqrt(T)) +
    vol sqrt(T) / 2; in coin, for inverse options, that over F. Zero at expiry and where an input
    is not a positive number.
    """
    if not (forward > 0 and strike > 0 and years > 0 and vol > 0):
        return 0.0
    deviation = vol * sqrt(years)
    d1 = log(forward / strike) / deviation + deviation / 2
    in_coin = exp(-d1 * d1 / 2) / sqrt(2 * pi) * sqrt(years)
    return in_coin if inverse else in_coin * forward
