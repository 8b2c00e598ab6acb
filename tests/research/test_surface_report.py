"""What is told of a surface: errors against quotes, times, and pictures."""

import json
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from mmbot.errors import ConfigError
from mmbot.pricing import black76
from mmbot.research import surface_plot
from mmbot.research.surface_report import Report, as_object, report
from tests.pricing.chains import AT_NS, DAY_NS, chain_of

STRIKES = {0.5: 9, 4.0: 9, 11.0: 15, 40.0: 21}


def told(strikes: dict[float, int] = STRIKES) -> Report:
    ticking = count()
    return report(chain_of(strikes), lambda: next(ticking) / 1000)


def test_the_keys_are_those_that_are_promised() -> None:
    found = as_object(told())
    assert list(found) == [
        "at", "underlying", "median_vol_points", "p95_vol_points", "inside_share",
        "arbitrage_free", "calendar_worst", "refit_ms_cold", "refit_ms_warm", "expiries",
    ]  # fmt: skip
    for one in found["expiries"]:
        assert list(one) == [
            "expiry", "years", "forward", "n", "model", "params", "rmse_vol_points",
            "median_vol_points", "p95_vol_points", "inside_share", "g_min", "ms_cold", "ms_warm",
            "skipped",
        ]  # fmt: skip
    assert found["at"] == "2026-01-05T08:00:00.000Z"
    assert found["expiries"][2]["expiry"] == "2026-01-16T08:00:00.000Z"
    assert list(found["expiries"][2]["params"]) == ["a", "b", "rho", "m", "s"]
    assert json.loads(json.dumps(found)) == found


def test_times_are_those_of_the_clock_that_is_given() -> None:
    found = as_object(told())
    assert found["refit_ms_cold"] == pytest.approx(1.0)
    assert found["refit_ms_warm"] == pytest.approx(1.0)


def test_errors_are_against_the_middle_of_bid_and_ask() -> None:
    # One quote of 21 is off by 2 points and wide, so that the smile does not follow it.
    chain = chain_of({4.0: 9, 40.0: 21})
    row = 9 + 10
    bid, ask = chain.bid.copy(), chain.ask.copy()
    for column, off in ((bid, -0.03), (ask, 0.07)):
        column[row] = black76.price(
            chain.forward[row], chain.strike[row], 40 / 365, chain.mark_vol[row] + off,
            chain.sign[row], inverse=True,
        )  # fmt: skip
    last = report(replace(chain, bid=bid, ask=ask), lambda: 0.0).lines[-1].errors
    assert last.median is not None
    assert last.rmse is not None
    assert last.median < 0.1
    assert last.rmse == pytest.approx(2.0 / 21**0.5, rel=0.1)
    assert last.inside == 1.0


def test_what_is_within_a_day_or_has_few_quotes_counts_in_no_sum() -> None:
    found = told({0.5: 15, 4.0: 5, 11.0: 15})
    assert [line.expiry.model.value for line in found.lines] == ["svi", "essvi", "svi"]
    assert found.errors == found.lines[2].errors


def test_an_expiry_that_is_over_is_told_with_its_rows() -> None:
    chain = replace(chain_of(STRIKES), at_ns=AT_NS + DAY_NS)
    first, second, *_ = as_object(report(chain, lambda: 0.0))["expiries"]
    assert (first["n"], first["params"], first["skipped"]) == (0, None, {"expired": 9})
    assert first["expiry"] == "2026-01-05T20:00:00.000Z"
    assert second["n"] == 9


def test_marks_have_neither_parameters_nor_errors() -> None:
    chain = chain_of(STRIKES)
    nothing = np.full(len(chain), np.nan)
    found = as_object(report(replace(chain, bid=nothing, ask=nothing), lambda: 0.0))
    assert found["arbitrage_free"] is None
    assert found["calendar_worst"] is None
    assert found["median_vol_points"] is None
    for one in found["expiries"]:
        assert (one["model"], one["params"], one["g_min"]) == ("mark", None, None)
        assert one["skipped"].keys() == {"no_quote"}


# --- pictures ---------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def own_font_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLCONFIGDIR", str(tmp_path))


@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf"])
def test_a_picture_is_drawn(ending: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / f"surface{ending}"
    surface_plot.require(path)
    surface_plot.draw(told({4.0: 9, 11.0: 4, 20.0: 2, 40.0: 21}), path)
    assert path.stat().st_size > 5_000
    begins = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}
    assert path.read_bytes().startswith(begins[ending])


def test_a_picture_without_matplotlib_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ConfigError, match=r"run pip install 'mmbot\[plots\]'"):
        surface_plot.require(tmp_path / "a.png")


def test_a_picture_that_has_no_place_is_refused_at_once(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    with pytest.raises(ConfigError, match=r"ends in \.png, \.svg, \.pdf"):
        surface_plot.require(tmp_path / "a.txt")
    with pytest.raises(ConfigError, match="there is no folder"):
        surface_plot.require(tmp_path / "none" / "a.png")
    (tmp_path / "a.png").mkdir()
    with pytest.raises(ConfigError, match="cannot be written"):
        surface_plot.draw(told({4.0: 9, 11.0: 9}), tmp_path / "a.png")
