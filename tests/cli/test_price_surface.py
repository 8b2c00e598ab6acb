"""`mmbot price surface`: what it prints, and the one line for what it cannot read."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.cli.inprocess import Mmbot
from tests.pricing.chains import AT_NS, chain_of
from tests.research.chain_texts import SHARED, as_summary, summary
from tests.tape.record import GOLDEN

CHAIN = chain_of({4: 9, 11: 15, 40: 21})


@pytest.fixture
def mmbot(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Mmbot:
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path / "mpl"))
    return Mmbot(monkeypatch, capsys)


def test_a_chain_is_fitted_and_its_figures_are_numbers(mmbot: Mmbot, tmp_path: Path) -> None:
    found = mmbot.json("price", "surface", str(as_summary(CHAIN, tmp_path / "chain")))
    assert found["underlying"] == "BTC"
    assert found["arbitrage_free"] is True
    assert found["calendar_worst"] >= 0
    assert found["median_vol_points"] < 0.1
    assert found["inside_share"] == 1.0
    assert [one["n"] for one in found["expiries"]] == [9, 15, 21]
    assert all(one["g_min"] >= 0 for one in found["expiries"])
    assert all(one["ms_warm"] > 0 for one in found["expiries"])


def test_the_page_has_a_line_an_expiry_and_fits_the_screen(mmbot: Mmbot, tmp_path: Path) -> None:
    page = mmbot.page("price", "surface", str(as_summary(CHAIN, tmp_path / "chain")))
    assert "BTC 2026-01-05 08:00:00 UTC: no arbitrage" in page
    assert sum("svi" in line for line in page.splitlines()) == 3
    assert "90,000.00" in page


def test_what_does_not_count_is_counted_and_no_exception(mmbot: Mmbot, tmp_path: Path) -> None:
    bid, ask = CHAIN.bid.copy(), CHAIN.ask.copy()
    bid[0] = np.nan  # one-sided
    bid[1] = ask[1] = np.nan  # nulls
    bid[2], ask[2] = ask[2], bid[2]  # crossed
    synthetic = CHAIN.expiry_ns == CHAIN.expiry_ns[10]
    mixed = synthetic.copy()
    mixed[12] = False
    two = chain_of({20: 2})
    rows = summary(replace(CHAIN, bid=bid, ask=ask, synthetic=mixed)) + summary(two)
    path = tmp_path / "chain"
    path.write_text(json.dumps(rows))
    first, second, third, fourth = mmbot.json("price", "surface", str(path))["expiries"]
    assert first["skipped"] == {"no_quote": 1, "one_sided": 1, "crossed": 1}
    assert (first["model"], first["n"]) == ("svi", 6)
    # A listed future prices one of them, and so all the others would be at odds with it.
    assert second["skipped"] == {"synthetic_forward": 14, "few_quotes": 1}
    assert third["skipped"] == {"few_quotes": 2}
    assert (second["model"], third["model"], fourth["model"]) == ("mark", "mark", "svi")
    page = mmbot.page("price", "surface", str(path))
    assert "left out: no_quote 1, one_sided 1, crossed 1" in page


def test_rows_that_name_no_option_and_other_underlyings_are_told(
    mmbot: Mmbot, tmp_path: Path
) -> None:
    rows = summary(CHAIN) + summary(replace(CHAIN, underlying="ETH"))
    path = tmp_path / "chain"
    path.write_text(json.dumps([*rows, {"instrument_name": "BTC-PERPETUAL"}]))
    _, _, said = mmbot.run("price", "surface", str(path))
    assert said == ("mmbot: BTC; --underlying for ETH\nmmbot: 1 rows name no option, left out\n")
    assert mmbot.json("price", "surface", str(path), "--underlying", "eth")["underlying"] == "ETH"


def test_a_picture_is_drawn_beside_the_figures(mmbot: Mmbot, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "a.png"
    chain = str(as_summary(CHAIN, tmp_path / "chain"))
    found = mmbot.json("price", "surface", chain, "--plot", str(picture))
    assert found["arbitrage_free"] is True
    assert picture.stat().st_size > 20_000


def test_a_tape_of_a_desk_is_a_chain(mmbot: Mmbot) -> None:
    said = mmbot.refusal("price", "surface", str(GOLDEN / "fills.tape.zst"))
    assert "1 expiry of ETH at that moment: a surface needs 2" in said


# --- bad input --------------------------------------------------------------------------------


def test_one_expiry_is_no_surface(mmbot: Mmbot, tmp_path: Path) -> None:
    path = as_summary(chain_of({4: 9}), tmp_path / "chain")
    assert "a surface needs 2" in mmbot.refusal("price", "surface", str(path))
    over = as_summary(replace(CHAIN, at_ns=AT_NS + 300 * 86_400 * 10**9), tmp_path / "chain")
    assert "0 expiry of BTC" in mmbot.refusal("price", "surface", str(over))


@pytest.mark.parametrize("text", ["", "{", "a,b\n1,2\n", "[]"])
def test_what_is_no_chain_is_one_line(mmbot: Mmbot, tmp_path: Path, text: str) -> None:
    path = tmp_path / "chain"
    path.write_text(text)
    assert str(path) in mmbot.refusal("price", "surface", str(path))


def test_flags_that_cannot_be_are_one_line(
    mmbot: Mmbot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(as_summary(CHAIN, tmp_path / "chain"))
    command = ("price", "surface", path)
    assert "No such file" in mmbot.refusal("price", "surface", f"{path}x")
    assert "no SOL" in mmbot.refusal(*command, "--underlying", "SOL")
    assert "the first moment" in mmbot.refusal(*command, "--at", "2026-01-01")
    assert "neither a date nor a moment" in mmbot.refusal(*command, "--at", "yesterday")
    assert "ends in .png" in mmbot.refusal(*command, "--plot", "a.gif")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    said = mmbot.refusal(*command, "--plot", "a.png")
    assert said.endswith("run pip install 'mmbot[plots]'")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the recordings are not on this machine")
def test_recordings_of_others(mmbot: Mmbot) -> None:
    found = mmbot.json("price", "surface", str(SHARED / "definer_eth_book_summary_20240108.csv.gz"))
    assert found["arbitrage_free"] is True
    assert len(found["expiries"]) == 11
    marks = mmbot.json(
        "price", "surface", str(SHARED / "venteng_btc_option_trades_20220101.csv.gz")
    )
    assert {one["model"] for one in marks["expiries"]} == {"mark"}
