"""The live table: what a person sees, and that the bot never waits for it."""

import io
import json
import re
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from rich.console import Console

from mmbot.cli.feed import ScreenFeed
from mmbot.cli.frame import InstrumentRow, Pnl, StatusFrame
from mmbot.cli.screen import picture
from mmbot.core.why import Why
from tests.cli.terminal import Terminal


def a_row(instrument: str = "ETH-6JUN25-2800-C", why: Why = Why.IMPROVING) -> InstrumentRow:
    return InstrumentRow(
        instrument=instrument,
        market_bid=Decimal("0.0345"),
        market_ask=Decimal("0.036"),
        our_bid=Decimal("0.0350"),
        our_bid_size=Decimal("1"),
        our_ask=Decimal("0.0355"),
        our_ask_size=Decimal("2.0"),
        fair=0.03523,
        position=Decimal("-3.0"),
        delta_coin=-1.59,
        pnl_usd=-3.214,
        age_s=0.2,
        why=why,
    )


def a_frame(*rows: InstrumentRow, uptime_s: float = 61.0, fills: int = 12) -> StatusFrame:
    return StatusFrame(
        mode="sim",
        venue="deribit",
        run_id="k3f9x2",
        uptime_s=uptime_s,
        link="up",
        link_ok=True,
        budget=17.0,
        budget_full=20.0,
        fills=fills,
        pnl=Pnl(total_usd=1.23, spread_usd=2.0, inventory_usd=-0.5, fees_usd=0.27),
        rows=rows or (a_row(),),
    )


def recorder(path: Path) -> list[str]:
    """A stand-in for the screen: keeps the lines it is sent."""
    return [sys.executable, "-c", f"import sys; open({str(path)!r}, 'w').write(sys.stdin.read())"]


def drawn(path: Path) -> list[int]:
    """The fills of each frame that arrived: the tests number their frames with them."""
    return [json.loads(line)["fills"] for line in path.read_text().splitlines()]


DRIVER = """
import sys, time
from dataclasses import replace
from decimal import Decimal
from mmbot.cli.feed import ScreenFeed
from mmbot.core.why import Why
from tests.cli.test_screen import a_frame, a_row
feed = ScreenFeed()
feed.say("a warning from the log")
feed.show(a_frame(
    a_row(), a_row("ETH-6JUN25-2800-P", Why.MAX_POSITION), a_row("ETH-6JUN25-2900-C"),
    replace(a_row("ETH-6JUN25-2900-P", Why.NO_BOOK), market_bid=None, market_ask=None,
            our_bid=None, our_bid_size=None, fair=None, position=Decimal(0), age_s=None),
))
try:
    time.sleep(60)
except KeyboardInterrupt:
    feed.show(a_frame(fills=99, uptime_s=61.1))
    feed.close()
    print("the bot has ended")
"""


def driver() -> Terminal:
    return Terminal(sys.executable, "-c", DRIVER)


def test_a_person_sees_mode_market_quotes_and_reasons() -> None:
    with driver() as terminal:
        text = terminal.wait_for("2900-P")
    head, pnl, titles, call, put = text[text.index(" SIM ") :].splitlines()[:5]
    said = " ".join(head.split())
    assert said == "SIM deribit run k3f9x2 up 0:01:01 link up budget 17/20 fills 12"
    assert "+1.23" in pnl
    assert "fees -0.27" in pnl
    assert titles.split()[:6] == ["instrument", "bid", "ask", "our", "bid", "our"]
    for shown in ("0.0345", "0.0360", "0.0350", "0.0355", "1/2", "0.03523", "-3", "-1.59", "0.2s"):
        assert shown in call.split()
    assert "improving" in call
    assert "position limit" in put


def test_what_is_not_known_is_a_dash() -> None:
    with driver() as terminal:
        text = terminal.wait_for("2900-P")
    line = next(line for line in text.splitlines() if "2900-P" in line)
    assert line.split()[1:8] == ["-", "-", "-", "0.0355", "2", "-", "0"]


def test_log_lines_stand_above_the_table() -> None:
    with driver() as terminal:
        text = terminal.wait_for("2900-P")
    assert text.index("a warning from the log") < text.index(" SIM ")


def test_ctrl_c_reaches_the_bot_alone_and_the_last_table_stays() -> None:
    with driver() as terminal:
        terminal.wait_for("2900-P")
        terminal.interrupt()
        assert terminal.exit_code() == 0
        text = terminal.text()
    assert text.index("fills 99") < text.index("the bot has ended")
    assert text.count(" SIM ") == 1


