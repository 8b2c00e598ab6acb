"""Chains are read from every layout alike, and what is none is told in a line."""

import csv
import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmbot.errors import ConfigError
from mmbot.pricing.chain_quotes import ChainQuotes
from mmbot.research.chain_files import every_chain, moment_text, read
from mmbot.research.chain_rows import parsed
from tests.pricing.chains import AT_NS, DAY_NS, chain_of
from tests.research.chain_texts import SHARED, as_summary, by_expiry, names, summary
from tests.tape.record import GOLDEN

CHAIN = chain_of({4: 9, 11: 9})


def same(found: ChainQuotes, chain: ChainQuotes = CHAIN) -> None:
    assert found.at_ns == chain.at_ns
    assert found.underlying == chain.underlying
    assert found.inverse
    order, expected = (np.lexsort((one.strike, one.expiry_ns)) for one in (found, chain))
    for name in ("expiry_ns", "strike", "sign", "forward", "bid", "ask", "mark_vol"):
        got, wanted = getattr(found, name)[order], getattr(chain, name)[expected]
        assert got == pytest.approx(wanted, rel=1e-7, nan_ok=True), name
    assert found.synthetic[order].tolist() == chain.synthetic[expected].tolist()


def refusal(path: Path, underlying: str | None = None, at_ns: int | None = None) -> str:
    with pytest.raises(ConfigError) as refused:
        read(path, underlying, at_ns)
    said = str(refused.value)
    assert "\n" not in said
    return said


# --- names ------------------------------------------------------------------------------------


def test_names_are_read_by_hand() -> None:
    name = parsed("BTC-9JAN26-91500-P")
    assert name is not None
    assert (name.underlying, name.strike, name.sign, name.inverse) == ("BTC", 91500.0, -1.0, True)
    assert moment_text(name.expiry_ns) == "2026-01-09T08:00:00.000Z"
    linear = parsed("XRP_USDC-27FEB26-1d75-C")
    assert linear is not None
    assert (linear.underlying, linear.strike, linear.sign) == ("XRP_USDC", 1.75, 1.0)
    assert not linear.inverse
    derive = parsed("ETH-20260227-2800-C")
    assert derive is not None
    assert (derive.underlying, derive.inverse) == ("ETH_USDC", False)
    assert moment_text(derive.expiry_ns) == "2026-02-27T08:00:00.000Z"


@pytest.mark.parametrize(
    "name",
    ["BTC-PERPETUAL", "BTC-9JAN26", "BTC-99XYZ26-1-C", "BTC-9JAN26-0-C", "BTC-20261399-5-C", "",
     None, 7, "BTC-9JAN26-91500-X", "btc"],
)  # fmt: skip
def test_what_is_no_options_name_is_none(name: object) -> None:
    assert parsed(name) is None


# --- layouts ----------------------------------------------------------------------------------


def test_a_book_summary_as_the_venue_answers_it(tmp_path: Path) -> None:
    found = read(as_summary(CHAIN, tmp_path / "a"), None, None)
    same(found.chain)
    assert (found.underlyings, found.moments, found.unreadable) == (("BTC",), 1, 0)


def test_a_book_summary_without_its_envelope_and_compressed(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(json.dumps(summary(CHAIN)).encode()))
    same(read(path, "btc", None).chain)


def test_a_book_summary_as_a_table(tmp_path: Path) -> None:
    synthetic = replace(CHAIN, synthetic=CHAIN.expiry_ns == CHAIN.expiry_ns[0])
    path = tmp_path / "a.csv"
    rows = summary(synthetic)
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    same(read(path, None, None).chain, synthetic)


def test_a_chain_by_expiry(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(by_expiry(CHAIN)))
    same(read(path, None, None).chain)


def test_where_no_volatility_is_told_that_of_the_mark_stands_for_it(tmp_path: Path) -> None:
    from mmbot.pricing import black76

    mark = black76.price(CHAIN.forward, CHAIN.strike, (CHAIN.expiry_ns - AT_NS) / 365 / DAY_NS,
                         0.5, CHAIN.sign, inverse=True)  # fmt: skip
    rows = [
        row | {"mark_iv": None, "mark_price": price}
        for row, price in zip(summary(CHAIN), mark.tolist(), strict=True)
    ]
    path = tmp_path / "a"
    path.write_text(json.dumps(rows))
    assert read(path, None, None).chain.mark_vol == pytest.approx(0.5, rel=1e-6)


