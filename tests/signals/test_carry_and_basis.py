"""Funding and basis, with the sign that every signal has. Numbers by hand."""

from mmbot.core.contracts import Instrument
from mmbot.core.ports import Signal
from mmbot.core.types import SECOND
from mmbot.signals.basis import Basis
from mmbot.signals.funding_carry import FundingCarry
from tests.builders import NOW_NS, a_perpetual, an_option
from tests.signals.streams import PERPETUAL, heard, ns, ticker

DAY_NS = 86_400 * SECOND
IN_A_YEAR = a_perpetual(expiry_ns=NOW_NS + 365 * DAY_NS)


def told(
    signal: Basis | FundingCarry, *tickers: object, instrument: Instrument = PERPETUAL
) -> tuple[float | None, dict[str, float | None]]:
    one: Signal = signal
    memory = heard(one, tickers, instrument)  # type: ignore[arg-type]  # tickers
    return signal.value(memory, ns(0)), dict(signal.values(memory, ns(0)))


def test_a_long_earns_what_shorts_pay() -> None:
    paid = ticker(0, current_funding=0.0001, funding_8h=-0.0002)
    assert told(FundingCarry(), paid) == (
        -0.00030000000000000003,
        {"mean_8h": 0.0006000000000000001},
    )


def test_funding_that_is_not_stated_is_not_known() -> None:
    assert told(FundingCarry()) == (None, {"mean_8h": None})
    said = ticker(0, current_funding=0.0001, funding_8h=0.0)
    assert told(FundingCarry(), said, ticker(1)) == (None, {"mean_8h": None})


def test_a_market_below_its_index_is_expected_to_rise() -> None:
    value, parts = told(Basis(), ticker(0, index=100.0, mark=7.0, best=(98.0, 100.0)))
    assert (value, parts) == (0.010000000000000009, {"yearly": None})
    value, _ = told(Basis(), ticker(0, index=100.0, mark=101.0))
    assert value == -0.010000000000000009, "the mark, where no prices are stated"


def test_the_basis_of_what_expires_is_a_rate_per_year_too() -> None:
    half = ns(0) + 365 * DAY_NS // 2
    signal = Basis()
    memory = heard(signal, [ticker(0, index=100.0, best=(104.0, 106.0))], IN_A_YEAR)
    assert signal.values(memory, ns(0)) == {"yearly": -0.050000000000000044}
    assert signal.values(memory, half) == {"yearly": -0.10000000000000009}
    assert signal.values(memory, ns(0) + 365 * DAY_NS) == {"yearly": None}


def test_an_option_is_priced_on_its_forward() -> None:
    priced = ticker(0, index=100.0, forward=102.0, mark=0.02, best=(0.01, 0.03))
    assert told(Basis(), priced, instrument=an_option())[0] == -0.020000000000000018


def test_without_both_prices_there_is_no_basis() -> None:
    sound = ticker(0, index=100.0, mark=101.0)
    for worse in (
        ticker(1, mark=101.0),
        ticker(1, index=100.0),
        ticker(1, index=0.0, mark=101.0),
        ticker(1, index=float("nan"), mark=101.0),
        ticker(1, index=100.0, mark=float("inf")),
    ):
        assert told(Basis(), sound, worse)[0] is None, worse
