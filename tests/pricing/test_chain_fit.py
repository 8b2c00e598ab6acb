"""From a request for a surface to its answer."""

from dataclasses import dataclass
from math import log, sqrt

import pytest
from msgspec import structs

from mmbot.core.chains import FitSurface
from mmbot.pricing import black76
from mmbot.pricing.chain_fit import ChainFitter

NOW_NS = 1_748_865_600_000_000_000
DAY_NS = 86_400_000_000_000
FORWARD = 2850.0
STRIKES = tuple(float(k) for k in range(2400, 3400, 50))


@dataclass(frozen=True)
class Truth:
    """A smile that quotes are made from."""

    a: float = 0.004
    b: float = 0.03
    rho: float = -0.2
    m: float = 0.0
    s: float = 0.1

    def vol(self, strike: float, years: float) -> float:
        k = log(strike / FORWARD)
        x = k - self.m
        return sqrt((self.a + self.b * (self.rho * x + sqrt(x * x + self.s**2))) / years)


def asked(days: float = 7.0, width: float = 0.02, at_ns: int = NOW_NS) -> FitSurface:
    """Both rights of every strike, quoted so many vol points around the truth."""
    years = days / 365
    expiry_ns = NOW_NS + int(days * DAY_NS)
    rows = [(strike, sign) for strike in STRIKES for sign in (1.0, -1.0)]
    vols = [Truth().vol(strike, years) for strike, _ in rows]

    def prices(shift: float) -> tuple[float, ...]:
        return tuple(
            float(black76.price(FORWARD, strike, years, vol + shift, sign, inverse=True))
            for (strike, sign), vol in zip(rows, vols, strict=True)
        )

    return FitSurface(
        chain="deribit:ETH/ETH",
        at_ns=at_ns,
        expiry_ns=(expiry_ns,) * len(rows),
        strike=tuple(strike for strike, _ in rows),
        sign=tuple(sign for _, sign in rows),
        forward=(FORWARD,) * len(rows),
        bid=prices(-width / 2),
        ask=prices(width / 2),
        iv=tuple(vols),
        inverse=True,
        tick=0.0001,
    )


@pytest.mark.parametrize("days", [2.0, 7.0, 30.0])
def test_the_smile_quotes_were_made_from_is_found_again(days: float) -> None:
    found = ChainFitter().fitted(asked(days))
    assert (found.chain, found.at_ns, found.trouble) == ("deribit:ETH/ETH", NOW_NS, "")
    [smile] = found.smiles
    assert smile.model == "svi"
    assert smile.error is not None
    assert smile.error < 0.002
    for strike in (2600.0, 2850.0, 3100.0):
        x = log(strike / FORWARD) - smile.m
        variance = smile.a + smile.b * (smile.rho * x + sqrt(x * x + smile.s**2))
        years = days / 365
        assert sqrt(variance / years) == pytest.approx(Truth().vol(strike, years), abs=0.003)


def test_a_second_fit_goes_on_from_the_first_and_finds_the_same() -> None:
    fitter = ChainFitter()
    [first] = fitter.fitted(asked()).smiles
    [again] = fitter.fitted(structs.replace(asked(), at_ns=NOW_NS + 5_000_000_000)).smiles
    assert again.a == pytest.approx(first.a, rel=0.02)
    assert again.b == pytest.approx(first.b, rel=0.02)


def test_without_two_sides_there_is_no_smile_and_the_reason_is_told() -> None:
    wanted = asked()
    one_sided = structs.replace(wanted, ask=(None,) * len(wanted.ask))
    found = ChainFitter().fitted(one_sided)
    assert found.smiles == ()
    assert found.trouble == "40 quotes: one sided"


def test_without_options_there_is_nothing_to_fit() -> None:
    empty = FitSurface("deribit:ETH/ETH", NOW_NS, (), (), (), (), (), (), (), True, 0.0001)
    found = ChainFitter().fitted(empty)
    assert (found.smiles, found.trouble) == ((), "no quotes")


def test_quotes_of_nonsense_end_in_words() -> None:
    wanted = asked()
    for bid, ask in ((float("inf"), float("inf")), (float("nan"), 1e300), (-1.0, 0.0), (2.0, 3.0)):
        rows = len(wanted.bid)
        found = ChainFitter().fitted(structs.replace(wanted, bid=(bid,) * rows, ask=(ask,) * rows))
        assert found.smiles == ()
        assert found.trouble
