"""Black76 against a venue's own marks and greeks, recorded."""

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib import import_module
from typing import Any

import numpy as np

from mmbot.pricing.black76 import implied_vol, value
from tests.pricing.recorded import recorded

YEAR_S = 365 * 86_400


def terms(name: str) -> tuple[float, float, float]:
    """Expiry in seconds, strike, sign: BTC-24SEP21-34000-P."""
    _, day, strike, right = name.split("-")
    expiry = datetime.strptime(day, "%d%b%y").replace(hour=8, tzinfo=UTC)
    return expiry.timestamp(), float(strike), 1.0 if right == "C" else -1.0


def tickers() -> Iterator[Any]:
    path = recorded("deribit_messages/cryptofeed_deribit_options_ws_20210722.txt.gz")
    for line in gzip.decompress(path.read_bytes()).decode().splitlines():
        frame = line.partition(": ")[2]
        said = json.loads(frame) if frame.startswith("{") else {}
        if "data" in said.get("params", {}) and said["params"]["channel"].startswith("ticker."):
            yield said["params"]["data"]


def test_prices_and_greeks_of_recorded_tickers() -> None:
    """Mark, its volatility, the forward and the greeks are of one moment here."""
    count = 0
    for said in tickers():
        expiry_s, strike, sign = terms(said["instrument_name"])
        years = (expiry_s - said["timestamp"] / 1000) / YEAR_S
        forward, greeks = said["underlying_price"], said["greeks"]
        found = value(forward, strike, years, said["mark_iv"] / 100, sign, inverse=True)
        count += 1
        mark = said["mark_price"]
        assert abs(found.price - mark) <= (0.0001 if mark < 0.005 else 0.0005)
        assert abs(found.delta - greeks["delta"]) <= 1e-5
        # To the last digit that the venue says, or what the last one of mark_iv comes to.
        assert abs(found.gamma_coin_per_pct * 100 / forward - greeks["gamma"]) <= 6e-6
        assert abs(found.vega_usd_per_vol_point - greeks["vega"]) <= 6e-6 + 0.01 * greeks["vega"]
        assert abs(found.theta_usd_per_day - greeks["theta"]) <= 6e-6 - 0.01 * greeks["theta"]
    assert count > 80


def test_marks_of_recorded_chains() -> None:
    """240,000 marks. A row's forward is up to seconds older or younger than its mark, by 10 bp in
    some snapshots: in the money that moves the price by more than a tick."""
    parquet = import_module("pyarrow.parquet")
    path = recorded("deribit_chains/znmahbub_chains_dev_20260105_20260215.parquet")
    table = parquet.read_table(path).to_pydict()
    known = {name: terms(name) for name in set(table["instrument"])}
    expiry_s, strike, sign = np.array([known[name] for name in table["instrument"]]).T
    years = (expiry_s - np.array(table["snap_ts_ms"]) / 1000) / YEAR_S
    forward = np.array(table["underlying_e4"]) / 1e4
    vol = np.array(table["mark_iv_e4"]) / 1e4
    mark = np.array(table["mark_e8"]) / 1e8
    tick = np.where(mark < 0.005, 0.0001, 0.0005)
    assert len(mark) > 200_000

    found = value(forward, strike, years, vol, sign, inverse=True)
    near = np.abs(found.price - mark) <= tick
    assert np.mean(near) >= 0.985
    out_of_the_money = sign * (forward - strike) <= 0
    assert np.mean(near[out_of_the_money]) >= 0.99
    delta = np.array(table["delta_e5"]) / 1e5
    assert np.median(np.abs(found.delta - delta)) <= 2e-4

    # And back: where a point of volatility is worth two ticks, within a tenth of a point.
    says = out_of_the_money & (found.vega_usd_per_vol_point / forward > 2e-4)
    back = implied_vol(mark, forward, strike, years, sign, inverse=True)
    assert np.mean(np.abs(back - vol)[says] <= 0.001) >= 0.95
