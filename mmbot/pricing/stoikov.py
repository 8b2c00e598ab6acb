"""The microprice of S. Stoikov, "The micro-price: a high-frequency estimator of future prices",
Quantitative Finance 18 (2018), fitted to recorded best prices.

The state of a book is its imbalance I = bid size / (bid size + ask size), in equal buckets, and its
spread in ticks. From one update to the next the middle stays (Q: chances of the state after that)
or jumps (T: likewise; K: the mean jump of every state). Then

    G1 = (1 - Q)^-1 K               what the middle is expected to move by the time of its next jump
    B  = (1 - Q)^-1 T               the state after that jump
    G* = G1 + B G1 + B^2 G1 + ...   ... and by all jumps after it

and the microprice is the middle + G*(I, spread), the expectation of the middle far ahead: a
martingale, which neither the middle nor the size-weighted price is. Every update is counted once
more with bid and ask exchanged, as in the paper; so G* is 0 on average, and the sum ends.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_ROUNDS = 1_000
_SMALL = 1e-10
_STAYS = 1.0 - 1e-9
"""Stands for "always", so that a state whose middle never moved has an answer: no adjustment."""


class Adjustment(NamedTuple):
    """What is added to the middle, fitted."""

    ticks: Array
    """By bucket of imbalance and spread in ticks less one."""
    tick: float
    updates: int
    """That it was fitted to."""

    def microprice(self, bid: float, bid_size: float, ask: float, ask_size: float) -> float | None:
        """The microprice of a book, USD; None where both sizes are 0."""
        if not bid_size + ask_size:
            return None
        buckets, widest = self.ticks.shape
        bucket, wide = _state(bid, bid_size, ask, ask_size, self.tick, buckets, widest)
        return 0.5 * (bid + ask) + self.tick * float(self.ticks[bucket, wide])


def fit(
    bids: Array,
    bid_sizes: Array,
    asks: Array,
    ask_sizes: Array,
    *,
    tick: float,
    buckets: int = 10,
    widest: int = 3,
) -> Adjustment:
    """Fit the adjustment to best prices and sizes at every update, in the order of time. A spread
    of more than `widest` ticks counts as that."""
    bucket, wide = _state(bids, bid_sizes, asks, ask_sizes, tick, buckets, widest)
    jumps = np.diff(0.5 * (bids + asks)) / tick
    jumps[np.abs(jumps) < 0.25] = 0.0  # half a tick is the least a middle moves
    state = bucket * widest + wide
    twin = (buckets - 1 - bucket) * widest + wide
    before, after = np.append(state[:-1], twin[:-1]), np.append(state[1:], twin[1:])
    jump = np.append(jumps, -jumps)
    stay, go, mean = _chances(before, after, jump, buckets * widest)
    left = np.eye(buckets * widest) - _STAYS * stay
    adjustment: Array = np.linalg.solve(left, mean).astype(np.float64)
    term: Array = adjustment
    onward: Array = np.linalg.solve(left, go).astype(np.float64)
    for _ in range(_ROUNDS):
        term = onward @ term
        adjustment = adjustment + term
        if np.abs(term).max() < _SMALL:
            break
    return Adjustment(adjustment.reshape(buckets, widest), tick, len(jumps))


def _state(
    bid: Array | float,
    bid_size: Array | float,
    ask: Array | float,
    ask_size: Array | float,
    tick: float,
    buckets: int,
    widest: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bucket of the imbalance, and the spread in ticks less one."""
    imbalance = np.divide(bid_size, np.add(bid_size, ask_size))
    bucket = np.minimum(np.floor(imbalance * buckets), buckets - 1).astype(np.int64)
    wide = np.clip(np.rint(np.subtract(ask, bid) / tick), 1, widest).astype(np.int64) - 1
    return bucket, wide


def _chances(
    before: NDArray[np.int64], after: NDArray[np.int64], jump: Array, states: int
) -> tuple[Array, Array, Array]:
    """Q, T and K. A state that was never seen goes nowhere."""
    stayed, went = np.zeros((states, states)), np.zeros((states, states))
    moved = jump != 0.0
    np.add.at(stayed, (before[~moved], after[~moved]), 1.0)
    np.add.at(went, (before[moved], after[moved]), 1.0)
    seen = np.maximum(np.bincount(before, minlength=states), 1.0)
    mean = np.bincount(before, jump, states) / seen
    return stayed / seen[:, None], went / seen[:, None], mean
