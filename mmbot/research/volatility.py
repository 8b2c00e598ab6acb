"""How much the prices in a file moved, by every estimator of pricing/vol.py."""

import math
from typing import NamedTuple

import numpy as np

from mmbot.errors import ConfigError
from mmbot.pricing import vol
from mmbot.research.price_file import Prices

LEAST = 3
"""Prices from which anything can be said."""

_PER_BAR = (10, 100)
"""Samples in a bar that is made of them: at least, and at most."""
_LATE_BAR = 1.5
_LATE_SAMPLE = 10.0


class Moved(NamedTuple):
    """Annual volatilities as fractions, None where there are too few bars; counts."""

    realized: float
    bipower: float
    parkinson: float | None
    garman_klass: float | None
    rogers_satchell: float | None
    yang_zhang: float | None
    jump_share: float
    """Of realized variance, 0 to 1."""
    samples: int
    gaps: int
    """Distances of more than 1.5 bars, of prices more than 10 times the usual distance."""


def moved(prices: Prices) -> tuple[Moved, float]:
    """The estimates, and the width in seconds of the bars they were made of. Of single prices the
    bars are made of as many as give ten bars, but of 10 to 100 prices each, and their highs and
    lows are put back to what they would be had every price been seen (vol.unbroken).

    Raises ConfigError where there are too few prices.
    """
    times, closes = prices.times_s, prices.columns[-1]
    if len(times) < LEAST:
        raise ConfigError(f"{len(times)} prices: {LEAST} are needed at least")
    apart = np.diff(times)
    usual = float(np.median(apart))
    realized = vol.realized(times, closes)
    if prices.are_bars:
        width, late = usual, _LATE_BAR
        opened, high, low, _ = prices.columns
        bars = vol.whole_bars(times, opened, high, low, closes, width)
    else:
        least, most = _PER_BAR
        per_bar = min(max(len(times) / 10, least), most)
        width, late = per_bar * float(times[-1] - times[0]) / len(apart), _LATE_SAMPLE
        bars = vol.unbroken(vol.bars(times - times[0], closes, width), realized)
    return (
        Moved(
            realized=vol.annual(realized),
            bipower=vol.annual(vol.bipower(times, closes)),
            parkinson=_known(vol.parkinson(bars)),
            garman_klass=_known(vol.garman_klass(bars)),
            rogers_satchell=_known(vol.rogers_satchell(bars)),
            yang_zhang=_known(vol.yang_zhang(bars)),
            jump_share=vol.jump_share(times, closes),
            samples=len(times),
            gaps=int(np.sum(apart > late * usual)),
        ),
        width,
    )


def _known(variance_per_s: float) -> float | None:
    return None if math.isnan(variance_per_s) else vol.annual(variance_per_s)
