"""Surfaces of recorded chains: how near to their quotes, and never any arbitrage.

A few moments here, every one with the long tests. The recordings are on some machines only. What is
asked for: errors against the volatility between bid and ask of at most 0.14 vol points in the
median and 0.70 at the 95th percentile, 96 % between bid and ask, over the expiries more than a day
away with six quotes or more; and of every slice g >= 0, of every pair an order in time, proved for
every k and looked at besides on a grid of steps of 0.0025.
"""

from itertools import pairwise

import numpy as np
import pytest

from mmbot.pricing.chain_quotes import ChainQuotes, Rule, clean
from mmbot.pricing.surface import Memory, Model, Surface, fit
from mmbot.research.chain_files import every_chain
from tests.research.chain_texts import SHARED

CHAINS = SHARED / "znmahbub_chains_dev_20260105_20260215.parquet"
RULE = Rule()
K = np.linspace(-1.5, 1.5, 1201)

pytestmark = pytest.mark.skipif(
    not CHAINS.is_file(), reason="the recordings are not on this machine"
)


class Tally:
    """Errors and violations of many surfaces."""

    def __init__(self) -> None:
        self.errors: list[float] = []
        self.inside: list[bool] = []
        self.slices = 0
        self.fallbacks = 0
        self.g_min, self.growth_min = np.inf, np.inf

    def add(self, chain: ChainQuotes, surface: Surface) -> None:
        assert surface.arbitrage_free, (chain.at_ns, chain.underlying)
        cleaned = clean(chain, RULE)
        for one in surface.expiries:
            if one.years <= 1 / 365 or one.quotes < RULE.few:
                continue
            self.slices += 1
            self.fallbacks += one.model is not Model.SVI
            here = cleaned.rows_of(one.expiry_ns)
            vol = one.vol(cleaned.k[here])
            self.errors += (100 * np.abs(vol - cleaned.vol[here])).tolist()
            inside = (cleaned.bid_vol[here] <= vol) & (vol <= cleaned.ask_vol[here])
            self.inside += inside.tolist()
        smiles = [one.smile for one in surface.expiries if one.smile is not None]
        self.g_min = min(self.g_min, *(one.density_factor(K).min() for one in smiles))
        self.growth_min = min(
            self.growth_min,
            *((b.variance(K) - a.variance(K)).min() for a, b in pairwise(smiles)),
        )

    def judge(self) -> None:
        assert self.g_min >= 0
        assert self.growth_min >= 0
        assert np.median(self.errors) <= 0.14
        assert np.percentile(self.errors, 95) <= 0.70
        assert np.mean(self.inside) >= 0.96
        assert self.fallbacks <= 0.001 * self.slices


def test_a_few_moments() -> None:
    tally = Tally()
    for chain in every_chain(CHAINS, nth=24):
        tally.add(chain, fit(chain)[0])
    assert tally.slices >= 140
    tally.judge()


@pytest.mark.long
def test_every_moment_from_nothing() -> None:
    tally = Tally()
    for chain in every_chain(CHAINS):
        tally.add(chain, fit(chain)[0])
    assert (tally.slices, len(tally.errors)) == (3_581, 89_578)
    tally.judge()


@pytest.mark.long
def test_every_moment_each_from_the_last() -> None:
    # Six hours apart: further than a fit that follows another ever has to go.
    tally = Tally()
    memories: dict[str, Memory | None] = {}
    for chain in every_chain(CHAINS):
        surface, memories[chain.underlying] = fit(chain, memories.get(chain.underlying))
        tally.add(chain, surface)
    tally.judge()
