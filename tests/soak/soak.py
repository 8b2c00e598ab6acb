"""`python -m tests.soak [--messages N] [--json]`: nothing may grow, however long it runs.

Theory of operation
-------------------
The engine of `mmbot quote` runs in this process, its venue (`venue.py`) in a child. The venue is
told to let a portion of the messages pass, as fast as the engine takes them; then it falls silent,
and when the engine has come to rest everything that could grow is counted. At rest means: both
links up, every order live, no question to the venue outstanding. Every now and then a connection is
cut between two portions.

Memory is judged by the slope of a straight line through the samples after the warm-up, in which
bounded memories fill up: what the process occupies, and the pieces of memory that are alive in it,
which tell a leak from a large moment. Of tasks, file descriptors and threads there must not be more
in the second half than in the first (the connection for REST comes and goes), and queues must be
empty enough. In the end the engine leaves, and what the store has booked must be what the venue
has filled. Exit code 1: something grew, or did not add up.
"""

import argparse
import asyncio
import json
import logging
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from itertools import cycle
from logging.handlers import RotatingFileHandler
from pathlib import Path
from statistics import linear_regression
from tempfile import TemporaryDirectory
from time import monotonic

import uvloop
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from mmbot.assemble import assemble
from mmbot.clock import Clock
from mmbot.config import Mode, load_config
from mmbot.core.order_life import Status
from mmbot.core.why import Why
from mmbot.engine.report import status_frame
from mmbot.engine.supervise import Engine
from mmbot.store.locations import locate
from mmbot.store.queries import Reader
from mmbot.venues.deribit.venue import DeribitVenue

