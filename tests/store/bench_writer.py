"""What the store costs the event loop: `python -m tests.store.bench_writer`. Figures, no verdicts.

* put: one record into the queue, and making the record itself.
* pace: a loop that wakes every millisecond, how late it wakes, with an idle and a busy writer.
"""

import asyncio
import gc
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from mmbot.core.order_life import Status
from mmbot.store.records import OrderNoted
from mmbot.store.writer import Writer
from tests.builders import an_option, an_order
from tests.store.desk import a_location, a_note, a_record, an_engine

PUTS = 10_000
WAKES = 3_000
WAKE_EVERY_S = 0.001
ORDERS_PER_WAKE = 2
"""2,000 orders a second, each of them new and finished: far more than any venue allows."""


async def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        location = a_location(Path(folder))
        async with an_engine(location, capacity=10 * PUTS) as engine:
            writer = engine.writer
            note, fill, order = a_note(), a_record(1), an_order()
            print(f"put of an order note    {per_call_ns(lambda: writer.put(note)):8.0f} ns")
            engine.flush()
            print(f"put of a fill           {per_call_ns(lambda: writer.put(fill)):8.0f} ns")
            engine.flush()
            print(f"making an order note    {per_call_ns(lambda: OrderNoted.of(order)):8.0f} ns")
            print(f"reading full            {per_call_ns(lambda: writer.full):8.0f} ns")
            engine.flush()
            await pace("idle writer", lambda step: None)
            await pace("2,000 orders a second", lambda step: busy(writer, step))
            engine.flush()
            await pace("100 fills a second", lambda step: filling(writer, step))
            engine.flush()


def per_call_ns(call: Callable[[], object]) -> float:
    """The median of many rounds."""
    rounds = []
    gc.disable()
    for _ in range(20):
        start = time.perf_counter_ns()
        for _ in range(PUTS // 20):
            call()
        rounds.append((time.perf_counter_ns() - start) / (PUTS // 20))
    gc.enable()
    return statistics.median(rounds)


async def pace(name: str, work: Callable[[int], None]) -> None:
    """How late a loop wakes while it hands work to the writer."""
    late_us = []
    for step in range(WAKES):
        before = time.perf_counter()
        await asyncio.sleep(WAKE_EVERY_S)
        late_us.append((time.perf_counter() - before - WAKE_EVERY_S) * 1e6)
        work(step)
    late_us.sort()
    p50, p99, last = (late_us[int(WAKES * part)] for part in (0.5, 0.99, 0.999))
    print(f"wake-up, {name:22} p50 {p50:6.0f} us  p99 {p99:6.0f} us  p99.9 {last:6.0f} us")


def busy(writer: Writer, step: int) -> None:
    for number in range(ORDERS_PER_WAKE):
        writer.put(a_note(f"mm{step}-{number}", status=Status.DONE))


def filling(writer: Writer, step: int) -> None:
    if step % 10 == 0:
        writer.put(a_record(1000 + step, instrument=an_option()))


if __name__ == "__main__":
    asyncio.run(main())
