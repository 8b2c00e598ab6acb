"""Black (1976) in arithmetic of 50 digits, written from the textbook and not from ours."""

from collections.abc import Callable
from typing import Any

import mpmath
from mpmath import mpf

mpmath.mp.dps = 50


def normal(x: Any) -> Any:
    """The normal distribution function."""
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


def usd(forward: Any, strike: Any, years: Any, vol: Any, sign: float) -> Any:
    """The price in USD: sign (F N(sign d1) - K N(sign d2))."""
    f, k, t, v = map(mpf, (forward, strike, years, vol))
    w = v * mpmath.sqrt(t)
    d1 = mpmath.log(f / k) / w + w / 2
    return sign * (f * normal(sign * d1) - k * normal(sign * (d1 - w)))


def slope(of: Callable[[Any], Any], at: float, order: int = 1) -> Any:
    """A central difference: of a function of 50 digits, with a step of 1e-12 of where it is."""
    x, step = mpf(at), abs(mpf(at)) * mpf(10) ** -12
    if order == 1:
        return (of(x + step) - of(x - step)) / (2 * step)
    return (of(x + step) - 2 * of(x) + of(x - step)) / step**2
