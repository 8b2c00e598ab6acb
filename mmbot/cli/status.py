"""`mmbot status`: every engine on every store, out of the stores alone (engines.py, board.py)."""

import os
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmbot.cli.streams import read_or_not
from mmbot.cli.wanted import (
    DeskFile,
    ModeName,
    RunName,
    StoreUrl,
    known_stores,
    one_of,
    run_number,
)
from mmbot.config import Mode

if TYPE_CHECKING:
    from mmbot.cli.engines import Engine, Everything
    from mmbot.cli.frame import InstrumentRow
    from mmbot.core.types import Nanos
    from mmbot.engine.clock import Clock

_REFRESH_S = 0.5
_WIDTH = 100
"""Where there is no terminal to ask."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is to be shown."""

    run: int | None
    mode: Mode | None
    config: Path | None
    store: str | None

    def look(self, now_ns: "Nanos") -> "Everything":
        """As it stands at this moment (wall time). Raises NoMatch."""
        from mmbot.cli.engines import chosen, survey

        return chosen(survey(known_stores(self.config, self.store), now_ns), self.run, self.mode)


def status(
    once: Annotated[bool, typer.Option("--once", help="Show it once and end.")] = False,
    run: RunName = None,
    mode: ModeName = None,
    config: DeskFile = None,
    store: StoreUrl = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show every engine: what it quotes and holds, what it earned, and whether it is well.

    On a terminal the picture is renewed twice a second until Ctrl+C. It is read from the stores, so
    it shows engines that hang or are dead just as well, and says so. Every store that was ever used
    is looked at. Exit code 1: --run or --mode names nothing that is there.
    """
    from mmbot.engine.clock import Clock

    clock = Clock()
    only = one_of(Mode, mode, "mode", "--mode") if mode is not None else None
    asked = _Asked(run_number(run), only, config, store)
    now_ns = clock.wall_ns()
    found = asked.look(now_ns)
    if json:
        _print_json(found)
    elif not (found.engines or found.unread):
        if known_stores(config, store).gone:
            print("No engine runs, and the stores that were used here are gone.")
        else:
            print("No engine has run here yet: start one with `mmbot quote`.")
    elif once or not sys.stdout.isatty():
        _print(found, now_ns)
    else:
        _watch(clock, asked)


def _watch(clock: "Clock", asked: _Asked) -> None:
    """Until Ctrl+C; the last picture stays on the terminal. Ctrl+Z gives it back as it was."""
    from threading import Event

    from rich.console import Console
    from rich.live import Live

    from mmbot.cli.board import picture
    from mmbot.cli.screen import quiet_keyboard

    stop = Event()
    if signal.getsignal(signal.SIGTSTP) is signal.SIG_DFL:
        signal.signal(signal.SIGTSTP, lambda *_: stop.set())
    console = Console(highlight=False)
    with suppress(KeyboardInterrupt), read_or_not():
        while True:
            live = Live(console=console, auto_refresh=False, vertical_overflow="ellipsis")
            with quiet_keyboard(), live:
                while not stop.is_set():
                    now_ns = clock.wall_ns()
                    shown = picture(asked.look(now_ns), now_ns, console.width)
                    live.update(shown, refresh=True)
                    stop.wait(_REFRESH_S)
            stop.clear()
            os.kill(os.getpid(), signal.SIGSTOP)


def _print(found: "Everything", now_ns: "Nanos") -> None:
    from rich.console import Console

    from mmbot.cli.board import picture

    width = None if sys.stdout.isatty() else _WIDTH
    console = Console(highlight=False, width=width)
    with read_or_not():
        console.print(picture(found, now_ns, console.width))


def _print_json(found: "Everything") -> None:
    import orjson

    bad = [*found.unread, *found.troubles]
    said = {"engines": [_object(engine) for engine in found.engines], "unread": bad}
    with read_or_not():
        print(orjson.dumps(said, default=float).decode())


def _object(engine: "Engine") -> dict[str, Any]:
    """One engine. `null` where it is not known; moments are UTC, ages in seconds."""
    from mmbot.cli.engines import EngineState
    from mmbot.core.state import base36
    from mmbot.store.moments import moment

    run, latch, frame = engine.run, engine.latch, engine.frame
    return {
        "run_id": base36(run.run),
        "mode": run.seat.mode.value,
        "venue": run.seat.venue,
        "account": run.seat.account,
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
        "instruments": [_instrument(row) for row in frame.rows] if frame else [],
        "open_orders": sum(row.open_orders for row in frame.rows) if frame else None,
        "foreign": frame.foreign if frame else [],
        "locks": frame.locks if frame else [],
        "unread": frame.unread if frame else {},
        "elsewhere_coin": frame.elsewhere if frame else {},
        "controls": frame.controls if frame and engine.state.up else [],
        "fills": frame and frame.fills,
        "pnl": frame and frame.pnl,
        "equity": frame.equity if frame else {},
        "equity_usd": frame and frame.equity_usd,
        "budget": frame
        and {
            "left": frame.budget,
            "full": frame.budget_full,
            "in_flight": frame.in_flight,
            "postponed": frame.postponed,
        },
        "order_to_volume": frame and frame.order_to_volume,
    }


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
    }