MESSAGES = 5_000_000
PORTIONS = 50
WARM_UP = 0.3
"""The part of the run in which bounded memories may fill up."""
CUT_EVERY_S = 15.0
"""Connections are broken so often: the client is slow to return to a venue it has just lost."""
RSS_SLOPE_MAX = 1.0
"""MB per million messages."""
RSS_JUDGED_FROM = 2_000_000
"""A slope over fewer messages says nothing about what a process occupies ..."""
BLOCKS_SLOPE_MAX = 10_000.0
"""Per million messages: one kept in a hundred."""
BLOCKS_SLOPE_EARLY_MAX = 50_000.0
"""The same over fewer messages than RSS_JUDGED_FROM: what is bounded is still filling up."""
BLOCKS_JUDGED_FROM = 100_000
"""... nor, over fewer than these, about what is alive in it."""
QUEUED_MAX = 200
"""Records and events waiting while nothing happens."""
REST_S = 30.0
HEARTBEAT_S = 1.0
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Everything that could grow, at rest."""

    messages: int
    seconds: float
    rss_mb: float
    blocks: int
    """Pieces of memory that Python has given out: what is alive, whatever the process keeps."""
    tasks: int
    fds: int
    threads: int
    store_fds: int
    """Of the file descriptors, those of the store's files."""
    store_mb: float
    queued: int
    """Events for the core, records and notes for the store."""
    orders: int
    """Working, or owing us a fill."""
    requests: int
    """To the venue, not answered yet."""
    fills: int


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the verdict; `ok` is None where there is too little to judge by."""

    what: str
    value: str
    bound: str
    ok: bool | None


def judge(samples: Sequence[Sample]) -> list[Finding]:
    """What the samples after the warm-up say."""
    end = samples[-1].messages
    settled = [s for s in samples if s.messages >= WARM_UP * end]
    span = end - settled[0].messages
    first, last = settled[0], settled[-1]
    rss = slope_per_million(settled, lambda s: s.rss_mb)
    blocks = slope_per_million(settled, lambda s: s.blocks)
    blocks_max = BLOCKS_SLOPE_MAX if span >= RSS_JUDGED_FROM else BLOCKS_SLOPE_EARLY_MAX
    half = len(settled) // 2
    findings = [
        Finding(
            "resident memory",
            f"{rss:+.2f} MB per million ({first.rss_mb:.1f} to {last.rss_mb:.1f} MB)",
            f"less than {RSS_SLOPE_MAX:g}",
            rss < RSS_SLOPE_MAX if span >= RSS_JUDGED_FROM else None,
        ),
        Finding(
            "pieces of memory alive",
            f"{blocks:+,.0f} per million ({first.blocks:,} to {last.blocks:,})",
            f"less than {blocks_max:,.0f}",
            blocks < blocks_max if span >= BLOCKS_JUDGED_FROM else None,
        ),
    ]
    for what, of in (
        ("tasks", lambda s: s.tasks),
        ("file descriptors", lambda s: s.fds),
        ("of them the store's", lambda s: s.store_fds),
        ("threads", lambda s: s.threads),
    ):
        before, after = (max(map(of, part), default=0) for part in (settled[:half], settled[half:]))
        findings.append(
            Finding(what, f"at most {before}, then {after}", "constant", after <= before)
        )
    for what, of, bound in (
        ("queued for core and store", lambda s: s.queued, QUEUED_MAX),
        ("orders in the table", lambda s: s.orders, QUEUED_MAX),
        ("requests without an answer", lambda s: s.requests, QUEUED_MAX),
    ):
        most = max(of(s) for s in settled)
        findings.append(Finding(what, f"at most {most}", f"at most {bound}", most <= bound))
    growth = slope_per_million(settled, lambda s: s.store_mb)
    text = f"{growth:+.2f} MB per million ({settled[-1].store_mb:.1f} MB)"
    findings.append(Finding("store", text, "kept a month", None))
    return findings


def slope_per_million(samples: Sequence[Sample], of: Callable[[Sample], float]) -> float:
    """Least squares, per million messages; 0 for a single sample."""
    if len(samples) < 2:
        return 0.0
    messages = [s.messages / 1e6 for s in samples]
    return linear_regression(messages, [of(s) for s in samples]).slope


# --- the run ----------------------------------------------------------------------------------


class Venue:
    """The child process that is the venue."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.url = url
        self._process = process

    async def tell(self, command: str) -> dict[str, object]:
        """Do this, and what came of it. Raises RuntimeError when it could not be done."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(command.encode() + b"\n")
        answer = json.loads(await self._process.stdout.readline() or '{"error": "it is gone"}')
        if "error" in answer:
            raise RuntimeError(f"the soak's venue: {answer['error']}")
        return dict(answer)


@asynccontextmanager
async def _venue() -> AsyncIterator[Venue]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.soak.venue", stdin=pipe, stdout=pipe
    )
    try:
        assert process.stdout is not None
        yield Venue(process, (await process.stdout.readline()).decode().strip())
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@asynccontextmanager
async def _engine(url: str) -> AsyncIterator[Engine]:
    """The engine as `mmbot quote` runs it, quoting four options."""
    flags = {"--exchange": "deribit", "--expiry": "20250606", "--strikes": "2800,2900"}
    flags |= {"--sim-url": url, "--refresh": "0.1", "--size": "2"}
    engine = await assemble(load_config(flags, None), Clock())
    leave, chores = asyncio.Event(), list[asyncio.Future[None]]()
    try:
        await engine.members[0].venue.connect(engine.runner.sink, engine.instruments)
        chores.append(asyncio.ensure_future(engine.runner.run(leave, None)))
        chores.append(asyncio.ensure_future(_heartbeat(engine)))
        yield engine
    finally:
        leave.set()
        for chore in chores:
            chore.cancel()
            with suppress(asyncio.CancelledError):
                await chore
        await engine.close(0)


async def _heartbeat(engine: Engine) -> None:
    while True:
        now_ns = engine.clock.now_ns()
        engine.store.publish(
            status_frame(engine.runner.state, "sim", engine.members[0].venue.name, now_ns)
        )
        await engine.clock.sleep(HEARTBEAT_S)


async def _at_rest(engine: Engine) -> None:
    """Until nothing is going on. Raises RuntimeError when that does not come."""
    state = engine.runner.state
    account = state.account(engine.members[0].venue.name)
    end_s = monotonic() + REST_S
    while not (
        account.trading_up
        and account.market_up
        and account.reconciled
        and not account.asked_ns
        and state.orders.by_label
        and all(order.status is Status.LIVE for order in state.orders.all())
    ):
        if state.latch.tripped is not None:
            raise RuntimeError(f"{state.latch.tripped.value}: {state.latch.detail}")
        if monotonic() > end_s:
            raise RuntimeError(f"the engine did not come to rest within {REST_S:.0f} s")
        await asyncio.sleep(0.01)


def _sample(engine: Engine, messages: int, began_s: float, store: Path) -> Sample:
    state, writer = engine.runner.state, engine.store.writer
    open_files = [_target(fd) for fd in os.listdir("/proc/self/fd")]
    waiting = len(engine.runner._inbox) + len(state.entries) + len(state.notes)
    assert isinstance(engine.members[0].venue, DeribitVenue)
    return Sample(
        messages=messages,
        seconds=round(monotonic() - began_s, 1),
        rss_mb=int(Path("/proc/self/statm").read_text().split()[1]) * PAGE_MB,
        blocks=sys.getallocatedblocks(),
        tasks=len(asyncio.all_tasks()),
        fds=len(open_files),
        threads=threading.active_count(),
        store_fds=sum(name.startswith(str(store)) for name in open_files),
        store_mb=sum(f.stat().st_size for f in store.parent.glob(store.name + "*")) / 1e6,
        queued=waiting + writer.unwritten + len(state.orders.changed),
        orders=len(state.orders.by_label),
        requests=engine.members[0].venue._session.connection.in_flight,
        fills=sum(state.inventory.session_fills(m.instrument) for m in state.markets.values()),
    )


def _target(fd: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{fd}")
    except OSError:
        return ""  # the one the listing itself was read through


async def soak(messages: int, progress: Callable[[Sample], None]) -> tuple[list[Sample], str]:
    """The samples, and what did not add up in the end ("" if all did). Raises RuntimeError."""
    location = locate(Mode.SIM, os.environ)
    assert location.path is not None
    portion, began_s = max(1, messages // PORTIONS), monotonic()
    cuts, cut_s = cycle(("both", "market", "trading")), began_s
    samples: list[Sample] = []
    async with _venue() as venue, _engine(venue.url) as engine:
        for number in range(PORTIONS):
            await _at_rest(engine)
            said = await venue.tell(f"go {portion}")
            await _at_rest(engine)
            samples.append(_sample(engine, int(str(said["messages"])), began_s, location.path))
            progress(samples[-1])
            if monotonic() > cut_s + CUT_EVERY_S or number == PORTIONS // 2:
                await venue.tell(f"cut {next(cuts)}")
                cut_s = monotonic()
        left = await engine.runner.stop(Why.USER)
        engine.runner.flush()
        wrong = (
            [] if not any(left.values()) and None not in left.values() else [f"orders left: {left}"]
        )
        said = await venue.tell("go 0")
        if not await asyncio.to_thread(engine.store.writer.flush, REST_S):
            wrong.append(f"not written: {engine.store.writer.problem}")
    reader = Reader(location)
    booked = sum(1 for _ in reader.fills())
    if booked != said["fills"]:
        wrong.append(f"{said['fills']} fills at the venue, {booked} in the store")
    held = {row.instrument.partition(":")[2]: row.amount for row in reader.positions()}
    if {name: int(amount) for name, amount in held.items()} != said["positions"]:
        wrong.append(f"positions {said['positions']} at the venue, {held} in the store")
    return samples, "; ".join(wrong)


# --- the command ------------------------------------------------------------------------------


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--messages", type=int, default=MESSAGES, help="default: 5 million")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    given = parser.parse_args()
    with TemporaryDirectory() as home:
        os.environ["MMBOT_HOME"] = home
        _log_to(Path(home) / "log")
        try:
            samples, wrong = uvloop.run(_run(given.messages))
        except RuntimeError as error:
            print(f"soak: {error}", file=sys.stderr)
            return 1
    findings = judge(samples)
    if wrong:
        findings.append(Finding("the books", wrong, "equal", False))
    ok = all(finding.ok is not False for finding in findings)
    if given.json:
        said = {
            "ok": ok,
            "findings": [asdict(finding) for finding in findings],
            "samples": [asdict(sample) for sample in samples],
        }
        print(json.dumps(said))
    else:
        Console(width=100).print(_table(samples), _verdict(findings))
    return 0 if ok else 1


async def _run(messages: int) -> tuple[list[Sample], str]:
    console = Console(stderr=True, width=100)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task("messages", total=messages)

        def show(sample: Sample) -> None:
            bar.update(task, completed=sample.messages)
            if not console.is_terminal:
                rate = sample.messages / max(sample.seconds, 0.1)
                print(
                    f"{sample.messages:,} messages, {sample.seconds:.0f} s ({rate:,.0f}/s), "
                    f"{sample.rss_mb:.1f} MB, {sample.blocks:,} blocks, {sample.fills} fills",
                    file=sys.stderr,
                    flush=True,
                )

        return await soak(messages, show)


def _log_to(file: Path) -> None:
    """The same log lines as `mmbot quote` writes, into a file that does not grow for ever."""
    root = logging.getLogger()
    root.handlers = [RotatingFileHandler(file, maxBytes=10_000_000, backupCount=1)]
    root.setLevel(logging.INFO)


def _table(samples: Sequence[Sample]) -> Table:
    """Every fifth of the run, at most 100 columns wide."""
    columns = ("messages", "s", "RSS MB", "tasks", "fds", "store fds", "store MB", "queued")
    table = Table(*columns, "orders", "fills", title="mmbot soak")
    for column in table.columns:
        column.justify = "right"
    shown = samples[:: max(1, len(samples) // 10)]
    for s in (*shown, *([samples[-1]] if shown[-1] is not samples[-1] else [])):
        table.add_row(
            f"{s.messages:,}",
            f"{s.seconds:.0f}",
            f"{s.rss_mb:.1f}",
            *(str(n) for n in (s.tasks, s.fds, s.store_fds)),
            f"{s.store_mb:.1f}",
            *(str(n) for n in (s.queued, s.orders, s.fills)),
        )
    return table


def _verdict(findings: Sequence[Finding]) -> Table:
    table = Table("after warm-up", "found", "is to be", "")
    words = {None: "", True: "[green]pass", False: "[red]grows"}
    for finding in findings:
        table.add_row(finding.what, finding.value, finding.bound, words[finding.ok])
    return table
