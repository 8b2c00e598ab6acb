"""`mmbot price`: numbers of the models from a shell, and one line for input that is none."""

import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.cli.inprocess import Mmbot

OPTION_KEYS = [
    "price",
    "intrinsic",
    "time_value",
    "delta_black",
    "delta_net_coin",
    "delta_usd",
    "gamma_per_usd",
    "gamma_coin_per_pct",
    "vega_usd_per_vol_point",
    "theta_usd_per_day",
    "vanna",
    "volga",
    "charm_per_day",
]
BINARY_KEYS = [
    "p_yes",
    "p_no",
    "delta_per_usd",
    "gamma_per_usd2",
    "vega_per_vol_point",
    "theta_per_second",
]
IN_THE_MONEY = ("--forward", "100", "--strike", "90", "--expiry-years", "0.25", "--right", "call")
OPTION = ("price", "option", *IN_THE_MONEY, "--vol", "0.6")
IV = ("price", "iv", *IN_THE_MONEY)
BINARY = ("price", "binary", "--spot", "100", "--strike", "100", "--seconds", "3600")


@pytest.fixture
def mmbot(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Mmbot:
    return Mmbot(monkeypatch, capsys)


def changed(words: Sequence[str], *more: str) -> list[str]:
    """The last one of a flag counts."""
    return [*words, *more]


# --- options ---


def test_an_option_by_hand(mmbot: Mmbot) -> None:
    # As in tests/pricing/test_black76: w 0.2, d1 0.5, F 3000.
    told = mmbot.json(
        "price", "option", "--forward", "3000", "--strike", "2769.3490391599077",
        "--expiry-years", "0.25", "--vol", "0.4", "--right", "CALL", "--inverse",
    )  # fmt: skip
    assert list(told) == OPTION_KEYS
    assert told["delta_black"] == pytest.approx(0.6914625, abs=1e-7)
    assert told["price"] == pytest.approx(0.6914625 - 0.9231163 * 0.6179114, abs=2e-7)
    assert told["intrinsic"] == pytest.approx(0.0768837, abs=1e-7)
    assert told["price"] == pytest.approx(told["intrinsic"] + told["time_value"], rel=1e-12)
    assert told["delta_net_coin"] == pytest.approx(told["delta_black"] - told["price"], rel=1e-12)
    assert told["delta_usd"] == pytest.approx(3000 * 0.6914625, abs=1e-3)
    assert told["vega_usd_per_vol_point"] == pytest.approx(5.2809795, abs=2e-6)


def test_an_option_for_people_has_units(mmbot: Mmbot) -> None:
    text = mmbot.page(*OPTION, "--inverse")
    for words in ("price", "coin", "USD", "per vol point", "per day", "less the premium"):
        assert words in text
    assert "less the premium" not in mmbot.page(*OPTION)


def test_at_expiry_greeks_are_zero_and_no_zero_has_a_sign(mmbot: Mmbot) -> None:
    told = mmbot.json(*changed(OPTION, "--expiry-years", "0", "--right", "put"))
    assert list(told.values()) == [0.0] * 13
    assert "-0" not in mmbot.page(*changed(OPTION, "--expiry-years", "0", "--right", "put"))


def test_inside_the_window_delta_is_by_its_share(mmbot: Mmbot) -> None:
    words = changed(OPTION, "--expiry-years", "0.00002", "--window-left", "0.35")
    told = mmbot.json(*words, "--average", "100")
    assert told["delta_black"] == pytest.approx(0.35)  # of 90, which is far in the money
    assert told["price"] == pytest.approx(10.0)


def test_a_window_that_is_all_ahead_takes_time_away(mmbot: Mmbot) -> None:
    plain = mmbot.json(*changed(OPTION, "--expiry-years", "0.0002"))
    ahead = mmbot.json(*changed(OPTION, "--expiry-years", "0.0002", "--window-left", "1"))
    at_once = mmbot.json(*changed(OPTION, "--expiry-years", str(0.0002 - 20 / 525_600)))
    assert ahead["time_value"] == pytest.approx(at_once["time_value"], rel=1e-6)
    assert ahead["time_value"] < plain["time_value"]


# --- implied volatility ---


def test_implied_volatility_undoes_a_price(mmbot: Mmbot) -> None:
    price = mmbot.json(*OPTION)["price"]
    told = mmbot.json(*IV, "--price", repr(price))
    assert list(told) == ["iv", "low", "high", "bound"]
    assert told["iv"] == told["low"] == told["high"] == pytest.approx(0.6, rel=1e-10)
    assert told["bound"] is None
    assert "60.0000" in mmbot.page(*IV, "--price", repr(price))


def test_a_time_value_below_a_tick_is_an_interval(mmbot: Mmbot) -> None:
    told = mmbot.json(*IV, "--price", "0.10002", "--inverse", "--tick", "0.0001")
    assert told["low"] == 0.0
    assert told["low"] < told["iv"] < told["high"]
    assert "below one tick" in mmbot.page(
        *IV, "--price", "0.10002", "--inverse", "--tick", "0.0001"
    )


@pytest.mark.parametrize(
    ("words", "bound"),
    [
        (("--price", "9.5"), "below_intrinsic"),
        (("--price", "-1"), "below_intrinsic"),
        (("--price", "100"), "above_upper"),
        (("--price", "1", "--inverse"), "above_upper"),
        (("--price", "12", "--expiry-years", "0"), "expired"),
        (("--price", "12", "--expiry-years", "-1"), "expired"),
    ],
)
def test_a_price_without_volatility_breaks_a_bound(
    mmbot: Mmbot, words: tuple[str, ...], bound: str
) -> None:
    told = mmbot.json(*IV, *words)
    assert told == {"iv": None, "low": None, "high": None, "bound": bound}
    assert "none" in mmbot.page(*IV, *words)


def test_intrinsic_value_has_the_volatility_zero(mmbot: Mmbot) -> None:
    for words in (("--price", "0.1", "--inverse"), ("--price", "10")):
        assert mmbot.json(*IV, *words) == {"iv": 0.0, "low": 0.0, "high": 0.0, "bound": None}


# --- binary markets ---


def test_a_binary_market_by_hand(mmbot: Mmbot) -> None:
    # As in tests/pricing/test_binary.
    told = mmbot.json(*BINARY, "--vol", "0.6")
    assert list(told) == BINARY_KEYS
    assert told["p_yes"] == pytest.approx(0.4987213, abs=1e-7)
    assert told["p_yes"] + told["p_no"] == pytest.approx(1.0)
    assert told["delta_per_usd"] == pytest.approx(0.622313, abs=1e-6)
    assert "per second" in mmbot.page(*BINARY, "--vol", "0.6")


def test_a_tie_pays_no(mmbot: Mmbot) -> None:
    for model in ("normal", "t5"):
        told = mmbot.json(*changed(BINARY, "--vol", "0.6", "--seconds", "0", "--model", model))
        assert told == {**dict.fromkeys(BINARY_KEYS, 0.0), "p_no": 1.0}


def test_a_smile_and_fat_tails_move_the_chance(mmbot: Mmbot) -> None:
    words = changed(BINARY, "--vol", "0.6", "--strike", "101")
    plain = mmbot.json(*words)["p_yes"]
    # d2 = -1.5553: N is 0.0599; t5 of d2 sqrt(5/3) = -2.008 is 0.0504.
    assert plain == pytest.approx(0.0599, abs=2e-4)
    assert mmbot.json(*words, "--model", "t5")["p_yes"] == pytest.approx(0.0504, abs=2e-4)
    # Less by phi(d2) sqrt(T) x 0.5 = 0.1190 x 0.010684 x 0.5.
    tilted = mmbot.json(*words, "--skew", "0.5")["p_yes"]
    assert plain - tilted == pytest.approx(0.000636, abs=3e-6)


def test_the_mean_of_a_window(mmbot: Mmbot) -> None:
    ahead = mmbot.json(*BINARY, "--vol", "0.6", "--window-seconds", "60")
    at_once = mmbot.json(*changed(BINARY, "--vol", "0.6", "--seconds", "3560"))
    assert ahead["p_yes"] == pytest.approx(at_once["p_yes"], rel=1e-9)
    inside = changed(BINARY, "--vol", "0.6", "--seconds", "15", "--window-seconds", "60")
    told = mmbot.json(*inside, "--average", "100.2")
    said = mmbot.json(*inside, "--average", "100.2", "--window-left", "0.25")
    assert told == said
    assert told["p_yes"] > 0.999
    assert mmbot.json(*inside, "--average", "99.8")["p_yes"] < 0.001


# --- bad input ---


@pytest.mark.parametrize("flag", ["--forward", "--strike", "--vol", "--expiry-years"])
@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "x", ""])
def test_an_option_needs_numbers(mmbot: Mmbot, flag: str, value: str) -> None:
    assert flag in mmbot.refusal(*changed(OPTION, flag, value))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--vol", "-1"), "--vol -1: an annual volatility (0.6 is 60 %)"),
        (("--vol", "60"), "--vol 60: an annual volatility (0.6 is 60 %)"),
        (("--right", "x"), "--right: unknown right 'x'"),
        (("--strike", "0"), "--strike 0: a price in USD"),
        (("--strike", "-5"), "--strike -5"),
        (("--forward", "0"), "--forward 0"),
        (("--window-left", "2"), "--window-left 2"),
        (("--window-left", "nan"), "--window-left nan"),
        (("--window-left", "0.5"), "--average is needed"),
        (("--average", "100"), "--average: none before the window"),
        (("--window-left", "0.5", "--average", "0"), "--average 0"),
    ],
)
def test_terms_no_option_can_have(mmbot: Mmbot, words: tuple[str, ...], said: str) -> None:
    assert mmbot.refusal(*changed(OPTION, *words)).startswith(said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--price", "nan"), "--price nan"),
        (("--price", "inf"), "--price inf"),
        (("--price", "1", "--tick", "0"), "--tick 0"),
        (("--price", "1", "--tick", "nan"), "--tick nan"),
        (("--price", "1", "--strike", "0"), "--strike 0"),
        (("--price", "1", "--right", "x"), "--right"),
    ],
)
def test_terms_no_price_can_have(mmbot: Mmbot, words: tuple[str, ...], said: str) -> None:
    assert mmbot.refusal(*changed(IV, *words)).startswith(said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--vol", "0"), "--vol 0: an annual volatility"),
        (("--vol", "-1"), "--vol -1"),
        (("--vol", "nan"), "--vol nan"),
        (("--vol", "1", "--seconds", "-1"), "--seconds -1"),
        (("--vol", "1", "--seconds", "inf"), "--seconds inf"),
        (("--vol", "1", "--strike", "0"), "--strike 0"),
        (("--vol", "1", "--spot", "-3"), "--spot -3"),
        (("--vol", "1", "--skew", "nan"), "--skew nan"),
        (("--vol", "1", "--model", "t6"), "--model: unknown model 't6'"),
        (("--vol", "1", "--window-seconds", "-1"), "--window-seconds -1"),
        (("--vol", "1", "--window-seconds", "7200"), "--average is needed"),
        (("--vol", "1", "--average", "100"), "--average: none before the window"),
    ],
)
def test_terms_no_binary_market_can_have(mmbot: Mmbot, words: tuple[str, ...], said: str) -> None:
    assert mmbot.refusal(*changed(BINARY, *words)).startswith(said)


def test_what_is_left_out_is_named(mmbot: Mmbot) -> None:
    assert "--forward" in mmbot.refusal("price", "option")


def test_a_binary_market_needs_no_arrays() -> None:
    program = (
        "import sys\nfrom mmbot.cli.app import run\n"
        f"sys.argv = {['mmbot', *BINARY, '--vol', '1']!r}\n"
        "try:\n    run()\nexcept SystemExit:\n    pass\n"
        "assert not {'numpy', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True)
