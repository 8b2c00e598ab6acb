"""The live table: what a person sees, and that the bot never waits for it."""

import io
import json
import re
import sys
from dataclasses import replace
from decimal import Decimal
from functools import partial
from pathlib import Path

from rich.console import Console

from mmbot.cli.feed import ScreenFeed
from mmbot.cli.paging import Key
from mmbot.cli.screen import Screen
from mmbot.core.why import Why
from mmbot.engine.status import (
    DeskFrame,
    Exposure,
    InstrumentRow,
    Limit,
    LinkFrame,
    Pnl,
    StatusFrame,
    VenueFrame,
)
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
        open_orders=2,
        unit="ETH",
        unit_usd=2850.0,
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
        equity={"ETH": Decimal("100.5")},
        delta={"ETH": Exposure(net=-1.59, gross=6.36)},
        margin_use={"ETH": 0.1234},
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
    head, pnl, *account = text[text.index(" SIM ") :].splitlines()
    titles, call, put = account[account.index(next(t for t in account if "our bid" in t)) :][:3]
    assert " ".join(head.split()) == (
        "SIM deribit run k3f9x2 up 0:01:01 link up budget 17/20 fills 12 8 open orders"
    )
    assert "PnL +1.23 USD  = spread +2.00  inventory -0.50  fees -0.27" in pnl
    assert (
        "equity 100.5 ETH delta -1.59 ETH net, 6.36 gross margin 12.3 % of ETH "
        "sizes in ETH (1 = 2,850 USD)"
    ) in " ".join(" ".join(account).split())
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


def drawn_at(width: int, *rows: InstrumentRow) -> list[str]:
    """The lines of one frame on a terminal of that width, from the titles of its table on."""
    lines = lines_of(a_frame(*rows), width)
    return lines[next(i for i, line in enumerate(lines) if " our bid" in line) :]


def lines_of(frame: StatusFrame, width: int, height: int | None = None) -> list[str]:
    """All its lines."""
    console = Console(width=width, file=io.StringIO(), force_terminal=True)
    screen = Screen()
    screen.frame = frame
    with console.capture() as captured:
        console.print(screen.picture(width, height))
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
    )[1]
    assert line.split()[0] == "BTC-PERP"
    assert line.endswith("at minimum spread")


def test_names_are_whole_where_there_is_room() -> None:
    rows = (a_perpetual_row("BTC-PERPETUAL", "104523.5", "0.5"),)
    assert drawn_at(140, *rows)[1].startswith("BTC-PERPETUAL ")
    assert drawn_at(100, a_row())[1].startswith("ETH-6JUN25-2800-C ")


