"""What a trade costs, as a distance from fair value: the floor under every quote.

Break-even spread = 2 x fee + slippage + wanted profit. One side of a quote carries half of it:
fee + margin, with margin = (slippage + wanted profit) / 2. Costs are absolute: on a cheap option
the fee alone is hundreds of basis points of the premium.
"""

from mmbot.core.contracts import Instrument
from mmbot.core.fees import INDEX, NOTIONAL


def maker_fee_price(instrument: Instrument, fair: float, index: float) -> float:
    """The maker fee of one unit of amount at `fair`, as a move of the price (price units).

    The schedule of `Instrument.fee`, as a model's float: it is asked for with every quote. A rate
    of the notional is rate x fair for inverse contracts too: their fee is rate x A / p coin, and a
    move of the price by dp is worth A dp / p^2 coin. A rebate is negative. `fair` and `index` are
    finite.
    """
    (rate, cap), basis = instrument.fees.maker_floats, instrument.fees.basis
    if basis is NOTIONAL:
        fee = rate * fair
    elif basis is INDEX:
        fee = rate if instrument.inverse else rate * index  # inverse: prices are in coin
    else:
        fee = rate * fair * (1 - fair)
    if cap is None:
        return fee
    most = cap * fair
    return most if fee > most else -most if fee < -most else fee


def cost_floor(instrument: Instrument, fair: float, index: float, margin: float) -> float:
    """The least distance (price units, >= 0) to keep from `fair` on one side: fee + `margin`.

    A rebate may pay for the margin but never for quoting through fair value.
    """
    least = maker_fee_price(instrument, fair, index) + margin
    return least if least > 0.0 else 0.0
