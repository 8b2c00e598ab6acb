"""Chains whose volatilities are known: two-sided quotes around smiles of our own."""

from collections.abc import Mapping
from random import Random

import numpy as np

from mmbot.pricing import black76
from mmbot.pricing.chain_quotes import YEAR_NS, ChainQuotes
from mmbot.pricing.svi import Slice

AT_NS = 1_767_600_000_000_000_000
"""2026-01-05 08:00 UTC, a Monday."""
DAY_NS = YEAR_NS // 365
FORWARD = 90_000.0


def a_smile(days: float) -> Slice:
    """At the money 50 % or a little less, skewed to the left, and in order with the others."""
    years = days / 365
    deviation = 0.5 * years**0.5
    return Slice(0.16 * years, 0.2 * deviation, -0.25, 0.1 * deviation, 0.6 * deviation)


def chain_of(
    strikes: Mapping[float, int],
    *,
    moved: float = 0.0,
    noise: float = 0.0,
    half: float = 0.004,
    seed: int = 7,
) -> ChainQuotes:
    """So many out-of-the-money options of each expiry (days -> number), in coin, from two
    deviations below the money to two above. `moved`: the forward in basis points, and volatilities
    by 0.03 points each; noise and half-spread in volatility."""
    rng = Random(seed)
    forward = FORWARD * (1.0 + 1e-4 * moved)
    rows = []
    for days, count in strikes.items():
        smile, deviation = a_smile(days), 0.5 * (days / 365) ** 0.5
        for place in range(count):
            # Strikes stand still while the forward moves.
            strike = round(FORWARD * np.exp(deviation * (-2.0 + 4.0 * (place + 0.5) / count)))
            vol = float(smile.vol(np.log(strike / forward), days / 365))
            rows.append((days, strike, vol + 3e-4 * moved + noise * rng.gauss(0.0, 1.0)))
    days_, strike_, vol_ = (np.array(part) for part in zip(*rows, strict=True))
    sign = np.where(strike_ >= forward, 1.0, -1.0)
    half_ = half * (1.0 + 2.5 * np.abs(np.log(strike_ / forward)))
    bid, ask = (
        black76.price(forward, strike_, days_ / 365, vol_ + side * half_, sign, inverse=True)
        for side in (-1.0, 1.0)
    )
    return ChainQuotes(
        at_ns=AT_NS,
        underlying="BTC",
        expiry_ns=AT_NS + np.round(days_ * DAY_NS).astype(np.int64),
        strike=strike_,
        sign=sign,
        forward=np.full(len(strike_), forward),
        bid=bid,
        ask=ask,
        mark_vol=vol_,
        synthetic=np.zeros(len(strike_), dtype=np.bool_),
    )
