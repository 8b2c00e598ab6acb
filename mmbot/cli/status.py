"""`mmbot status`: every engine on every store, out of the stores alone (engines.py, board.py)."""

import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmbot.cli.streams import read_or_not
from mmbot.cli.wanted import (
    DeskFile,
    ModeName,
    Only,
    RunName,
    StoreUrl,
    known_stores,
    one_of,
    run_number,
)
from mmbot.config import Mode
from mmbot.errors import NothingFound

if TYPE_CHECKING:
    from mmbot.cli.engines import Engine, Everything
    from mmbot.clock import Clock
    from mmbot.core.types import Nanos
    from mmbot.engine.status import InstrumentRow, StatusFrame, VenueFrame
    from mmbot.store.queries import AccountRow

_REFRESH_S = 0.5
_NEAREST = 4
_WIDTH = 100
"""Where there is no terminal to ask."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be shown."""

    run: int | None
    mode: Mode | None
    config: Path | None
    store: str | None
    only: str | None
    """The rows that are shown (cli.paging)."""

    def look(self, now_ns: "Nanos") -> "Everything":
        """As it stands at this moment (wall time). Raises NothingFound."""
        from mmbot.cli.engines import chosen, survey

        return chosen(survey(known_stores(self.config, self.store), now_ns), self.run, self.mode)


