"""The picture of `mmbot status`: a block an engine, what is wrong in red."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

from rich.console import Console, Group, RenderableType
from rich.segment import Segment, SegmentLines
from rich.text import Text

from mmbot.cli import cells, header, paging
from mmbot.cli.cells import Column, InstrumentTable
from mmbot.cli.engines import Engine, EngineState, Everything
from mmbot.cli.paging import Key, Pager
from mmbot.config import Mode
from mmbot.core.labels import base36
from mmbot.core.sizes import plain
from mmbot.core.types import SECOND, Nanos
from mmbot.core.why import Why
from mmbot.engine.status import ForeignOrder, InstrumentRow, OrderToVolume, StatusFrame
from mmbot.errors import ExitCode
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


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of the picture, with the titles of its table, and whether a row begins there."""

    segments: list[Segment]
    titles: list[Segment] | None = None
    row: bool = False


class Board:
    """The picture on a terminal that may be too small for it: keys turn its pages."""

    def __init__(self, console: Console, only: str | None) -> None:
        self.everything = Everything()
        self._console = console
        self._only = only
        self._pager = Pager()

    def press(self, key: Key) -> None:
        """Turn pages."""
        self._pager.press(key)

    def page(self, now_ns: Nanos) -> RenderableType:
        """What there is room for, under the first line, and under the titles of the table it is
        in; and how many rows are not shown. `now_ns` is wall time."""
        console = self._console
        head, *body = self._lines(now_ns)
        room = console.height - 2  # the first line, and the line the cursor is left on
        if len(body) <= room:
            return SegmentLines([head.segments, *(one.segments for one in body)], new_lines=True)
        first, last = self._pager.shown([1] * len(body), max(1, room - 2))
        titles = body[first].titles
        above = [head.segments] if titles is None else [head.segments, titles]
        shown = [*above, *(one.segments for one in body[first:last])]
        rows = sum(one.row for one in body)
        hidden = rows - sum(one.row for one in body[first:last])
        what = f"{hidden} of {rows} rows" if hidden else f"{len(body) - (last - first)} lines"
        footer = Text(f" {what} not shown: {paging.HELP}", "yellow")
        return Group(SegmentLines(shown, new_lines=True), footer)

    def _lines(self, now_ns: Nanos) -> Iterator[_Line]:
        console = self._console
        whole = picture(self.everything, now_ns, console.width, self._only)
        for part in whole.renderables:
            lines = console.render_lines(part, console.options, pad=False)
            if not isinstance(part, InstrumentTable):
                yield from map(_Line, lines)
                continue
            titles, *rest = lines
            yield _Line(titles)
            begins = set(accumulate(part.heights, initial=0))
            for place, line in enumerate(rest):
                yield _Line(line, titles, place in begins)


def picture(everything: Everything, now_ns: Nanos, width: int, only: str | None = None) -> Group:
    """All of it, for a terminal of so many columns. `now_ns` is wall time; `only`: which rows."""
    shown, earlier = _sorted_out(everything.engines)
    parts: list[RenderableType] = [_headline(everything.engines, now_ns)]
    for engine in shown:
        parts += [Text(), *_block(engine, now_ns, width, only)]
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
        if engine.run.account_key.mode is not Mode.SIM:
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


def _block(engine: Engine, now_ns: Nanos, width: int, only: str | None) -> Iterator[RenderableType]:
    yield _who(engine, now_ns)
    frame = engine.frame
    if frame is not None and engine.state is not EngineState.STOPPED:
        yield _health(engine, frame)
    yield from _warnings(engine)
    if frame is None:
        return
    if engine.state is EngineState.STOPPED and frame.ended:
        yield Text(f" ran {cells.duration(engine.uptime_s)}; ended: {frame.ended}")
    yield header.flowing(_groups(engine, frame), width)
    stopped = engine.state is EngineState.STOPPED
    rows = cells.by_desk(frame.every_row)
    rows = [row for row in rows if not stopped or row.position or row.pnl_usd]
    if rows := paging.only(rows, only):
        yield _positions(frame, rows, width) if stopped else _table(frame, rows, width)
    elif only is not None:
        yield Text(f" nothing here is like {only}", "yellow")


def _groups(engine: Engine, frame: StatusFrame) -> list[list[Text]]:
    """What is said above the table, one group a line where it fits."""
    groups: list[list[Text]] = []
    if frame.controls and engine.state.up:
        groups.append([cells.controls(frame.controls)])
    groups += [
        *header.parts(frame, up=engine.state.up),
        *([] if len(frame.venues) > 1 or not engine.state.up else [header.scarce(frame)]),
        [*header.money(frame), Text(f"fills {frame.fills}")],
        header.beside(frame),
        [*header.account(frame), *header.small_print(frame)],
    ]
    if frame.order_to_volume is not None and frame.order_to_volume.messages:
        groups.append(list(_traffic(frame, frame.order_to_volume)))
    if frame.foreign:
        groups.append([_foreign(frame)])
    if frame.locks and engine.state.up:
        groups.append([Text(f"venue: {'; '.join(frame.locks)}", "yellow")])
    if frame.unread:
        counts = ", ".join(f"{count} x {kind}" for kind, count in frame.unread.items())
        groups.append([Text(f"not understood, and left out: {counts}", "yellow")])
    if frame.off_desk:
        coins = ", ".join(f"{amount:.4g} {coin}" for coin, amount in frame.off_desk.items())
        said = f"held beside the desks: {coins} gross, counted in max_exposure"
        groups.append([Text(said, "yellow")])
    return groups


