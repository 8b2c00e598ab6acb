"""The picture of `mmbot status`: a block an engine, what is wrong in red."""

from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mmbot.cli import cells
from mmbot.cli.cells import Column
from mmbot.cli.engines import Engine, EngineState, Everything
from mmbot.cli.frame import ForeignOrder, InstrumentRow, OrderToVolume, StatusFrame
from mmbot.config import Mode
from mmbot.core.state import base36
from mmbot.core.types import SECOND, Nanos
from mmbot.store.moments import moment

_STYLES = {
    EngineState.STARTING: "yellow",
    EngineState.RUNNING: "bold green",
    EngineState.PAUSED: "bold yellow",
    EngineState.STOPPING: "bold yellow",
    EngineState.KILLED: "bold white on red",
    EngineState.STALE: "bold white on red",
    EngineState.DEAD: "bold white on red",
    EngineState.STOPPED: "dim",
}
_DAY_NS: Nanos = 86_400 * SECOND
_FOREIGN_MAX = 3
_LOW_BUDGET = 0.25


def picture(everything: Everything, now_ns: Nanos, width: int) -> Group:
    """All of it, for a terminal of so many columns. `now_ns` is wall time."""
    shown, earlier = _sorted_out(everything.engines)
    parts: list[RenderableType] = [_headline(everything.engines, now_ns)]
    for engine in shown:
        parts += [Text(), *_block(engine, now_ns, width)]
    for part in parts:
        if isinstance(part, Text):
            part.no_wrap, part.overflow = True, "ellipsis"
    if earlier:
        what = "engine" if earlier == 1 else "engines"
        parts += [Text(), Text(f"{earlier} earlier simulated {what}: --json shows all", "dim")]
    parts += [Text(f"not read: {problem}", "bold red") for problem in everything.unread]
    parts += [Text(f"cannot be written: {why}", "bold red") for why in everything.troubles]
    return Group(*parts)


def _sorted_out(engines: Sequence[Engine]) -> tuple[list[Engine], int]:
    """What is shown, and how many are not. Every simulated world is an account of its own, so of
    those that ended only the newest is, and only while none is up."""
    shown: list[Engine] = []
    simulated = False
    for engine in engines:
        if engine.run.seat.mode is not Mode.SIM:
            shown.append(engine)
        elif engine.state.up or not simulated:
            shown.append(engine)
            simulated = True
    return shown, len(engines) - len(shown)


def _headline(engines: Sequence[Engine], now_ns: Nanos) -> Text:
    counts = Counter(engine.state for engine in engines)
    line = Text.assemble((moment(now_ns), "dim"), "  ")
    for state in EngineState:
        if counts[state]:
            line.append(f"{counts[state]} {state.value}", _STYLES[state]).append("  ")
    return line


def _block(engine: Engine, now_ns: Nanos, width: int) -> Iterator[RenderableType]:
    yield _who(engine, now_ns)
    frame = engine.frame
    if frame is not None and engine.state is not EngineState.STOPPED:
        yield _health(engine, frame)
    yield from _warnings(engine)
    if frame is None:
        return
    if engine.state is EngineState.STOPPED and frame.ended:
        yield Text(f" ran {cells.duration(engine.uptime_s)}; ended: {frame.ended}")
    if frame.controls and engine.state.up:
        yield cells.controls(frame.controls)
    yield _money(frame)
    if frame.order_to_volume is not None and frame.order_to_volume.messages:
        yield _traffic(frame, frame.order_to_volume)
    if frame.equity:
        yield _equity(frame)
    if frame.foreign:
        yield _foreign(frame)
    if frame.locks and engine.state.up:
        yield Text(f" venue: {'; '.join(frame.locks)}", "yellow")
    if frame.unread:
        counts = ", ".join(f"{count} x {kind}" for kind, count in frame.unread.items())
        yield Text(f" not understood, and left out: {counts}", "yellow")
    if frame.elsewhere:
        coins = ", ".join(f"{amount:.4g} {coin}" for coin, amount in frame.elsewhere.items())
        yield Text(f" held where nothing is quoted: {coins} (counts in max_exposure)", "yellow")
    if engine.state is not EngineState.STOPPED:
        yield _table(frame.rows, width)
    elif held := [row for row in frame.rows if row.position]:
        listed = ", ".join(f"{row.position.normalize():+f} {row.instrument}" for row in held)
        yield Text(f" positions {listed}")


def _who(engine: Engine, now_ns: Nanos) -> Text:
    run, state = engine.run, engine.state
    line = Text.assemble(
        cells.mode(run.seat.mode.value),
        (f" {run.seat.venue}", "bold"),
        f" {run.seat.account}  run {base36(run.run)}  ",
        (f" {state.value} " if state.silent else state.value, _STYLES[state]),
    )
    if state.up:
        line.append(f"  up {cells.duration(engine.uptime_s)}")
    else:
        age = cells.duration((now_ns - engine.since_ns) / SECOND)
        line.append(f" since {_when(engine.since_ns, now_ns)}, {age} ago")
    if state is EngineState.STOPPED:
        line.append(f", exit code {run.exit_code}", "" if run.exit_code == 0 else "bold red")
    return line


def _when(at_ns: Nanos, now_ns: Nanos) -> str:
    """The time (UTC) of what happened within a day, else the date."""
    date, time, _ = moment(at_ns).split()
    return time if now_ns - at_ns < _DAY_NS else date