def status(
    once: Annotated[bool, typer.Option("--once", help="Show it once and end.")] = False,
    only: Only = None,
    run: RunName = None,
    mode: ModeName = None,
    config: DeskFile = None,
    store: StoreUrl = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show every engine: what it quotes and holds, what it earned, and whether it is well.

    On a terminal the picture is renewed twice a second until Ctrl+C. What it shows is read from the
    stores, so it shows engines that hang or are dead just as well, and says so. What does not fit
    is counted: space and b turn pages, arrows or j and k move. Every store that was ever used is
    looked at. Exit code 1: --run, --mode or --only names nothing that is there.
    """
    from mmbot.clock import Clock

    clock = Clock()
    one_mode = one_of(Mode, mode, "mode", "--mode") if mode is not None else None
    asked = _Asked(run_number(run), one_mode, config, store, only)
    now_ns = clock.wall_ns()
    found = asked.look(now_ns)
    if json:
        _print_json(found, only)
    elif not (found.engines or found.unread):
        if known_stores(config, store).gone:
            print("No engine runs, and the stores that were used here are gone.")
        else:
            print("No engine has run here yet: start one with `mmbot quote`.")
    elif once or not sys.stdout.isatty():
        _print(found, now_ns, only)
    else:
        _watch(clock, asked)


def _watch(clock: "Clock", asked: _Asked) -> None:
    """Until Ctrl+C; the last picture stays on the terminal. Ctrl+Z gives it back as it was."""
    from threading import Event

    from rich.console import Console
    from rich.live import Live

    from mmbot.cli.board import Board
    from mmbot.cli.keyboard import keyboard

    stop = Event()
    if signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL:
        signal.signal(signal.SIGTSTP, lambda *_: stop.set())
    console = Console(highlight=False)
    board = Board(console, asked.only)
    with suppress(KeyboardInterrupt), read_or_not():
        while True:
            live = Live(console=console, auto_refresh=False, vertical_overflow="ellipsis")
            with keyboard() as keys, live:
                keys.quiet()
                while not stop.is_set():
                    now_ns = clock.wall_ns()
                    board.everything = asked.look(now_ns)
                    live.update(board.page(now_ns), refresh=True)
                    end_s = clock.monotonic_s() + _REFRESH_S
                    while not stop.is_set() and (left_s := end_s - clock.monotonic_s()) > 0:
                        for key in keys.wait(left_s)[0]:
                            board.press(key)
                            live.update(board.page(now_ns), refresh=True)
            stop.clear()
            os.kill(os.getpid(), signal.SIGSTOP)


def _print(found: "Everything", now_ns: "Nanos", only: str | None) -> None:
    from rich.console import Console

    from mmbot.cli.board import picture

    width = None if sys.stdout.isatty() else _WIDTH
    console = Console(highlight=False, width=width)
    _require(found, only)
    with read_or_not():
        console.print(picture(found, now_ns, console.width, only))


def _require(found: "Everything", only: str | None) -> None:
    """Raises NothingFound, with the nearest names, where no row is like the pattern."""
    from mmbot.cli.paging import matches

    rows = [row for one in found.engines if one.frame for row in one.frame.every_row]
    if only is None or any(matches(row, only) for row in rows):
        return
    names = list(dict.fromkeys(row.instrument for row in rows))
    near = get_close_matches(only.strip("*?").upper(), names, n=_NEAREST, cutoff=0.0)
    there = f"the nearest are {', '.join(near)}" if near else "there is none at all"
    raise NothingFound(f"--only: no row is like {only!r}; {there}")


def _print_json(found: "Everything", only: str | None) -> None:
    import orjson

    _require(found, only)
    bad = [*found.unread, *found.troubles]
    said = {"engines": [_object(engine, only) for engine in found.engines], "unread": bad}
    with read_or_not():
        print(orjson.dumps(said, default=float).decode())


def _object(engine: "Engine", only: str | None) -> dict[str, Any]:
    """One engine. `null` where it is not known; moments are UTC, ages in seconds; sums are those of
    the whole account, whatever `only` leaves of the rows. Of `pnl`, total_usd = spread_usd +
    inventory_usd + funding_usd - fees_usd: fees are positive when paid."""
    from mmbot.cli.engines import EngineState
    from mmbot.cli.header import desk_time
    from mmbot.cli.paging import matches
    from mmbot.core.labels import base36
    from mmbot.store.moments import moment

    run, latch, frame = engine.run, engine.latch, engine.frame
    return {
        "run_id": base36(run.run),
        "mode": run.account_key.mode.value,
        "venue": run.account_key.venue,
        "account": run.account_key.account,
        "venues": [_venue(account, frame) for account in run.accounts],
        "store": engine.store,
        "host": run.host,
        "pid": run.pid,
        "state": engine.state.value,
        "since": moment(engine.since_ns),
        "started": moment(run.started_ns),
        "uptime_s": engine.uptime_s,
        "exit_code": run.exit_code,
        "ended": (frame.ended or None) if frame and engine.state is EngineState.STOPPED else None,
        "heartbeat_age_s": engine.heartbeat_age_s,
        "latch": {
            "tripped": engine.tripped,
            "why": latch.why.value if latch else None,
            "detail": latch.detail if latch else None,
            "who": latch.who if latch else None,
            "at": moment(latch.at_ns) if latch else None,
        },
        "emptied": moment(engine.emptied_ns) if engine.emptied_ns is not None else None,
        "lease": {
            "held": engine.lease_left_s is not None and engine.lease_left_s > 0,
            "left_s": engine.lease_left_s,
        },
        "link": frame
        and {
            "text": frame.link,
            "ok": frame.link_ok,
            "market_up": frame.market_up,
            "trading_up": frame.trading_up,
        },
        "instruments": [
            _instrument(row) for row in (frame.every_row if frame else ()) if matches(row, only)
        ],
        "open_orders": frame.open_orders if frame else None,
        "delta_coin": frame.delta if frame else {},
        "margin_use": frame.margin_use if frame else {},
        "foreign": frame.foreign if frame else [],
        "locks": frame.locks if frame else [],
        "unread": frame.unread if frame else {},
        "elsewhere_coin": frame.off_desk if frame else {},
        "controls": frame.controls if frame and engine.state.up else [],
        "desk_time": desk_time(frame) if frame and frame.at_ns else None,
        "fills": frame and frame.fills,
        "pnl": frame and frame.pnl,
        "equity": frame.equity if frame else {},
        "equity_usd": frame and frame.equity_usd,
        "desks": frame.desks if frame else [],
        "settled": frame.settled if frame else [],
        "budget": frame
        and {
            "left": frame.budget,
            "full": frame.budget_full,
            "in_flight": frame.in_flight,
            "postponed": frame.deferred,
        },
        "order_to_volume": frame and frame.order_to_volume,
    }


def _venue(account: "AccountRow", frame: "StatusFrame | None") -> dict[str, Any]:
    """One account of an engine, with nulls where the engine has not told yet."""
    name = account.account_key.venue
    said = next((one for one in (frame.venues if frame else ()) if one.name == name), None)
    return {
        "name": name,
        "kind": account.kind,
        "account": account.account_key.account,
        "link": said and said.link,
        "limits": said.limits if said else [],
        "equity": said.equity if said else {},
        "open_orders": said and said.open_orders,
        "dead_man": (said and said.dead_man) or None,
        "mmp": said and _mmp(said),
    }


def _mmp(venue: "VenueFrame") -> dict[str, Any] | None:
    from mmbot.store.moments import moment

    mmp = venue.mmp
    if mmp is None:
        return None
    until = None if mmp.until is None else moment(mmp.until)
    return {"configured": mmp.configured, "frozen": mmp.frozen, "until": until}


def _instrument(row: "InstrumentRow") -> dict[str, Any]:
    return {
        "symbol": row.symbol,
        "name": row.instrument,
        "bid": row.market_bid,
        "ask": row.market_ask,
        "our_bid": row.our_bid,
        "our_bid_size": row.our_bid_size,
        "our_ask": row.our_ask,
        "our_ask_size": row.our_ask_size,
        "fair": row.fair,
        "position": row.position,
        "delta_coin": row.delta_coin,
        "pnl_usd": row.pnl_usd,
        "open_orders": row.open_orders,
        "last_fill_s": row.last_fill_s,
        "age_s": row.age_s,
        "quoted_share": row.quoted_share,
        "book": row.book or "ok",
        "why": row.why.value,
        "why_bid": row.worth_saying["buy"].value if "buy" in row.worth_saying else None,
        "why_ask": row.worth_saying["sell"].value if "sell" in row.worth_saying else None,
        "quoted": row.quoted,
        "unit": row.unit or None,
        "unit_usd": row.unit_usd,
        "average": row.average,
        "venue": row.venue or None,
        "desk": row.desk or None,
        "signals": row.signals,
    }