def _who(engine: Engine, now_ns: Nanos) -> Text:
    run, state = engine.run, engine.state
    line = Text.assemble(
        cells.mode(run.account_key.mode.value),
        *_accounts(engine),
        f"  run {base36(run.run)}  ",
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


def _accounts(engine: Engine) -> Iterator[str | tuple[str, str]]:
    """Each venue with its account; of several only the venues, where a line about each follows."""
    keys = engine.run.account_keys
    with_names = len(keys) == 1 or engine.frame is None
    for key in keys:
        yield f" {key.venue}", "bold"
        if with_names:
            yield f" {key.account}"
        if key is not keys[-1]:
            yield ","


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
    silent = engine.state.silent and engine.emptied_ns is None
    controls = engine.frame.controls if engine.frame is not None else ()
    if engine.state is EngineState.STALE and any(Why.SUSPENDED.value in one for one in controls):
        yield Text(" Ctrl+Z has stopped it: `fg` in its terminal, and it goes on.", "yellow")
    elif engine.state is EngineState.STALE:
        way = " `mmbot cancel-all` works without it." if silent else ""
        yield Text(f" It does not speak: below is what it said last.{way}", "red")
    elif engine.state is EngineState.DEAD:
        left = ": orders may be open. Start it again, or `mmbot cancel-all`." if silent else "."
        yield Text(f" Its process is gone{left}", "red")
    elif engine.run.exit_code == ExitCode.ORDERS_MAY_REMAIN and engine.emptied_ns is None:
        yield Text(" It could not prove that its orders are gone: `mmbot cancel-all`.", "red")
    if engine.emptied_ns is not None:
        at = moment(engine.emptied_ns)
        yield Text(f" Nothing of ours is open there: `mmbot cancel-all`, {at}.", "green")
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


def _traffic(frame: StatusFrame, hour: OrderToVolume) -> Iterator[Text]:
    """Order-to-volume of the last hour, and the time in the market, a mean over instruments."""
    line = Text(f"last hour {hour.messages} messages")
    if hour.per_trade is not None and hour.per_1000_usd is not None:
        style = "yellow" if hour.slowed else ""
        line.append(f", {hour.per_trade:.1f} a trade", style)
        line.append(f", {hour.per_1000_usd:.1f} per 1,000 USD", style)
    yield line
    before = "in the market  "
    for side, name in (("buy", "bid"), ("sell", "ask")):
        shares = [row.quoted_share[side] for row in frame.rows if side in row.quoted_share]
        if shares:
            yield Text(f"{before}{name} {100 * sum(shares) / len(shares):.1f} %")
            before = ""


def _foreign(frame: StatusFrame) -> Text:
    some = ", ".join(_order(order) for order in frame.foreign[:_FOREIGN_MAX])
    more = len(frame.foreign) - _FOREIGN_MAX
    return Text(f"not ours: {some}{f' and {more} more' if more > 0 else ''}", "yellow")


def _order(order: ForeignOrder) -> str:
    """As far as the venue tells: a stop order has no price."""
    amount = "?" if order.amount is None else plain(order.amount)
    price = "" if order.price is None else f" at {plain(order.price)}"
    return f"{order.side} {amount} {order.instrument}{price}"


def _table(frame: StatusFrame, rows: Sequence[InstrumentRow], width: int) -> InstrumentTable:
    profits = header.row_profits(frame)
    columns = [
        *cells.market_columns(rows),
        *cells.size_columns(rows),
        Column("fair", [Text(cells.fair(row)) for row in rows], "dim"),
        Column("pos", [cells.position(row.position) for row in rows]),
        Column("delta", [cells.delta(row.delta_coin) for row in rows]),
        Column("PnL", [cells.profit(profits[row.instrument]) for row in rows]),
        Column("filled", [Text(_ago(row.last_fill_s)) for row in rows]),
    ]
    return cells.instrument_table(rows, columns, width, cells.desks_above(frame, rows))


def _positions(frame: StatusFrame, rows: Sequence[InstrumentRow], width: int) -> InstrumentTable:
    """What is left of a run that has ended: what is held, and what was earned."""
    profits = header.row_profits(frame)
    columns = [
        Column("instrument", [Text(row.instrument) for row in rows]),
        Column("pos", [cells.position(row.position) for row in rows]),
        Column("delta", [cells.delta(row.delta_coin) for row in rows]),
        Column("PnL", [cells.profit(profits[row.instrument]) for row in rows]),
        Column("filled", [Text(_ago(row.last_fill_s)) for row in rows]),
    ]
    said = [Text("" if row.quoted else row.why.value, "dim") for row in rows]
    return InstrumentTable(columns, said, width, "", cells.desks_above(frame, rows))


def _ago(age_s: float | None) -> str:
    """How long ago, in the largest unit that leaves a number."""
    if age_s is None:
        return "-"
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if age_s >= seconds:
            return f"{age_s / seconds:.0f}{unit}"
    return f"{age_s:.0f}s"