def _health(engine: Engine, frame: StatusFrame) -> Text:
    """Connections, books, budget, lease, latch and orders, in one line."""
    sound = sum(1 for row in frame.rows if not row.book)
    orders = sum(row.open_orders for row in frame.rows)
    low = frame.budget < _LOW_BUDGET * frame.budget_full
    line = Text(" ")
    _say(line, "data", _up(frame.market_up), frame.market_up)
    _say(line, "orders", _up(frame.trading_up), frame.trading_up)
    _say(line, "books", f"{sound}/{len(frame.rows)}", sound == len(frame.rows))
    _say(line, "budget", f"{frame.budget:.0f}/{frame.budget_full:.0f}", not low)
    _say(line, "lease", *_lease(engine.lease_left_s))
    _say(line, "latch", "TRIPPED" if engine.tripped else "armed", not engine.tripped)
    line.append(f"open {orders}" if engine.state.up else f"had {orders} open")
    if frame.foreign:
        line.append(f"  foreign {len(frame.foreign)}", "yellow")
    if frame.link == "reconciling":
        line.append(f"  {frame.link}", "yellow")
    return line


def _say(line: Text, what: str, value: str, fine: bool) -> None:
    line.append(f"{what} ").append(value, "green" if fine else "bold red").append("  ")


def _up(is_up: bool) -> str:
    return "up" if is_up else "down"


def _lease(left_s: float | None) -> tuple[str, bool]:
    if left_s is None:
        return "none", False
    return ("held", True) if left_s > 0 else ("run out", False)


def _warnings(engine: Engine) -> Iterator[Text]:
    latch = engine.latch
    if engine.state is EngineState.STALE:
        yield Text(
            " It does not speak: below is what it said last. `mmbot cancel-all` works without it.",
            "red",
        )
    elif engine.state is EngineState.DEAD:
        yield Text(
            " Its process is gone: orders may be open. Start it again, or `mmbot cancel-all`.",
            "red",
        )
    if latch is not None and latch.tripped:
        detail = f": {latch.detail}" if latch.detail else ""
        yield Text(
            f" KILL SWITCH since {moment(latch.at_ns)}, by {latch.who} ({latch.why.value}{detail})",
            "bold red",
        )
    elif engine.state is EngineState.KILLED:
        yield Text(" Re-armed, but this engine stays stopped: end it and start it again.", "yellow")
    if engine.frame is None and engine.state.up and engine.heartbeat_age_s is not None:
        yield Text(" It runs another version of mmbot: its state cannot be read here.", "yellow")


def _money(frame: StatusFrame) -> Text:
    pnl = frame.pnl
    return Text.assemble(
        " PnL ",
        cells.money(pnl.total_usd, "bold"),
        " = spread ",
        cells.money(pnl.spread_usd),
        "  inventory ",
        cells.money(pnl.inventory_usd),
        "  fees ",
        cells.money(-pnl.fees_usd),
        *(("  funding ", cells.money(pnl.funding_usd)) if pnl.funding_usd else ()),
        (" USD", "dim"),
        f"  fills {frame.fills}",
    )


def _traffic(frame: StatusFrame, hour: OrderToVolume) -> Text:
    """Order-to-volume of the last hour, and the time in the market, a mean over instruments."""
    line = Text(f" last hour {hour.messages} messages")
    if hour.per_trade is not None and hour.per_1000_usd is not None:
        style = "yellow" if hour.slowed else ""
        line.append(f", {hour.per_trade:.1f} a trade", style)
        line.append(f", {hour.per_1000_usd:.1f} per 1,000 USD", style)
    before = "  in the market  "
    for side, name in (("buy", "bid"), ("sell", "ask")):
        shares = [row.quoted_share[side] for row in frame.rows if side in row.quoted_share]
        if shares:
            line.append(f"{before}{name} {100 * sum(shares) / len(shares):.1f} %")
            before = "  "
    return line


def _equity(frame: StatusFrame) -> Text:
    held = "  ".join(f"{_amount(value)} {name}" for name, value in frame.equity.items())
    in_usd = f"  = {frame.equity_usd:.0f} USD" if frame.equity_usd is not None else ""
    return Text(f" equity {held}{in_usd}")


def _amount(value: Decimal) -> str:
    return f"{value:.0f}" if abs(value) >= 10_000 else f"{value:.4f}"


def _foreign(frame: StatusFrame) -> Text:
    some = ", ".join(_order(order) for order in frame.foreign[:_FOREIGN_MAX])
    more = len(frame.foreign) - _FOREIGN_MAX
    return Text(f" not ours: {some}{f' and {more} more' if more > 0 else ''}", "yellow")


def _order(order: ForeignOrder) -> str:
    """As far as the venue tells: a stop order has no price."""
    amount = "?" if order.amount is None else cells.plain(order.amount)
    price = "" if order.price is None else f" at {cells.plain(order.price)}"
    return f"{order.side} {amount} {order.instrument}{price}"


def _table(rows: Sequence[InstrumentRow], width: int) -> Table:
    columns = [
        *cells.market_columns(rows),
        Column("fair", [Text(cells.fair(row)) for row in rows], "dim"),
        Column("pos", [cells.position(row.position) for row in rows]),
        Column("delta", [cells.delta(row.delta_coin) for row in rows]),
        Column("open", [Text(str(row.open_orders)) for row in rows]),
        Column("filled", [Text(_ago(row.last_fill_s)) for row in rows]),
    ]
    return cells.instrument_table(rows, columns, width)


def _ago(age_s: float | None) -> str:
    """In the largest unit that leaves a number."""
    if age_s is None:
        return "-"
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if age_s >= seconds:
            return f"{age_s / seconds:.0f}{unit} ago"
    return f"{age_s:.0f}s ago"
