"""How a run is asked to leave: by a signal, whenever it comes."""

import asyncio
import logging
import signal
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from mmbot.core import events as ev
from mmbot.core.why import Why
from mmbot.engine.runner import Runner
from mmbot.errors import Interrupted

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
