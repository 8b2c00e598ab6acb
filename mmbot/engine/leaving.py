"""How a run is asked to leave: by a signal, whenever it comes; and what it says in the end."""

import asyncio
import logging
import signal
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mmbot.core import events as ev
from mmbot.core.why import Why
from mmbot.engine.runner import Left, Runner
from mmbot.errors import Interrupted
from mmbot.ops.limit import ALWAYS

T = TypeVar("T")

_log = logging.getLogger("mmbot")

_LEAVE_ON = {
    signal.SIGINT: "Ctrl+C",
    signal.SIGTERM: "SIGTERM",
    signal.SIGHUP: "its terminal was closed",
    signal.SIGQUIT: "SIGQUIT",
    signal.SIGUSR1: "SIGUSR1",
}
"""SIGUSR1 trips the kill switch as soon as there is one (trip_on_signal)."""


@dataclass(slots=True)
class Leave:
    """Whether somebody wants us to leave, and by what."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    why: str = ""

    def on_signals(self) -> None:
        """Ctrl+C and `kill` mean it, and so does a terminal that is closed, unless `nohup` or a
        shell's `&` had that ignored from the start."""
        loop = asyncio.get_running_loop()
        for ending, why in _LEAVE_ON.items():
            always = ending in (signal.SIGINT, signal.SIGTERM)
            if always or signal.getsignal(ending) is not signal.SIG_IGN:
                loop.add_signal_handler(ending, self._ask, why)

    def _ask(self, why: str) -> None:
        if self.asked.is_set():
            _log.warning("already leaving: orders are being cancelled, this takes a moment")
            return
        self.why = why
        self.asked.set()


async def unless(leave: asyncio.Event, starting: Coroutine[Any, Any, T]) -> T:
    """What comes of it, unless leaving is asked for before: then Interrupted."""
    start, asked = asyncio.ensure_future(starting), asyncio.ensure_future(leave.wait())
    await asyncio.wait((start, asked), return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not start.done():
        start.cancel()
        await asyncio.wait((start,))
        if start.cancelled() or start.exception():
            raise Interrupted("stopped before it had begun: nothing was sent")
    return start.result()


def trip_on_signal(runner: Runner) -> None:
    """`kill -USR1` is a kill switch that needs neither store nor disk."""
    trip = ev.Trip(Why.SIGNAL, "SIGUSR1")
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, runner.sink, trip)


def tell_left(left: Left) -> None:
    """Every order that is still open; with several venues, how each of them was left."""
    for orders in left.values():
        for order in orders or ():
            _log.error("still open: %s %s", order.label, order.instrument, extra=ALWAYS)
    if len(left) < 2:
        return
    for venue, orders in left.items():
        if orders is None:
            said = "nobody knows what is left: the venue could not be asked"
            _log.error("%s: %s", venue, said, extra=ALWAYS)
        elif orders:
            _log.error("%s: %d of our orders are left", venue, len(orders), extra=ALWAYS)
        else:
            _log.info("%s: proved that nothing of ours is left", venue, extra=ALWAYS)
