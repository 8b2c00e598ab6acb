"""The composition root: a configuration and a mode become a running engine.

The only file that knows every room. A mode is a constructor call here, never an `if` elsewhere.
"""

import asyncio
import logging
import secrets
import signal
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import cast

from mmbot.cli.frame import StatusFrame, Summary
from mmbot.cli.report import statistics_line, status_frame, summary
from mmbot.config import Config, Desk, Mode, credentials
from mmbot.core import events as ev
from mmbot.core.ports import RiskRule, Strategy
from mmbot.core.state import State, apply, base36
from mmbot.core.turn import Desk as TradingDesk
from mmbot.core.types import SECOND, Instrument, Kind
from mmbot.core.why import Why
from mmbot.engine.clock import Clock
from mmbot.engine.keeper import Forgetful
from mmbot.engine.runner import Runner
from mmbot.errors import ConfigError
from mmbot.ops.log import log_turn
from mmbot.venues.deribit.client import Deribit
from mmbot.venues.deribit.venue import DeribitVenue
from mmbot.venues.embedded import start_embedded

RUN_BITS = 28
"""With the 24 bits of a sequence number, a label fits one 53-bit integer."""

FRAME_EVERY_S = 0.5
STATISTICS_EVERY_S = 30.0

_log = logging.getLogger("mmbot")


@dataclass(slots=True)
class Engine:
    """One venue, one desk, ready to run."""

    config: Config
    clock: Clock
    venue: DeribitVenue
    runner: Runner
    instruments: Sequence[Instrument]


async def run_quote(
    config: Config, *, on_status: Callable[[StatusFrame], None] | None = None
) -> Summary:
    """Quote until a signal or the duration ends it, then leave nothing behind.

    Raises MmbotError for everything a person can cause or cure.
    """
    leave = asyncio.Event()
    _leave_on_signals(leave)
    engine = await assemble(config, Clock())
    try:
        return await _quote(engine, leave, on_status)
    finally:
        await engine.venue.close()


async def assemble(config: Config, clock: Clock) -> Engine:
    """An engine with its instruments chosen, not yet connected. The caller closes its venue."""
    venue = await _venue(config, clock)
    try:
        listed = await venue.open()
        if config.desk.mode is Mode.SIM:
            clock.set_to_ms(await venue.venue_ms())
        return _engine(config, clock, venue, choose(listed, config.desk))
    except BaseException:
        await venue.close()
        raise


async def _quote(
    engine: Engine, leave: asyncio.Event, on_status: Callable[[StatusFrame], None] | None
) -> Summary:
    runner, clock, venue = engine.runner, engine.clock, engine.venue
    mode = engine.config.desk.mode.value
    await venue.connect(runner.sink, engine.instruments)
    chores = [asyncio.ensure_future(_statistics(runner.state, clock))]
    if on_status is not None:
        chores.append(asyncio.ensure_future(_frames(engine, on_status)))
    try:
        await runner.run(leave, engine.config.desk.duration_s)
        left = await runner.stop(Why.USER)
    finally:
        for chore in chores:
            chore.cancel()
            with suppress(asyncio.CancelledError):
                await chore
        runner.flush()
    for order in left or ():
        _log.error("still open: %s %s", order.label, order.instrument)
    open_orders = None if left is None else len(left)
    if on_status is not None:
        on_status(status_frame(runner.state, mode, venue.name, clock.now_ns()))
    return summary(runner.state, mode, venue.name, clock.now_ns(), open_orders)


async def _venue(config: Config, clock: Clock) -> DeribitVenue:
    """Where the quoting goes. Every mode ends in the same client on the same code."""
    assert config.desk.mode is Mode.SIM, config.desk.mode
    url = config.sim.url
    if url is None:
        embedded = await start_embedded(config.desk.venue, config.sim.seed, config.sim.at)
        _log.info(
            "simulated venue %s at %s (pid %d)", embedded.world, embedded.rest_url, embedded.pid
        )
        url = embedded.rest_url
    keys = credentials(config.desk.mode, Path.cwd())
    client = Deribit(
        {
            "apiKey": keys.key,
            "secret": keys.secret,
            "urls": {"api": {"rest": url, "ws": url.replace("http", "ws", 1) + "/ws/api/v2"}},
        },
        now_ms=clock.now_ms,
        monotonic=clock.monotonic_s,
        time_scale=1 / clock.scale,
    )
    return DeribitVenue(client, clock)


