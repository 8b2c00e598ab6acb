"""A venue's links kept up, let in, subscribed, and honest; without I/O and without a clock.

Theory of operation
-------------------
Two *links*, MARKET for public data and TRADING for orders and everything private. A link is dialed,
signed in and subscribed, announced, looked after until it is lost, and after a wait dialed again
(`lives.py`). Whoever drives the connection calls its entries with the time and carries out the
effects (`venues/effects.py`). House rules:

1. Frames are handled as they arrive, and nothing a frame or a handler does can end an entry by
   raising: what goes wrong is contained and told to `on_fault` (`frames.py`).
2. A request ends exactly once (`calls.py`). A lost link ends everything in flight on it as
   UNKNOWN; nothing is ever sent again by itself.
3. A book is right or invalid (`book.py`, `subscriptions.py`). Nothing of it survives a lost link,
   and messages of an old connection are never heard.
4. No order leaves on a TRADING link before cancel-on-disconnect has been asked for and read back
   there.
5. After a failure of the line we are back within 2 s of its end, however often it fails. A venue
   that does not want us (sign-ins refused, sessions ended) is left alone for longer each time.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from mmbot.core.events import Link
from mmbot.core.types import Nanos
from mmbot.venues.answers import LinkDown
from mmbot.venues.calls import Calls, Told, Turn
from mmbot.venues.dialect import Dialect
from mmbot.venues.effects import Effect, Frame, HttpAnswer
from mmbot.venues.frames import Frames
from mmbot.venues.hooks import Hooks
from mmbot.venues.link import LinkState
from mmbot.venues.lives import DEADLINE_S
from mmbot.venues.recipe import Recipe
from mmbot.venues.requests import Done
from mmbot.venues.timers import Timer
from mmbot.venues.timing import Timing


class Connection(Hooks):
    """Both links. What the venue's own connection adds is who is let in, and what frames say.

    An *entry* (start, stop, opened, closed, receive, answered, unsent, tick) is called with the
    time and returns what is to be done. The other methods are for whoever stands on this, between
    `at` and `settle`: what they put into `effects` is to be carried out too. Except by `cut`, no
    `done` is called from within them.
    """

    _frames: Frames

    def __init__(self, dialect: Dialect, timing: Timing, start_ns: Nanos) -> None:
        self.timing = timing
        self.links = {link: LinkState(link) for link in Link}
        self._calls = Calls(dialect, self.links, start_ns, self._fault)

    def _hear(self, frames: Frames) -> None:
        """What is said goes there."""
        self._frames = frames
        self._lives, self._subscriptions = frames.lives, frames.subscriptions

    # -- What is so ------------------------------------------------------------------------------

    @property
    def effects(self) -> list[Effect]:
        """What is to be done and has not been handed over yet."""
        return self._calls.effects

    @property
    def due_ns(self) -> Nanos | None:
        """When to `tick`, unless something else happens before."""
        return self._calls.due_ns

    @property
    def now_ns(self) -> Nanos:
        """Desk time as the present entry was told it."""
        return self._calls.timers.now_ns

    @property
    def now_s(self) -> float:
        """Seconds since the start, of the same clock."""
        return self._calls.now_s

    @property
    def in_flight(self) -> int:
        """Requests that have not ended."""
        return len(self._calls.requests)

    def next_id(self) -> int:
        """A number never used before on either link."""
        return self._calls.requests.next_id()

    def up(self, link: Link) -> bool:
        """Whether the connection is established, signed in and subscribed."""
        return self.links[link].up

    def silent_s(self, link: Link) -> float:
        """Seconds since the last frame; infinite before the first connection."""
        return self._calls.now_s - self.links[link].heard_s

    # -- Entries ---------------------------------------------------------------------------------

    def start(
        self, links: Iterable[Link], channels: Mapping[Link, Iterable[str]], now_ns: Nanos
    ) -> Sequence[Effect]:
        """Keep these links up from now on, with these channels. `on_started` tells how the first
        attempt of each ended; where it failed there is no second one before another `start`."""
        self.at(now_ns)
        for name in links:
            self.want(name, channels.get(name, ()))
            self._lives.start(self.links[name])
        return self.settle()

    def stop(self, now_ns: Nanos) -> Sequence[Effect]:
        """End everything, politely. What is in flight ends as UNKNOWN."""
        self.at(now_ns)
        for link in self.links.values():
            self._lives.stop(link)
        self._calls.give_up(lambda _: True)
        return self.settle()

    def opened(self, link: Link, now_ns: Nanos) -> Sequence[Effect]:
        """A connection that was dialed is established."""
        self.at(now_ns)
        self._lives.opened(self.links[link])
        return self.settle()

    def closed(self, link: Link, why: str, now_ns: Nanos) -> Sequence[Effect]:
        """A connection is over, or could not be established."""
        self.at(now_ns)
        self._lives.closed(self.links[link], why)
        return self.settle()

    def receive(self, link: Link, frame: Frame | str | bytes, now_ns: Nanos) -> Sequence[Effect]:
        """A frame came over the present connection of a link."""
        self.at(now_ns)
        self._frames.heard(self.links[link], frame)
        return self.settle()

    def answered(self, http_id: int, answer: HttpAnswer, now_ns: Nanos) -> Sequence[Effect]:
        """A REST request has ended."""
        self.at(now_ns)
        self._calls.answered(http_id, answer)
        return self.settle()

    def unsent(self, frame: Frame, why: str, now_ns: Nanos) -> Sequence[Effect]:
        """A frame could not be written, and certainly has not left."""
        self.at(now_ns)
        self._calls.unsent(frame.get("id"), why)
        return self.settle()

    def tick(self, now_ns: Nanos) -> Sequence[Effect]:
        """Time has passed."""
        self.at(now_ns)
        self._calls.timers.run()
        return self.settle()

    def at(self, now_ns: Nanos) -> None:
        """The beginning of an entry: it is so late now."""
        self._calls.timers.at(now_ns)

    def settle(self) -> list[Effect]:
        """The end of an entry: tell what there is to tell, and hand over the effects."""
        return self._calls.settle()

    def drain(self) -> list[Effect]:
        """The effects, handed over; what there is to tell waits for the next entry."""
        return self._calls.drain()

    # -- Asking ----------------------------------------------------------------------------------

    def send(
        self,
        link: Link,
        method: str,
        params: Mapping[str, Any],
        done: Done | None = None,
        timeout_s: float = DEADLINE_S,
    ) -> int:
        """Put a request out at once; its id.

        `done` is called with the Reply, later, exactly once. While the link is not up nothing is
        sent, and the reply says UNKNOWN with `sent` false.
        """
        if not self.links[link].up:
            return self._calls.refuse(f"{link.name} is not connected", done)
        return self._calls.send(self.links[link], method, params, done, timeout_s)

    def run(self, recipe: Recipe[Any], done: Told) -> None:
        """Drive a recipe: `done(result, None)` or `done(None, error)`, once and later. Its
        questions wait for their place in their pools, and those on a link that is not up are
        answered as unsent."""
        self._calls.run(recipe, done)

    def subscribe(self, link: Link, channels: Iterable[str]) -> None:
        """Keep these channels from now on. What the venue does not subscribe is a fault."""
        wanted = list(channels)
        self.want(link, wanted)
        if self.up(link):
            self.run(self.subscribed(link, wanted), self._fault_of)

    def unsubscribe(self, link: Link, channels: Iterable[str]) -> None:
        """Drop channels; their books become invalid at once."""
        self.run(self.unsubscribing(link, channels), self._fault_of)

    def want(self, link: Link, channels: Iterable[str], *, spare: bool = False) -> None:
        """Keep these channels from now on, as soon as the link is up. `spare`: they can be done
        without, and whoever wants them subscribes them each time that the link has come up."""
        state = self.links[link]
        for channel in channels:
            if spare and channel not in state.channels:
                state.spare.add(channel)
            elif not spare and channel in state.spare:
                state.spare.discard(channel)
                if channel in state.asked and self._calls.dialect.is_ticker(channel):
                    state.told_s[channel] = self.now_s
            state.channels[channel] = None
            state.refused.pop(channel, None)

    def subscribed(self, link: Link, channels: Iterable[str]) -> Recipe[None]:
        """Until channels that are wanted are subscribed. Raises LeftOut for what the venue leaves
        out and a desk needs, and LinkDown while the link is down (they are then subscribed when it
        comes back)."""
        state, wanted = self.links[link], list(dict.fromkeys(channels))
        if not state.up and wanted:
            name = self._calls.dialect.name
            raise LinkDown("is reconnecting: the channels follow when it is back", name)
        spared = self._calls.dialect.is_trades
        needed = [c for c in wanted if not spared(c) and c not in state.spare]
        yield from self._subscriptions.ask(state, [c for c in wanted if c in state.channels])
        refusals = [state.refused[c] for c in needed if c in state.refused]
        if refusals:
            raise refusals[0]

    def unsubscribing(self, link: Link, channels: Iterable[str]) -> Recipe[None]:
        """The same, for whoever waits for it."""
        yield from self._subscriptions.unsubscribe(self.links[link], channels)

    def pace(self, method: str, go: Callable[[], None], no: Callable[[], None]) -> Turn:
        """Call `go` when there is room in a pool for a REST request that somebody else sends, and
        who tells by `paced` that it has ended; or `no` when we stop before."""

        def take() -> None:
            if pool is not None:
                self._calls.pools.sent(pool)
            go()

        pool, turn = self._calls.dialect.pool_of(method), Turn(take, no)
        self._calls.place(method, turn)
        return turn

    def paced(self, method: str) -> None:
        """A request that had its place has ended."""
        pool = self._calls.dialect.pool_of(method)
        if pool is not None:
            self._calls.pools.ended(pool, self.now_s)

    def after(self, seconds: float, call: Callable[[], None]) -> Timer:
        """Call it in so many seconds, and not from within this."""
        return self._calls.after(seconds, call)

    def order_changed(self, name: str, at_ms: int) -> None:
        """The account's order on an instrument changed at that moment of the venue's: its book is
        to show it."""
        self._subscriptions.owe(self.links[Link.MARKET], name, at_ms)

    def cut(self, link: Link, why: str) -> None:
        """Give up a connection that is up in name only; it comes back by itself."""
        if self.up(link):
            self._lives.lose(self.links[link], why)

    # -- Faults ----------------------------------------------------------------------------------

    def _fault_of(self, _: object, error: Exception | None) -> None:
        if error is not None:
            self._fault(error, None)

    def _fault(self, error: Exception, frame: Any) -> None:
        if self.on_fault is not None:
            with suppress(Exception):  # whose handler this is has nobody left to tell
                self.on_fault(error, frame)
