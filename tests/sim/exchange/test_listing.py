"""What a trade is worth and what it costs; numbers by hand."""

from __future__ import annotations

from mmbot.sim.exchange.listing import FeeBasis, average_price, fee, value
from tests.sim.orders import D
from tests.wire.venue import option, perpetual


def test_fees() -> None:
    coin, usdc = D("0.0003"), D("0.0005")
    # Per contract, until 12.5 % of the premium is less: below 0.0024.
    assert fee(option(), D(2), D("0.03"), coin, D(2500)) == D("0.0006")
    assert fee(option(), D(2), D("0.002"), coin, D(2500)) == D("0.0005")
    linear = option(inverse=False, settlement="USDC")
    assert fee(linear, D(2), D(75), coin, D(2500)) == D("1.5")
    assert fee(linear, D(2), D(2), coin, D(2500)) == D("0.5")
    assert fee(perpetual(), D(1000), D(2500), usdc, D(2500)) == D("0.0002")
    linear_perpetual = perpetual(inverse=False, settlement="USDC")
    assert fee(linear_perpetual, D(2), D(2500), usdc, D(2500)) == D("2.5")
    # Where the fee is capped by the mark, the price traded has nothing to do with it.
    capped = option(inverse=False, settlement="USDC", fee_basis=FeeBasis(cap_at_mark=True))
    assert fee(capped, D(2), D(75), coin, D(2500), D(4)) == D(1)
    # Where it is counted from the index, neither.
    indexed = perpetual(inverse=False, settlement="USDC", fee_basis=FeeBasis(at_index=True))
    assert fee(indexed, D(2), D(2500), usdc, D(2600)) == D("2.6")
    # A rebate is negative.
    assert fee(linear_perpetual, D(2), D(2500), D("-0.0001"), D(2500)) == D("-0.5")


def test_value_and_its_inverse() -> None:
    linear = perpetual(inverse=False, settlement="USDC")
    assert value(linear, D(2), D(2500)) == 5000
    for listing in (linear, perpetual(), option()):
        cost = value(listing, D(-4), D("0.5"))
        assert average_price(listing, D(-4), cost) == D("0.5")