def test_trades_tell_volatilities_and_no_quotes(tmp_path: Path) -> None:
    path = tmp_path / "trades.csv"
    path.write_text(
        "instrument_name,t,iv,index_price,p\n"
        "BTC-9JAN26-90000-C,1767600000000,60,89000,0.02\n"
        "BTC-9JAN26-90000-C,1767600060000,62,89100,0.02\n"
        "BTC-16JAN26-80000-P,1767600030000,70,89050,0.01\n"
        "BTC-PERPETUAL,1767600090000,,89050,89050\n"
    )
    found = read(path, None, None)
    assert found.unreadable == 1
    assert found.chain.at_ns == 1767600060000 * 10**6
    assert found.chain.mark_vol == pytest.approx([0.62, 0.7])
    assert np.isnan(found.chain.bid).all()
    before = read(path, None, 1767600030000 * 10**6).chain
    assert before.mark_vol == pytest.approx([0.6, 0.7])


def scaled(chain: ChainQuotes) -> dict[str, list[Any]]:
    """Columns of scaled integers."""

    def whole(values: Any, scale: float) -> list[int | None]:
        return [None if value != value else round(value * scale) for value in values.tolist()]

    return {
        "snap_ts_ms": [chain.at_ns // 10**6] * len(chain),
        "instrument": names(chain),
        "bid_e8": whole(chain.bid, 1e8),
        "ask_e8": whole(chain.ask, 1e8),
        "mark_e8": whole(chain.bid, 1e8),
        "mark_iv_e4": whole(chain.mark_vol, 1e4),
        "underlying_e4": whole(chain.forward, 1e4),
        "underlying_name": ["SYN.X" if one else "X" for one in chain.synthetic.tolist()],
    }


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    """Two moments, and in the second one two underlyings."""
    pyarrow = pytest.importorskip("pyarrow")
    tables = pytest.importorskip("pyarrow.parquet")
    later = replace(CHAIN, at_ns=AT_NS + 3_600 * 10**9)
    parts = [scaled(one) for one in (CHAIN, later, replace(later, underlying="ETH"))]
    columns = {name: [value for part in parts for value in part[name]] for name in parts[0]}
    path = tmp_path / "chains.parquet"
    tables.write_table(pyarrow.table(columns), path)
    return path


def test_the_last_moment_of_parquet_or_the_last_one_before(parquet: Path) -> None:
    found = read(parquet, None, None)
    assert (found.underlyings, found.moments) == (("BTC", "ETH"), 2)
    assert found.chain.at_ns == AT_NS + 3_600 * 10**9
    assert read(parquet, "eth", None).chain.underlying == "ETH"
    for at_ns in (AT_NS, AT_NS + 3_599 * 10**9):
        chain = read(parquet, None, at_ns).chain
        assert chain.at_ns == AT_NS
        assert chain.bid == pytest.approx(CHAIN.bid, abs=1e-8)
        assert chain.mark_vol == pytest.approx(CHAIN.mark_vol, abs=1e-4)
    assert "the first moment" in refusal(parquet, None, AT_NS - 1)
    assert "BTC, ETH, and no SOL" in refusal(parquet, "SOL")


def test_every_chain_of_parquet(parquet: Path) -> None:
    found = [(one.at_ns - AT_NS, one.underlying) for one in every_chain(parquet)]
    assert found == [(0, "BTC"), (3_600 * 10**9, "BTC"), (3_600 * 10**9, "ETH")]
    assert [one.underlying for one in every_chain(parquet, nth=2)] == ["BTC"]


def test_a_tape_tells_what_its_engine_saw() -> None:
    heard: list[float] = []
    found = read(GOLDEN / "fills.tape.zst", None, None, heard.append)
    assert len(found.chain) > 0
    assert heard
    assert (found.chain.forward > 0).all()
    with pytest.raises(ConfigError, match="no turn up to that moment"):
        read(GOLDEN / "fills.tape.zst", None, 1)
    first = read(GOLDEN / "fills.tape.zst", None, found.chain.at_ns - 1)
    assert first.chain.at_ns < found.chain.at_ns


# --- what a person may get wrong --------------------------------------------------------------


def test_a_row_with_nonsense_in_it_is_a_row_without_quotes(tmp_path: Path) -> None:
    rows = summary(CHAIN)
    rows[0] |= {"bid_price": "n/a", "ask_price": [1], "mark_iv": True, "underlying_price": {}}
    rows += [{"instrument_name": "BTC-PERPETUAL"}, {"instrument_name": None}, {}]
    path = tmp_path / "a"
    path.write_text(json.dumps([*rows, 7, None]))
    found = read(path, None, None)
    assert found.unreadable == 5
    assert np.isnan([found.chain.bid[0], found.chain.ask[0], found.chain.forward[0]]).all()


def test_an_option_that_comes_twice_counts_once(tmp_path: Path) -> None:
    rows = summary(CHAIN)
    path = tmp_path / "a"
    path.write_text(json.dumps([*rows, rows[3] | {"bid_price": 0.5}]))
    chain = read(path, None, None).chain
    assert len(chain) == len(CHAIN)
    assert chain.bid[3] == 0.5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "it is empty"),
        (b" \n", "it is empty"),
        (b"{", "truncated or no JSON"),
        (b"{}", "no chain of options"),
        (b"[]", "no chain of options"),
        (b"[1, 2]", "no chain of options"),
        (b'{"result": 7}', "no chain of options"),
        (b'{"expiries": {}}', "captured_at_utc"),
        (b'{"captured_at_utc": "2026-01-05T08:00:00Z", "expiries": {}}', "no row of it names one"),
        (b'{"captured_at_utc": "2026-01-05T08:00:00Z", "expiries": {"A": 7}}', "no row of it"),
        (b'[{"instrument_name": "BTC-PERPETUAL", "creation_timestamp": 1}]', "no row of it names"),
        (b"price,size\n1,2\n", "its columns are price, size"),
        (b"instrument_name,t,iv,index_price\nX,1,2,3\n", "no trade of an option"),
        (b"\xff\xfe\x00", "neither a table"),
        (gzip.compress(b"{}", mtime=0)[:-6], "truncated or damaged"),
        (b"\x1f\x8bxxxxxxxxxxxxxxxx", "truncated or damaged"),
        (b"PAR1xxxx", "truncated or damaged"),
        (b"\x28\xb5\x2f\xfdxxxxxxxx", "not a tape"),
    ],
)
def test_what_is_no_chain_is_told_in_a_line(tmp_path: Path, text: bytes, said: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(text)
    assert said in refusal(path)


def test_no_file_and_a_folder_are_told_in_a_line(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "none")
    assert "directory" in refusal(tmp_path)


def test_parquet_of_something_else_and_parquet_cut_short(parquet: Path, tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    tables = pytest.importorskip("pyarrow.parquet")
    other, empty, cut = (tmp_path / name for name in ("other", "empty", "cut"))
    tables.write_table(pyarrow.table({"a": [1]}), other)
    assert "it has no column" in refusal(other)
    tables.write_table(tables.read_table(parquet).slice(0, 0), empty)
    assert "it is empty" in refusal(empty)
    cut.write_bytes(parquet.read_bytes()[:-100])
    assert "truncated or damaged" in refusal(cut)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the recordings are not on this machine")
@pytest.mark.parametrize(
    ("name", "rows", "underlyings"),
    [
        ("definer_eth_book_summary_20240108.csv.gz", 684, ("ETH",)),
        ("djienne_btc_chain_20260207.json.gz", 536, ("BTC",)),
        ("venteng_btc_option_trades_20220101.csv.gz", 171, ("BTC",)),
        ("znmahbub_chains_dev_20260105_20260215.parquet", 736, ("BTC", "ETH")),
    ],
)
def test_recordings_of_others_are_read(name: str, rows: int, underlyings: tuple[str, ...]) -> None:
    found = read(SHARED / name, None, None)
    assert (len(found.chain), found.underlyings, found.unreadable) == (rows, underlyings, 0)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the recordings are not on this machine")
@pytest.mark.parametrize("name", ["term_futures_marks", "perp_prices_at_snapshots"])
def test_recordings_of_others_that_are_no_chains_are_refused(name: str) -> None:
    assert "its columns are" in refusal(SHARED / f"znmahbub_{name}.csv.gz")