def test_what_a_chain_of_long_names_shares_is_its_title() -> None:
    titles, call, put = drawn_at(
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
    assert "at minimum" in drawn_at(100, *long)[1]
    for width in (100, 80, 60):
        assert max(map(len, lines_of(a_frame(*long), width))) <= width


def test_live_says_what_it_is() -> None:
    assert lines_of(replace(a_frame(), mode="live"), 100)[0].startswith(
        " LIVE: REAL MONEY  deribit "
    )


def money_in(text: str) -> list[Decimal]:
    """Every amount of money in a text, in order."""
    return [Decimal(one) for one in re.findall(r"[+-]\d+\.\d\d|\b0\.00\b", text)]


def test_what_is_shown_adds_up_as_it_is_shown() -> None:
    earned = [1 / 3, 1 / 3, 1 / 3, 0.0, None]
    rows = [replace(a_row(f"ETH-6JUN25-{n}00-C"), pnl_usd=usd) for n, usd in enumerate(earned)]
    pnl = Pnl(total_usd=1.0, spread_usd=2.005, inventory_usd=-0.99, fees_usd=0.015)
    frame = replace(a_frame(*rows[:3]), pnl=pnl, held=tuple(rows[3:]))
    for width in (80, 100, 160):
        lines = lines_of(frame, width)
        said = " ".join(lines)
        total, spread, inventory, fees = money_in(said[said.index("PnL ") :])[:4]
        assert total == spread + inventory + fees == 1
        shown = [line.split() for line in lines if "00-C" in line]
        column = next(line for line in lines if "our bid" in line).split().index("PnL") - 2
        assert sum(Decimal(row[column]) for row in shown[:4]) == total
        assert shown[4][column] == "-"
        assert "without 1 position of unknown worth" in "\n".join(lines)


def test_a_reason_of_each_side_is_told_where_they_differ() -> None:
    differ = {"buy": Why.MAX_POSITION, "sell": Why.JOINING}
    row = replace(a_row(), worth_saying=differ)
    assert drawn_at(160, row)[1].endswith("bid position limit, ask joining")
    assert drawn_at(100, row)[1].endswith(" bid position limit")
    odd = replace(a_row(), worth_saying={"buy": Why.MAX_POSITION, "sell": Why.NO_FUNDS})
    for width in (80, 100):
        first, second = drawn_at(width, odd)[1:]
        assert first.endswith(" bid position limit")
        assert second.strip() == "ask no funds for this"


def test_a_reason_that_has_no_room_takes_more_lines() -> None:
    long = [a_perpetual_row(f"BTC_USDC-{n}JUN25-105000-C", "1520", "5") for n in (6, 7)]
    lines = lines_of(a_frame(*long), 80)
    assert "…" not in "".join(lines)
    assert lines[-1].strip() == "spread"


def test_why_the_switch_was_tripped_is_never_cut() -> None:
    why = "position mismatch: " + ", ".join(f"ETH-6JUN25-{n}00-C by {n}" for n in range(20, 29))
    for width in (60, 80, 100):
        lines = lines_of(replace(a_frame(), trip=why), width)
        assert why in " ".join(" ".join(lines).split())
        assert max(map(len, lines)) <= width


def test_what_nobody_quotes_stands_below_and_is_not_red_with_age() -> None:
    held = replace(a_row("ETH-27JUN25-3000-C", Why.NOT_QUOTED), quoted=False, age_s=29.0)
    lines = lines_of(replace(a_frame(), held=(held,)), 100)
    assert "not quoted here" in lines[-1]
    assert lines[-1].startswith("ETH-27JUN25-3000-C ")


def test_of_several_venues_each_has_a_line_and_rows_stand_under_their_desks() -> None:
    up, down = LinkFrame(ok=True, text="up"), LinkFrame(ok=False, text="reconciling")
    limits = (Limit(name="requests", scope="account", left=9, full=20),)
    deribit = VenueFrame(
        name="deribit",
        kind="deribit",
        account="1",
        link=up,
        limits=limits,
        equity={},
        open_orders=2,
    )
    frame = replace(
        a_frame(
            replace(a_row(), desk="options", venue="deribit"),
            replace(a_row("ETH-PERPETUAL"), desk="perp", venue="hedge", why=Why.LINK_DOWN),
            replace(a_row("ETH-6JUN25-2900-C"), desk="options", venue="deribit"),
        ),
        venue="deribit, hedge",
        held=(replace(a_row("ETH-27JUN25"), quoted=False, venue="hedge"),),
        venues=(deribit, replace(deribit, name="hedge", account="2", link=down)),
        desks=(
            DeskFrame(name="options", instruments=2, open_orders=4, fills=1, quoted_share=0.5),
            DeskFrame(name="perp", instruments=1, open_orders=0, fills=0, quoted_share=None),
        ),
    )
    lines = [line.rstrip() for line in lines_of(frame, 100)]
    assert lines[0].startswith(" SIM  deribit, hedge  run k3f9x2")
    assert lines[1] == " deribit 1  link up  requests 9/20  open 2"
    assert lines[2] == " hedge 2  link reconciling  requests 9/20  open 2"
    assert lines[3] == " options 4 orders, 1 fills, quoted 50.0 %  perp 0 orders, 0 fills"
    titles = next(place for place, line in enumerate(lines) if line.startswith("instrument "))
    assert [line.split("  ")[0].split(" ")[0] for line in lines[titles + 1 :]] == [
        "options",
        "ETH-6JUN25-2800-C",
        "ETH-6JUN25-2900-C",
        "perp",
        "ETH-PERPETUAL" if "ETH-PERPETUAL" in "".join(lines) else "ETH-PERP",
        "no",
        "ETH-27JUN25",
    ]
    assert lines[-2] == "no desk"


def test_a_page_that_begins_among_the_rows_of_a_desk_names_it() -> None:
    names = [f"ETH-6JUN25-{2000 + 50 * place}-C" for place in range(20)]
    rows = [
        replace(a_row(name), desk="low" if place < 5 else "high")
        for place, name in enumerate(names)
    ]
    desks = [
        DeskFrame(name=name, instruments=1, open_orders=0, fills=0, quoted_share=None)
        for name in ("low", "high")
    ]
    screen = Screen()
    screen.frame = replace(a_frame(*rows), desks=tuple(desks))
    height, seen = 16, set[str]()
    for _ in range(6):
        out = io.StringIO()
        console = Console(file=out, width=100, height=height)
        console.print(screen.picture(100, height))
        lines = [line.rstrip() for line in out.getvalue().splitlines()]
        assert len(lines) < height, "the line the cursor is left on is free"
        (titles,) = (place for place, line in enumerate(lines) if " our bid " in line)
        shown, desk = lines[titles + 1 : -1], ""
        assert shown[0] in ("low", "high")
        for line in shown:
            if line in ("low", "high"):
                desk = line
                continue
            name = line.split()[0]
            strike = int(name.split("-")[-2])
            assert desk == ("low" if strike < 2250 else "high")
            seen.add(name)
        screen.press(Key.PAGE_DOWN)
    assert len(seen) == 20, "every row is reached"


def test_simulated_time_is_marked() -> None:
    at_ns = 1_748_865_600_000_000_000  # 2025-06-02 12:00:00 UTC
    frame = replace(a_frame(), at_ns=at_ns)
    assert "sim 2025-06-02 12:00:00" in "\n".join(lines_of(frame, 80))
    assert "2025-06-02" not in "\n".join(lines_of(replace(frame, mode="live"), 80))


# --- more rows than lines ---------------------------------------------------------------------

LONG_DRIVER = """
import sys, time
from dataclasses import replace
from mmbot.cli.feed import ScreenFeed
from tests.cli.test_screen import a_frame, a_row
rows = [replace(a_row(f"ETH-6JUN25-{n}00-C"), pnl_usd=0.01 * n) for n in range(10, 50)]
frame = a_frame(*rows)
total = sum(row.pnl_usd for row in rows)
frame = replace(frame, pnl=replace(frame.pnl, total_usd=total, inventory_usd=total - 1.73))
feed = ScreenFeed(only=sys.argv[1] if len(sys.argv) > 1 else None)
feed.show(frame)
try:
    time.sleep(60)
except KeyboardInterrupt:
    feed.close()
"""


def shown_rows(text: str) -> list[int]:
    """The numbers of the rows on the screen."""
    return [int(number) for number in re.findall(r"^(?:ETH-6JUN25-)?(\d\d)00-C ", text, re.M)]


def turned(terminal: Terminal, before: list[int]) -> bool:
    return shown_rows(terminal.display()) != before


def begins_with(terminal: Terminal, top: int) -> bool:
    return shown_rows(terminal.display())[:1] == [top]


def test_every_row_is_counted_and_reached_by_keys() -> None:
    with Terminal(sys.executable, "-c", LONG_DRIVER) as terminal:
        first = shown_rows(terminal.wait_for("not shown"))
        assert first[0] == 10
        assert f"{40 - len(first)} not shown" in terminal.text()
        hidden = sum(range(first[-1] + 1, 50))
        assert f"(PnL +{hidden / 100:.2f})" in terminal.text()
        seen = set(first)
        for key in (" ", "\x1b[6~", " "):
            before = shown_rows(terminal.display())
            terminal.type(key)
            terminal.until(partial(turned, terminal, before), "a page")
            seen |= set(shown_rows(terminal.display()))
            if 49 in seen:
                break
        assert seen == set(range(10, 50))
        for key, top in (("g", 10), ("j", 11), ("\x1b[B", 12), ("k", 11), ("\x1b[A", 10)):
            terminal.type(key)
            terminal.until(partial(begins_with, terminal, top), f"{key!r}")
        terminal.type("G")
        terminal.until(lambda: shown_rows(terminal.display())[-1:] == [49], "the end")
        assert not terminal.echoes()
        terminal.interrupt()
        assert terminal.exit_code() == 0


def test_only_the_rows_that_were_asked_for() -> None:
    with Terminal(sys.executable, "-c", LONG_DRIVER, "*-2?00-c") as terminal:
        text = terminal.wait_for("not shown")
        assert shown_rows(text) == list(range(20, 30))
        assert "rows 1-10 of 10 like *-2?00-c, 30 not shown" in text
        terminal.interrupt()


def test_a_screen_in_the_background_leaves_the_keys_to_the_shell() -> None:
    with Terminal("/bin/bash", "--norc", "-i", env={"PS1": "PROMPT> "}) as terminal:
        terminal.wait_for("PROMPT>")
        terminal.type(f"{sys.executable} -c '{LONG_DRIVER}'\n")
        terminal.wait_for("not shown")
        terminal.type("\x1a")
        terminal.wait_for("Stopped")
        terminal.type("echo $((6 * 7))th\n")
        terminal.wait_for("42th")
        terminal.type("kill %1; wait\n")
