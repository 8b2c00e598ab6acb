"""Ctrl+Z: the quotes are taken back, then the process stops; `fg` or `bg` and it quotes again.

A stopped process can neither move nor cancel what rests: until the venue's dead-man's switch ends
the connection, 10 to 20 s with heartbeats of 10 s, anybody could trade on old prices. So
SIGTSTP is not left to the system. A handler pauses the quoting, waits until no order of ours is
open (over the second path, where the first one does not do it in time), and only then stops, with
SIGSTOP to this process alone: the terminal has sent SIGTSTP to the others of the job already.

Continued, the engine has been away: it reads lease and latch again and asks the venue before it
quotes, like after any absence, but a person who stopped it wants no kill switch for that. A pause
that was there before is there again. Who continues it before it has stopped gets no stop.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable

from mmbot.clock import Clock
from mmbot.core import events as ev
from mmbot.core.why import Why
from mmbot.engine.runner import Runner
from mmbot.ops.limit import ALWAYS

TAKE_BACK_S = 3.0
"""How long the quotes may take over the trading link."""

SECOND_PATH_S = 2.0
"""How long they may take over REST after that."""

LOOK_S = 0.025

_log = logging.getLogger(__name__)


class Suspension:
    """What Ctrl+Z does to one engine. `runner` and `record` are set once there is one; `shown` is
    told before the process stops (True) and when it goes on (False)."""

    def __init__(self, clock: Clock, shown: Callable[[bool], None] | None) -> None:
        self.runner: Runner | None = None
        self.record: Callable[[], Awaitable[object]] | None = None
        """Lets others see how things stand, for as long as nobody can be asked."""
        self._clock = clock
        self._shown = shown
        self._task: asyncio.Task[None] | None = None
        self._continued = False
        self._before: Why | None = None

    def on_signals(self) -> None:
        """From now on, unless whoever started us had Ctrl+Z ignored."""
        if signal.getsignal(signal.SIGTSTP) is signal.SIG_IGN:
            return
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTSTP, self._asked)
        loop.add_signal_handler(signal.SIGCONT, self._go_on)

    def _asked(self) -> None:
        if self._task is None or self._task.done():
            self._continued = False
            self._task = asyncio.ensure_future(self._suspend())

    def _go_on(self) -> None:
        self._continued = True

    async def _suspend(self) -> None:
        runner = self.runner
        quotes = runner is not None and runner.state.watch.ticking_ns > 0
        if runner is not None and quotes:
            await self._take_back(runner)
        if self.record is not None:
            await self.record()
        if self._shown is not None:
            self._shown(True)
        if not self._continued:
            _log.warning("suspended: `fg` quotes again", extra=ALWAYS)
            os.kill(os.getpid(), signal.SIGSTOP)
            _log.warning("continued", extra=ALWAYS)
        if self._shown is not None:
            self._shown(False)
        if runner is not None and quotes:
            await self._quote_again(runner)

    async def _take_back(self, runner: Runner) -> None:
        """Until nothing of ours is open, within bounds."""
        state, end_s = runner.state, self._clock.monotonic_s() + TAKE_BACK_S
        self._before = state.paused
        while not self._continued and not runner.broken and self._clock.monotonic_s() < end_s:
            held = _leaves(runner) or state.paused is Why.SUSPENDED
            if held and not any(order.working for order in state.orders.all()):
                return
            if not held:
                self._before = state.paused
                runner.sink(ev.Pause(Why.SUSPENDED))
            await self._clock.sleep(LOOK_S)
        if self._continued:
            return
        left = await runner.take_back(SECOND_PATH_S)
        if any(orders is None or orders for orders in left.values()):
            _log.error(
                "orders may be open while this is stopped: run `mmbot cancel-all` in another "
                "terminal",
                extra=ALWAYS,
            )

    async def _quote_again(self, runner: Runner) -> None:
        """Only after a turn in which the absence is noticed, however short it was."""
        state, turns = runner.state, runner.state.turns
        runner.sink(ev.LeaseLate())
        while state.turns == turns and not runner.broken:
            runner.sink(ev.Tick())
            await self._clock.sleep(LOOK_S)
        if state.paused is Why.SUSPENDED:
            runner.sink(ev.Unpause() if self._before is None else ev.Pause(self._before))


def _leaves(runner: Runner) -> bool:
    """Whether everything of ours goes anyway."""
    return runner.state.exit_ns > 0