def _engine(
    config: Config, clock: Clock, venue: DeribitVenue, instruments: Sequence[Instrument]
) -> Engine:
    now_ns = clock.now_ns()
    state = State(run=base36(secrets.randbits(RUN_BITS)), started_ns=now_ns)
    apply(state, ev.InstrumentsListed(tuple(instruments)), now_ns)
    desk = TradingDesk(
        name=config.strategy.name,
        venue=venue.name,
        strategy=cast(Strategy, config.strategy.build()),
        rules=tuple(cast(RiskRule, rule.build()) for rule in config.rules),
        refresh_ns=int(config.desk.refresh_s * SECOND),
    )
    desks = {instrument.id: desk for instrument in instruments}
    runner = Runner(state, desks, {venue.name: venue}, clock)
    runner.keeper = Forgetful(runner.sink)
    runner.observers.append(log_turn)
    return Engine(config, clock, venue, runner, instruments)


def _leave_on_signals(leave: asyncio.Event) -> None:
    def asked() -> None:
        if leave.is_set():
            _log.warning("already leaving: orders are being cancelled, this takes a moment")
        leave.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, asked)


async def _statistics(state: State, clock: Clock) -> None:
    while True:
        await clock.sleep(STATISTICS_EVERY_S)
        _log.info("%s", statistics_line(state, clock.now_ns()))


async def _frames(engine: Engine, on_status: Callable[[StatusFrame], None]) -> None:
    mode = engine.config.desk.mode.value
    while True:
        now_ns = engine.clock.now_ns()
        on_status(status_frame(engine.runner.state, mode, engine.venue.name, now_ns))
        await engine.clock.sleep(FRAME_EVERY_S)


# --- choosing instruments ---------------------------------------------------------------------


def choose(listed: Iterable[Instrument], desk: Desk) -> list[Instrument]:
    """The instruments a desk names. Raises ConfigError with what is listed instead."""
    listed = list(listed)
    chosen = [*_named(listed, desk.symbols)]
    if desk.expiry is not None:
        chosen += _options(listed, desk, desk.expiry)
    return list({instrument.id: instrument for instrument in chosen}.values())


def _named(listed: list[Instrument], symbols: Sequence[str]) -> list[Instrument]:
    by_name = {i.name: i for i in listed}
    by_name.update({i.symbol: i for i in listed})
    for symbol in symbols:
        if symbol not in by_name:
            perpetuals = ", ".join(i.name for i in listed if i.kind is Kind.PERPETUAL)
            raise ConfigError(f"--symbols: {symbol} is not listed; perpetuals are {perpetuals}")
    return [by_name[symbol] for symbol in symbols]


def _options(listed: list[Instrument], desk: Desk, expiry: date) -> list[Instrument]:
    chain = [
        i for i in listed if i.kind is Kind.OPTION and i.underlying == desk.underlying and i.inverse
    ]
    if not chain:
        known = sorted({i.underlying for i in listed if i.kind is Kind.OPTION})
        raise ConfigError(
            f"--underlying: no options on {desk.underlying}; there are options on "
            f"{', '.join(known)}"
        )
    dates = sorted({_expiry_date(i) for i in chain})
    if expiry not in dates:
        raise ConfigError(
            f"--expiry: no {desk.underlying} options expire on {expiry:%Y%m%d}; live expiries are "
            f"{', '.join(f'{d:%Y%m%d}' for d in dates)}"
        )
    chain = [i for i in chain if _expiry_date(i) == expiry]
    strikes = sorted({i.strike for i in chain if i.strike is not None})
    wanted = strikes if desk.all_strikes else desk.strikes
    for strike in wanted:
        if strike not in strikes:
            nearest = sorted(sorted(strikes, key=lambda s: abs(s - strike))[:4])
            raise ConfigError(
                f"--strikes: {strike} is not listed for {expiry:%Y%m%d}; the nearest are "
                f"{', '.join(map(_plain, nearest))}"
            )
    return [i for strike in wanted for i in chain if i.strike == strike]


def _expiry_date(instrument: Instrument) -> date:
    assert instrument.expiry_ns is not None
    return datetime.fromtimestamp(instrument.expiry_ns // SECOND, UTC).date()


def _plain(number: Decimal) -> str:
    return f"{number:f}".rstrip("0").rstrip(".") if "." in f"{number:f}" else f"{number:f}"
