"""The way out of a process, as the engine goes it (engine/runner.py), in virtual time.

Nothing new is placed and everything of ours is cancelled, until every account is proved flat. An
account that cannot be proved in time is emptied over the second path, tried again for a while. Then
the process says what it has left behind: on each account nothing, these orders, or nobody knows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from mmbot.core import events as ev
from mmbot.core.exit import taken_over, unproved
from mmbot.core.intents import FallbackCancel
from mmbot.core.state import State
from mmbot.core.statements import OpenOrder
from mmbot.core.types import MS, SECOND, Nanos
from mmbot.core.why import Why
from mmbot.sim.virtual.account import VirtualAccount
from mmbot.sim.virtual.timeline import Timeline

LOOK_NS: Nanos = 25 * MS
FIRST_PATH_NS: Nanos = 10 * SECOND
SECOND_PATH_NS: Nanos = 4 * SECOND
WAIT_NS: Final[tuple[Nanos, Nanos]] = (SECOND // 2, 4 * SECOND)
"""Between two tries over the second path: the first wait, which doubles, and the longest."""

Left = Mapping[str, Sequence[OpenOrder] | None]
"""By venue, which orders of ours are still open; None where that could not be asked."""


@dataclass(slots=True)
class _SecondPath:
    """How one account is emptied over the second path."""

    began_ns: Nanos
    wait_ns: Nanos = WAIT_NS[0]


class Leaving:
    """One process on its way out; `done` is told what it has left, once."""

    def __init__(
        self,
        timeline: Timeline,
        state: State,
        accounts: Mapping[str, VirtualAccount],
        sink: Callable[[ev.Event], None],
        done: Callable[[Left], None],
    ) -> None:
        self._timeline = timeline
        self._state = state
        self._accounts = accounts
        self._sink = sink
        self._done = done
        self._left: dict[str, Sequence[OpenOrder] | None] = {}
        self._second: dict[str, _SecondPath] = {}
        self._deadline_ns = timeline.now_ns + FIRST_PATH_NS
        self._over = False

    def begin(self, why: Why) -> None:
        """Ask for it. Where every account is another engine's, nothing is ours to do."""
        self._left |= dict.fromkeys(taken_over(self._state, self._accounts))
        if len(self._left) == len(self._accounts):
            self._end()
            return
        self._sink(ev.Stop(why))
        self._look()

    def abandon(self) -> None:
        """The process died on its way out: nobody says anything."""
        self._over = True

    def heard(self, event: ev.Event) -> None:
        """The process is told this: perhaps what came of the second path."""
        if not isinstance(event, ev.FallbackTried):
            return
        tried = self._second.get(event.venue)
        if self._over or tried is None or event.asked_ns < tried.began_ns:
            return
        due_ns = min(self._timeline.now_ns + tried.wait_ns, tried.began_ns + SECOND_PATH_NS)
        if event.left is None and due_ns > self._timeline.now_ns:
            tried.wait_ns = min(2 * tried.wait_ns, WAIT_NS[1])
            self._timeline.at(due_ns, partial(self._take_back, event.venue))
            return
        del self._second[event.venue]
        self._left[event.venue] = event.left
        if not self._second:
            self._timeline.after(0, self._end)  # behind the turn that hears of it too

    def _look(self) -> None:
        """Every few milliseconds: is anything left to prove?"""
        if self._over:
            return
        waits = unproved(self._state, self._accounts)
        if waits and self._timeline.now_ns < self._deadline_ns:
            self._sink(ev.Tick())
            self._timeline.after(LOOK_NS, self._look)
            return
        self._left |= dict.fromkeys(taken_over(self._state, self._accounts))
        for name in self._accounts:
            if name in waits:
                self._second[name] = _SecondPath(self._timeline.now_ns)
            else:
                self._left.setdefault(name, ())
        for name in waits:
            self._take_back(name)
        if not waits:
            self._end()

    def _take_back(self, name: str) -> None:
        line = self._accounts[name].line
        if not self._over and line is not None:
            line.submit([FallbackCancel(name, Why.STOPPING)])

    def _end(self) -> None:
        if self._over:
            return
        self._over = True
        self._done(self._left)