def test_at_most_two_frames_a_second_are_drawn_and_the_last_one_always(tmp_path: Path) -> None:
    feed = ScreenFeed(recorder(tmp_path / "lines"))
    for number in range(100):
        feed.show(a_frame(uptime_s=number / 100, fills=number))
    feed.close()
    assert drawn(tmp_path / "lines") == [0, 50, 99]


def test_a_screen_that_hangs_holds_nothing_up() -> None:
    # The pipe holds 64 KiB; these frames would fill it many times over.
    feed = ScreenFeed([sys.executable, "-c", "import time; time.sleep(600)"])
    for number in range(500):
        feed.show(a_frame(*[a_row()] * 10, uptime_s=float(number)))
        feed.say("warning " * 100)
    feed.close(deadline_s=0.1)


def test_a_busy_screen_gets_whole_lines_and_the_newest_frame(tmp_path: Path) -> None:
    slow = f"""
import sys, time
lines = []
while line := sys.stdin.readline():
    lines.append(line)
    time.sleep(0.01)
open({str(tmp_path / "lines")!r}, "w").writelines(lines)
"""
    feed = ScreenFeed([sys.executable, "-c", slow])
    for number in range(300):
        feed.show(a_frame(*[a_row()] * 10, uptime_s=float(number), fills=number))
    feed.close(deadline_s=30.0)
    arrived = drawn(tmp_path / "lines")
    assert len(arrived) < 300
    assert arrived == sorted(arrived)
    assert arrived[-1] == 299


def test_a_screen_that_dies_stops_nothing() -> None:
    feed = ScreenFeed([sys.executable, "-c", ""])
    for number in range(300):
        feed.show(a_frame(*[a_row()] * 10, uptime_s=float(number)))
    feed.close()


def drawn_at(width: int, *rows: InstrumentRow, mode: str = "sim") -> list[str]:
    """The lines of one frame on a terminal of that width."""
    console = Console(width=width, file=io.StringIO(), force_terminal=True)
    with console.capture() as captured:
        console.print(picture(replace(a_frame(*rows), mode=mode), width))
    return [re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip() for line in captured.get().splitlines()]


def a_perpetual_row(name: str, price: str, tick: str) -> InstrumentRow:
    best, step = Decimal(price), Decimal(tick)
    return replace(
        a_row(name, Why.MIN_SPREAD_CLAMP),
        market_bid=best,
        market_ask=best + step,
        our_bid=best - step,
        our_ask=best + 2 * step,
        our_bid_size=Decimal(1000),
        our_ask_size=Decimal(1000),
        fair=float(best),
        position=Decimal(-1234),
    )


def test_long_prices_leave_the_reason_whole() -> None:
    line = drawn_at(
        100,
        a_perpetual_row("BTC-PERPETUAL", "104523.5", "0.5"),
        a_perpetual_row("ETH-PERPETUAL", "2850.05", "0.05"),
    )[3]
    assert line.split()[0] == "BTC-PERP"
    assert line.endswith("at minimum spread")


def test_names_are_whole_where_there_is_room() -> None:
    rows = (a_perpetual_row("BTC-PERPETUAL", "104523.5", "0.5"),)
    assert drawn_at(140, *rows)[3].startswith("BTC-PERPETUAL ")
    assert drawn_at(100, a_row())[3].startswith("ETH-6JUN25-2800-C ")


def test_what_a_chain_of_long_names_shares_is_its_title() -> None:
    _, _, titles, call, put = drawn_at(
        100,
        a_perpetual_row("BTC_USDC-6JUN25-105000-C", "1520", "5"),
        a_perpetual_row("BTC_USDC-6JUN25-105000-P", "1310", "5"),
    )
    assert titles.startswith("BTC_USDC-6JUN25 ")
    assert (call.split()[0], put.split()[0]) == ("105000-C", "105000-P")


def test_no_line_is_wider_than_the_terminal() -> None:
    long = [
        a_perpetual_row("BTC-PERPETUAL", "104523.5", "0.5"),
        a_perpetual_row("BTC_USDC-6JUN25-105000-C", "1520", "5"),
    ]
    assert "at minimum" in drawn_at(100, *long)[3]
    for width in (100, 80, 60):
        assert max(map(len, drawn_at(width, *long)[2:])) <= width


def test_live_says_what_it_is() -> None:
    assert drawn_at(100, mode="live")[0].startswith(" LIVE: REAL MONEY  deribit ")
