"""What a desk looks at besides: which instruments a word or names mean, and what is refused."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mmbot.config import load_config
from mmbot.config.select import choose
from mmbot.config.watched import watched_by_all
from mmbot.core.types import InstrumentId, Kind
from mmbot.errors import ConfigError
from tests.builders import EXPIRY_NS
from tests.config.test_select import LISTED, OPTIONS, a_future

WEEKLY = replace(
    a_future(), id=InstrumentId("deribit:ETH-6JUN25"), name="ETH-6JUN25", expiry_ns=EXPIRY_NS
)
ALL = [*LISTED, WEEKLY]
OTHERS_OF_THE_EXPIRY = ["ETH-6JUN25-3000-C", "ETH-6JUN25-3000-P", "ETH-PERPETUAL", "ETH-6JUN25"]


def watched(
    flags: Mapping[str, str | bool], path: Path | None = None, now_ns: int = 0
) -> list[str]:
    config = load_config(flags, path)
    traded = choose(ALL, config.lone, config)
    found = watched_by_all({"desk": traded}, {"deribit": ALL}, config, now_ns)
    return [one.name for one in found["desk"]]


def refusal(flags: Mapping[str, str | bool], path: Path | None = None) -> str:
    with pytest.raises(ConfigError) as error:
        watched(flags, path)
    message = str(error.value)
    assert "\n" not in message
    return message.replace(f"{path}:", "desk.toml:") if path else message


def test_by_default_the_rest_of_the_expiry_its_future_and_the_perpetual() -> None:
    assert watched(OPTIONS) == OTHERS_OF_THE_EXPIRY
    assert watched({**OPTIONS, "--watch": "expiry"}) == OTHERS_OF_THE_EXPIRY


def test_a_perpetual_desk_watches_nothing_unless_it_says_so() -> None:
    assert watched({"--symbols": "ETH-PERPETUAL"}) == []
    names = watched({"--symbols": "ETH-PERPETUAL", "--watch": "chain"})
    assert {name.partition("-")[0] for name in names} == {"ETH"}
    assert len(names) == 12


def test_the_chain_is_everything_on_the_coin_that_settles_alike() -> None:
    names = watched({**OPTIONS, "--watch": "chain"})
    assert {*OTHERS_OF_THE_EXPIRY, "ETH-13JUN25-2800-C"} < {*names}
    assert "ETH-6JUN25-2800-C" not in names, "it is traded"
    assert not {n for n in names if n.startswith(("BTC", "ETH_USDC"))}


def test_desk_is_nothing_besides() -> None:
    assert watched({**OPTIONS, "--watch": "desk"}) == []


def test_names_are_the_venues_or_ccxts_and_what_is_traded_is_left_out(desk_file: Any) -> None:
    named = {**OPTIONS, "--watch": "btc-perpetual, ETH/USD:ETH,ETH-6JUN25-2800-C"}
    assert watched(named) == ["BTC-PERPETUAL", "ETH-PERPETUAL"]
    path = desk_file("[desk]\nsymbols = ['ETH-PERPETUAL']\nwatch = ['BTC-PERPETUAL']\n")
    assert watched({}, path) == ["BTC-PERPETUAL"]


def test_what_has_expired_is_not_watched() -> None:
    assert watched(OPTIONS, now_ns=EXPIRY_NS) == ["ETH-PERPETUAL"]


def test_of_two_desks_the_first_watches_what_both_would_and_neither_what_one_trades(
    desk_file: Any,
) -> None:
    path = desk_file(
        "[desks.calm]\nexpiry = 2025-06-06\nstrikes = [2800]\n"
        "[desks.wild]\nexpiry = 2025-06-06\nstrikes = [2900]\nwatch = 'chain'\n"
    )
    config = load_config({}, path)
    traded = {desk.name: choose(ALL, desk, config) for desk in config.desks}
    found = watched_by_all(traded, {"deribit": ALL}, config, 0)
    names = {desk: [one.name for one in here] for desk, here in found.items()}
    assert names["calm"] == OTHERS_OF_THE_EXPIRY
    assert "ETH-13JUN25-2800-C" in names["wild"]
    assert not {*names["calm"]} & {*names["wild"]}
    assert not {*names["calm"], *names["wild"]} & {i.name for one in traded.values() for i in one}


def test_of_kinds_without_a_volatility_only_perpetuals_and_futures_belong_to_a_chain() -> None:
    kinds = {one.kind for one in ALL if one.name in watched({**OPTIONS, "--watch": "chain"})}
    assert kinds == {Kind.OPTION, Kind.PERPETUAL, Kind.FUTURE}


EXPECTED = "expected one of desk, expiry, chain, or a list of instruments"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("'expirie'", f"'expirie': {EXPECTED}; did you mean expiry?"),
        ("'all'", f"'all': {EXPECTED}"),
        ("'BTC-PERPETUAL'", f"'BTC-PERPETUAL': {EXPECTED}"),
        ("3", f"'3': {EXPECTED}"),
        ("[7]", f"'7': {EXPECTED}"),
        ("[]", f"nothing named: {EXPECTED} (desk: nothing besides)"),
        ("['chain', 'BTC-PERPETUAL']", f"chain stands alone: {EXPECTED}"),
    ],
)
def test_a_bad_value_is_told_with_its_line(desk_file: Any, written: str, said: str) -> None:
    path = desk_file(f"[desk]\nsymbols = ['ETH-PERPETUAL']\nwatch = {written}\n")
    assert refusal({}, path) == f"desk.toml:3: [desk] watch: {said}"


def test_a_bad_word_behind_the_flag_is_told_with_the_nearest() -> None:
    said = refusal({**OPTIONS, "--watch": "chian"})
    assert said == f"--watch: 'chian': {EXPECTED}; did you mean chain?"


def test_what_is_not_listed_is_told_with_the_nearest_that_is(desk_file: Any) -> None:
    path = desk_file("[desk]\nsymbols = ['ETH-PERPETUAL']\nwatch = ['ETH-6JUN25-2850-C']\n")
    said = refusal({}, path)
    assert said.startswith("desk.toml:3: ETH-6JUN25-2850-C is not listed; did you mean ETH-6JUN25-")
    assert refusal({**OPTIONS, "--watch": "X-Y"}).startswith("--watch: X-Y is not listed; ")
