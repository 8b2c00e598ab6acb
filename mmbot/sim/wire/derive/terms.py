"""What Derive lists, on which terms, and how it treats orders: one value.

Options and perpetuals on ETH and BTC, all in USDC: expiries as everywhere, strikes closer together
than elsewhere (as many instruments as the venue really has, which takes several pages to read).
Fees are the venue's published ones: a rate of the notional at the index, a base fee for a taker's
order, for options never more than a share of the mark. What a perpetual realizes is cash with the
trade; every hour its open profit and its funding are settled.

Source of the perpetuals' fees and margin: recorded replies of the venue (in ccxt's source).
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Final

from mmbot.sim.exchange.accounts import SelfTrade
from mmbot.sim.exchange.listing import DeliveryFee, FeeBasis
from mmbot.sim.exchange.margin import MarginTerms
from mmbot.sim.exchange.rules import (
    Dates,
    Family,
    FutureTerms,
    Ids,
    Names,
    OptionTerms,
    Period,
    VenueRules,
)

HOUR_MS: Final = 3_600_000
PERPETUAL_INITIAL: Final = 0.066  # of the notional
PERPETUAL_MAINTENANCE: Final = 0.05

NAMES: Final = Names(dates=Dates.DIGITS, perpetual="PERP", point="_")
OPTION_FEES: Final = FeeBasis(base=Decimal("0.5"), at_index=True, cap_at_mark=True)
PERPETUAL_FEES: Final = FeeBasis(base=Decimal("0.01"), at_index=True)


def _family(
    coin: str,
    options: tuple[str, str, str],
    perpetual: tuple[str, str, str],
    strike_steps: tuple[tuple[float, int], ...],
) -> Family:
    """A coin's: (tick, smallest amount, step of amounts) of its options and of its perpetual."""
    tick, least, step = (Decimal(one) for one in options)
    perpetual_tick, contract, perpetual_step = (Decimal(one) for one in perpetual)
    return Family(
        prefix=coin,
        underlying=coin,
        settlement="USDC",
        options=OptionTerms(
            contract=Decimal(1),
            min_amount=least,
            step=step,
            tick=tick,
            tick_steps=(),
            maker_fee=Decimal("0.0003"),
            taker_fee=Decimal("0.0004"),
            fee_basis=OPTION_FEES,
        ),
        perpetual=FutureTerms(
            contract=contract,
            step=perpetual_step,
            tick=perpetual_tick,
            maker_fee=Decimal("0.0001"),
            taker_fee=Decimal("0.0003"),
            fee_basis=PERPETUAL_FEES,
        ),
        has_futures=False,
        periods=tuple(Period),
        strike_steps=strike_steps,
        reach=5.0,
        names=NAMES,
    )


ETH: Final = _family(
    "ETH",
    ("0.1", "0.1", "0.01"),
    ("0.01", "0.01", "0.001"),
    ((100, 25), (math.inf, 50)),
)
BTC: Final = _family(
    "BTC",
    ("1", "0.01", "0.001"),
    ("0.1", "0.001", "0.0001"),
    ((35, 500), (100, 1_000), (math.inf, 2_500)),
)

RULES: Final = VenueRules(
    families=(ETH, BTC),
    self_trade=SelfTrade.REJECT_TAKER,
    delivery_fee=DeliveryFee(rate=Decimal(0)),
    band_refuses=False,
    settlement_pause_ms=0,
    session_ms=HOUR_MS,
    settles_open=True,
    realizes_at_once=True,
    margin=MarginTerms(
        max_leverage=1 / PERPETUAL_INITIAL,
        maintenance_share=PERPETUAL_MAINTENANCE / PERPETUAL_INITIAL,
    ),
    ids=Ids.UUID,
)
