"""Which instruments a configuration names, and that its numbers mean something on them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mmbot.config import Config, load_config
from mmbot.config.select import choose
from mmbot.core.contracts import Instrument
from mmbot.core.types import InstrumentId, Kind, Nanos, Right
from mmbot.errors import ConfigError
from mmbot.plugins.registry import Family, register
from tests.builders import EXPIRY_NS, a_linear_perpetual, a_perpetual, an_option, changed

WEEK_NS = 7 * 24 * 3600 * 10**9


def options(
    *strikes: int, prefix: str = "ETH", day: str = "6JUN25", expiry_ns: int = EXPIRY_NS
) -> list[Instrument]:
    """The call and the put of each strike; a prefix with _USDC is a linear chain."""
    coin, _, quote = prefix.partition("_")
    return [
        an_option(
            id=InstrumentId(f"deribit:{prefix}-{day}-{strike}-{right.name[0]}"),
            name=f"{prefix}-{day}-{strike}-{right.name[0]}",
            symbol=f"{coin}/{quote or 'USD'}:{quote or coin}-{day}-{strike}-{right.name[0]}",
            underlying=coin,
            settlement=quote or coin,
            inverse=not quote,
            min_amount=Decimal("0.1") if quote else Decimal(1),
            strike=Decimal(strike),
            right=right,
            expiry_ns=expiry_ns,
        )
        for strike in strikes
        for right in Right
    ]


def a_future() -> Instrument:
    return a_perpetual(
        id=InstrumentId("deribit:ETH-27JUN25"),
        name="ETH-27JUN25",
        symbol="ETH/USD:ETH-250627",
        kind=Kind.FUTURE,
        expiry_ns=EXPIRY_NS + 3 * WEEK_NS,
    )


BTC_PERPETUAL = a_perpetual(
    id=InstrumentId("deribit:BTC-PERPETUAL"),
    name="BTC-PERPETUAL",
    symbol="BTC/USD:BTC",
    underlying="BTC",
    settlement="BTC",
    min_amount=Decimal(10),
    amount_step=Decimal(10),
)

LISTED = [
    *options(2800, 2900, 3000),
    *options(2800, 2900, day="13JUN25", expiry_ns=EXPIRY_NS + WEEK_NS),
    *options(105000, prefix="BTC"),
    *options(2800, 2900, prefix="ETH_USDC"),
    a_perpetual(),
    a_linear_perpetual(),
    BTC_PERPETUAL,
    a_future(),
]

OPTIONS = {"--expiry": "20250606", "--strikes": "2800,2900"}


def pick(
    listed: Iterable[Instrument], config: Config, *known: Any, **more: Any
) -> list[Instrument]:
    return choose(listed, config.lone, config, *known, **more)


def chosen(flags: Mapping[str, str | bool], path: Path | None = None) -> list[str]:
    return [i.name for i in pick(LISTED, load_config(flags, path))]


def refusal(flags: Mapping[str, str | bool], path: Path | None = None) -> str:
    with pytest.raises(ConfigError) as error:
        chosen(flags, path)
    message = str(error.value)
    assert "\n" not in message
    return message.replace(f"{path}:", "desk.toml:") if path else message


def test_strikes_mean_the_call_and_the_put_of_each_in_the_order_given() -> None:
    assert chosen({"--expiry": "20250606", "--strikes": "2900,2800"}) == [
        "ETH-6JUN25-2900-C",
        "ETH-6JUN25-2900-P",
        "ETH-6JUN25-2800-C",
        "ETH-6JUN25-2800-P",
    ]


def test_all_strikes_are_those_of_that_expiry_alone() -> None:
    names = chosen({"--expiry": "20250606", "--all-strikes": True})
    assert names == [i.name for i in options(2800, 2900, 3000)]


def test_the_underlying_is_the_beginning_of_the_name_so_it_tells_the_settlement() -> None:
    names = chosen({**OPTIONS, "--strikes": "2800", "--underlying": "eth_usdc"})
    assert names == ["ETH_USDC-6JUN25-2800-C", "ETH_USDC-6JUN25-2800-P"]


def test_symbols_are_the_venues_names_or_those_of_ccxt() -> None:
    given = "ETH-PERPETUAL,ETH/USDC:USDC,BTC/USD:BTC,ETH-27JUN25"
    assert chosen({"--symbols": given}) == [
        "ETH-PERPETUAL",
        "ETH_USDC-PERPETUAL",
        "BTC-PERPETUAL",
        "ETH-27JUN25",
    ]


def test_symbols_are_written_in_capitals_or_not() -> None:
    given = "eth-perpetual,eth/usdc:usdc,Btc-6jun25-105000-c"
    assert chosen({"--symbols": given}) == [
        "ETH-PERPETUAL",
        "ETH_USDC-PERPETUAL",
        "BTC-6JUN25-105000-C",
    ]


@pytest.mark.parametrize(
    ("price", "order"),
    [
        (2790.0, [2800, 2900, 3000]),
        (2960.0, [3000, 2900, 2800]),
        (2910.0, [2900, 3000, 2800]),
        (2850.0, [2800, 2900, 3000]),  # as near as each other: the lower first
    ],
)
def test_all_strikes_begin_at_the_money(price: float, order: list[int]) -> None:
    config = load_config({"--expiry": "20250606", "--all-strikes": True})
    names = [i.name for i in pick(LISTED, config, prices={"ETH": price})]
    assert names == [i.name for i in options(*order)]
    given = load_config({"--expiry": "20250606", "--strikes": "2800,3000"})
    assert [i.name for i in pick(LISTED, given, prices={"ETH": price})] == [
        i.name for i in options(2800, 3000)
    ]


def test_what_is_named_twice_is_chosen_once() -> None:
    both = {**OPTIONS, "--symbols": "ETH-PERPETUAL,ETH-6JUN25-2800-C,ETH-PERPETUAL"}
    assert len(chosen(both)) == 5


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"--expiry": "20250607"}, "--expiry: no ETH options expire on 20250607; live expiries"),
        ({"--expiry": "20250607"}, "live expiries are 20250606, 20250613"),
        ({"--strikes": "2810"}, "--strikes: 2810 is not listed for 20250606; the nearest are 2800"),
        ({"--underlying": "DOGE"}, "--underlying: no options on DOGE; there are options on BTC, E"),
        ({"--symbols": "ETH-PERP"}, "--symbols: ETH-PERP is not listed; did you mean ETH-PERPETUA"),
        ({"--symbols": "zzz"}, "--symbols: zzz is not listed; perpetuals are ETH-PERPETUAL, ETH_U"),
    ],
)
def test_what_is_not_listed_is_answered_with_what_is(flags: dict[str, str], said: str) -> None:
    assert said in refusal({**OPTIONS, **flags})


def test_a_file_is_told_its_own_line(tmp_path: Path) -> None:
    path = tmp_path / "desk.toml"
    path.write_text("[desk]\nexpiry = 2025-06-07\nstrikes = [2800]\n")
    assert refusal({}, path).startswith("desk.toml:2: no ETH options expire on 20250607")


# --- numbers that fit -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"--size": "0.5"}, "--size: strategy.improve_top.size = 0.5 is below the smallest order"),
        ({"--size": "0.5"}, "1 ETH on ETH-6JUN25-2800-C: give at least that"),
        ({"--max-position": "0.5"}, "--max-position: risk.max_position.limit = 0.5 is below"),
        ({"--max-exposure": "0.5"}, "--max-exposure: risk.max_exposure.limit = 0.5 is below"),
        ({"--min-spread": "5"}, "--min-spread: risk.min_spread.bps applies to perpetuals and fu"),
        ({"--spread": "10"}, "--spread: strategy.improve_top.spread_bps applies to perpetuals"),
    ],
)
def test_a_value_that_no_chosen_instrument_can_meet_is_refused(
    flags: dict[str, str], said: str
) -> None:
    assert said in refusal({**OPTIONS, **flags})


def test_the_same_values_in_a_file_are_refused_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "desk.toml"
    path.write_text("[desk]\nexpiry = 2025-06-06\nstrikes = [2800]\n[risk.min_spread]\nbps = 5\n")
    assert refusal({}, path).startswith("desk.toml:5: risk.min_spread.bps applies to perpetuals")
    path.write_text("[desk]\nsymbols = ['BTC-PERPETUAL']\n[risk.max_order]\nlimit = 5\n")
    assert refusal({}, path).startswith("desk.toml:4: risk.max_order.limit = 5 is below")


def test_a_value_that_one_of_them_can_meet_stands() -> None:
    both = {**OPTIONS, "--symbols": "ETH-PERPETUAL"}
    assert len(chosen({**both, "--spread": "10", "--min-spread": "5"})) == 5
    mixed = {"--symbols": "BTC-PERPETUAL,ETH-PERPETUAL", "--size": "5", "--max-exposure": "0.1"}
    assert len(chosen(mixed)) == 2


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"--size": "1 BTC"}, "--size: strategy.improve_top.size = 1 BTC is no amount of ETH-6JUN"),
        ({"--size": "1 BTC"}, "write it in ETH, USD or lots"),
        ({"--max-position": "9 BTC"}, "risk.max_position.limit = 9 BTC is no amount of ETH-6JUN25"),
        ({"--size": "500 USD"}, "size = 500 USD is below the smallest order the venue takes"),
        ({"--size": "500 USD"}, "1 ETH (2,850 USD) on ETH-6JUN25-2800-C: give at least that"),
        ({"--size": "0.5 ETH"}, "size = 0.5 ETH is below the smallest order the venue takes"),
    ],
)
def test_a_size_in_a_unit_that_does_not_fit_is_refused(flags: dict[str, str], said: str) -> None:
    config = load_config({**OPTIONS, **flags})
    with pytest.raises(ConfigError) as error:
        pick(LISTED, config, prices={"ETH": 2850.0})
    assert said in str(error.value)


@pytest.mark.parametrize("size", ["1 ETH", "1eth", "3000 USD", "2 lots", "smallest"])
def test_a_size_in_a_unit_that_fits_is_taken(size: str) -> None:
    config = load_config({**OPTIONS, "--size": size})
    assert len(pick(LISTED, config, prices={"ETH": 2850.0})) == 4


def test_a_default_size_below_the_minimum_is_no_reason_to_refuse() -> None:
    assert chosen({"--symbols": "BTC-PERPETUAL"}) == ["BTC-PERPETUAL"]


def test_a_default_limit_that_leaves_no_room_is_refused_not_idled_on() -> None:
    coarse = [changed(i, min_amount=Decimal(1000)) for i in options(2800)]
    flags = {"--expiry": "20250606", "--strikes": "2800"}
    with pytest.raises(
        ConfigError, match=r"default: risk\.max_exposure\.limit = 100 .*--max-exposure"
    ):
        pick(coarse, load_config(flags))
    wide = {**flags, "--max-position": "5000", "--max-exposure": "20000"}
    assert len(pick(coarse, load_config(wide))) == 2


def test_bps_mean_something_to_a_strategy_that_uses_them_on_options() -> None:
    assert chosen({**OPTIONS, "--strategy": "simple_spread", "--spread": "300"})


def test_an_instrument_on_terms_nobody_can_read_is_said_to_be_listed() -> None:
    config = load_config({"--symbols": "ETH-PERPETUAL"})
    with pytest.raises(ConfigError, match=r"lists ETH-PERPETUAL on terms .*tick_size is 'x'"):
        pick([BTC_PERPETUAL], config, {"ETH-PERPETUAL": "listing: tick_size is 'x'"})


# --- a selector of one's own ------------------------------------------------------------------


@register(Family.SELECTOR, "soonest")
@dataclass(frozen=True, slots=True)
class Soonest:
    """The options that expire next, nearest to the money first."""

    most: int = 2
    underlying: str = "ETH"

    def select(
        self, listed: Sequence[Instrument], prices: Mapping[str, float], now_ns: Nanos
    ) -> list[InstrumentId]:
        if self.underlying == "WRONG":
            return [InstrumentId("deribit:NOTHING")]
        price = Decimal(prices.get(self.underlying, 0))
        found = [
            ((i.expiry_ns, abs(i.strike - price)), i.id)
            for i in listed
            if i.strike and i.expiry_ns and i.expiry_ns > now_ns and i.underlying == self.underlying
        ]
        return [name for _, name in sorted(found)[: self.most]]


def by_selector(path: Path, text: str, now_ns: Nanos = 0) -> list[str]:
    path.write_text(text)
    config = load_config({}, path)
    return [
        i.name for i in choose(LISTED, config.lone, config, prices={"ETH": 2890.0}, now_ns=now_ns)
    ]


def test_a_selector_is_told_the_prices_and_the_time(tmp_path: Path) -> None:
    path = tmp_path / "desk.toml"
    names = by_selector(path, "[selector.soonest]\nmost = 4\n")
    assert set(names[:2]) <= {
        "ETH-6JUN25-2900-C",
        "ETH-6JUN25-2900-P",
        "ETH_USDC-6JUN25-2900-C",
        "ETH_USDC-6JUN25-2900-P",
    }
    later = by_selector(path, "[selector.soonest]\n", now_ns=EXPIRY_NS)
    assert set(later) == {"ETH-13JUN25-2900-C", "ETH-13JUN25-2900-P"}


def test_the_built_in_selector_may_be_written_out(tmp_path: Path) -> None:
    text = "[selector.named]\nexpiry = 2025-06-06\nstrikes = [2900]\n"
    assert by_selector(tmp_path / "desk.toml", text) == ["ETH-6JUN25-2900-C", "ETH-6JUN25-2900-P"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "[selector.named]\nexpiry = 2025-06-06\nstrikes = [7]",
            "desk.toml:3: 7 is not listed for 20250606; the nearest are 2800, 2900, 3000",
        ),
        (
            "[selector.soonest]\nunderlying = 'SOL'",
            "desk.toml:1: the selector chooses none of the 20 instruments listed",
        ),
        (
            "[selector.soonest]\nunderlying = 'WRONG'",
            "desk.toml:1: the selector chooses deribit:NOTHING, which is not listed",
        ),
        (
            "[desk]\nsymbols = ['ETH-PERPETUAL']\n[selector.soonest]",
            "desk.toml:2 and desk.toml:3 contradict each other: a selector says what is traded",
        ),
        ("[selector.soonest]\n[selector.named]", "desk.toml:2: a desk has one selector, here are"),
        ("[selector.sonest]", "desk.toml:1: unknown selector 'sonest'; did you mean 'soonest'?"),
    ],
)
def test_a_selector_that_cannot_be_followed_is_one_line(
    text: str, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "desk.toml"
    with pytest.raises(ConfigError) as error:
        by_selector(path, text)
    assert str(error.value).replace(str(path), "desk.toml").startswith(said)
