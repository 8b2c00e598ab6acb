"""The life of a link: dialed, entered, looked after, lost, and after a wait dialed again.

To enter is to sign in and to subscribe on a fresh connection; `up` is said after that. An attempt
ends exactly once, by `_again`, whatever ended it.
"""

from functools import partial

from mmbot.venues.answers import LinkDown, Stopped, Trouble, refuses
from mmbot.venues.calls import Calls
from mmbot.venues.effects import Cut, Dial
from mmbot.venues.entry import Entry
from mmbot.venues.hooks import Hooks
from mmbot.venues.link import LinkState
from mmbot.venues.recipe import Recipe
from mmbot.venues.subscriptions import Subscriptions
from mmbot.venues.tickers import TickerWatch
from mmbot.venues.timing import Timing

HEARTBEAT_S = 10
"""Silence of so long is asked about, and of twice that is a dead connection."""
DEADLINE_S = 2.0
DIAL_S = 10.0
REDIAL_S = 2.0
"""Dialing again takes no longer than this, or three times what it has taken before."""
DIAL_SHARE = 0.99
"""A dial that failed after so much of its limit has been waited for."""
CARE_S = 0.5
BACKOFF_FIRST_S = 0.25
UNWANTED_MAX_S = 30.0
"""The longest wait of one who is refused."""
STEADY_S = 10.0
"""A link that stood this long is forgiven its earlier failures."""


class Lives:
    """Both links'."""

    def __init__(
        self,
        calls: Calls,
        entry: Entry,
        subscriptions: Subscriptions,
        tickers: TickerWatch,
        hooks: Hooks,
        timing: Timing,
    ) -> None:
        self._calls = calls
        self._entry = entry
        self._subscriptions = subscriptions
        self._tickers = tickers
        self._hooks = hooks
        self._timing = timing

    # -- Coming and going ------------------------------------------------------------------------

    def start(self, link: LinkState) -> None:
        """Keep it up from now on, if that was not so."""
        if link.wanted:
            return
        link.wanted = link.first = True
        link.failures = link.refusals = 0  # whoever starts us anew has a pace of their own
        self.wait_to_dial(link, self._backoff_s(link))

    def stop(self, link: LinkState) -> None:
        """Say goodbye, if there is anybody to say it to, and do not come back."""
        why = "closed by us"
        link.wanted = False
        link.stop_timer()
        self._subscriptions.close(link)
        if link.dialing or link.open:
            self._calls.effects.append(Cut(link.link, why, politely=True))
        link.dialing = False
        self._over(link, why)
        if link.first:
            self._ended(link, Stopped("was closed", self._calls.dialect.name))

    def wait_to_dial(self, link: LinkState, wait_s: float) -> None:
        """Dial in so many seconds."""
        if wait_s > 0.0:
            link.timer = self._calls.after(wait_s, partial(self._dial, link))
        else:
            self._dial(link)

    def _dial(self, link: LinkState) -> None:
        before = link.dialing_s
        limit_s = max(REDIAL_S, 3.0 * before) if before else DIAL_S
        link.timer, link.dialing, link.dialed_s = None, True, self._calls.now_s
        link.limit_s = limit_s
        self._calls.effects.append(Dial(link.link, limit_s))

    def _backoff_s(self, link: LinkState) -> float:
        """How long to wait before dialing: for the line's sake, or for the venue's."""
        most_s = BACKOFF_FIRST_S if link.timed_out else self._timing.backoff_max_s
        line_s = _doubled(link.failures, most_s)
        wait_s = max(link.cool_down_s, line_s, _doubled(link.refusals, UNWANTED_MAX_S))
        link.cool_down_s = 0.0
        return wait_s

    # -- Entering --------------------------------------------------------------------------------

    def opened(self, link: LinkState) -> None:
        """A connection that was dialed is established."""
        if not link.dialing:
            return
        now_s = self._calls.now_s
        link.dialing, link.open, link.broke = False, True, None
        link.connections += 1
        link.dialing_s = max(link.dialing_s, now_s - link.dialed_s)
        link.heard_s = now_s
        connection = (link.link, link.connections)
        entered = partial(self._entered, link, link.connections)
        self._calls.run(self._enter(link), entered, connection)

    def _enter(self, link: LinkState) -> Recipe[None]:
        """Sign in and subscribe on a fresh connection."""
        yield from self._entry.greet(link)
        try:
            yield from self._entry.enter(link)
        except Trouble as error:
            link.refusals += refuses(error)
            raise
        private = self._calls.dialect.is_private
        while todo := [c for c in link.channels if c not in link.asked and c not in link.spare]:
            yield from self._subscriptions.ask(link, todo)
            blind = [channel for channel in todo if channel in link.refused and private(channel)]
            if blind:  # up without them, it would not tell of our own orders: try again later
                link.channels.update(dict.fromkeys(blind))
                unheard = link.refused[blind[0]]
                for channel in blind:
                    del link.refused[channel]
                raise unheard
            for left_out in {id(e): e for c in todo if (e := link.refused.get(c))}.values():
                self._calls.fault(left_out, None)

    def _entered(
        self, link: LinkState, connection: int, _: object, error: Exception | None
    ) -> None:
        """The end of entering: up, or given up."""
        if connection != link.connections:
            return
        if error is not None or not link.open:
            link.broke = error
            self.lose(link, "given up")
        else:
            link.up, link.up_s = True, self._calls.now_s
            self._care_later(link)
            if link.first:
                self._ended(link, None)
            self._calls.tell(self._hooks.on_link, link.link, True, "connected")

    def _ended(self, link: LinkState, error: Exception | None) -> None:
        """The first attempt has."""
        link.first = False
        self._calls.tell(self._hooks.on_started, link.link, error)

    # -- Looking after it ------------------------------------------------------------------------

    def _care_later(self, link: LinkState) -> None:
        link.timer = self._calls.after(CARE_S, partial(self._look_after, link))

    def _look_after(self, link: LinkState) -> None:
        """Notice silence, renew the token, see to what is missing."""
        self._care_later(link)
        now_s = self._calls.now_s
        if now_s - link.up_s > STEADY_S:
            link.failures = link.refusals = 0
        silent_s = now_s - link.heard_s
        if silent_s > 2 * HEARTBEAT_S:
            self.lose(link, f"nothing heard for {silent_s:.0f} s")
            return
        if silent_s > HEARTBEAT_S and link.probed_s <= link.heard_s:
            link.probed_s = now_s
            self._entry.prove_alive(link)
        if now_s >= link.refresh_s and not link.renewing:
            link.renewing = True
            renewed = partial(self._renewed, link, link.connections)
            self._calls.run(self._entry.renew(link), renewed)
        self._subscriptions.look_after(link)
        self._tickers.look_after(link)

    def _renewed(
        self, link: LinkState, connection: int, _: object, error: Exception | None
    ) -> None:
        """The end of renewing the token; where that failed we are not signed in for long."""
        if connection != link.connections or not link.open:
            return
        link.renewing = False
        if error is None:
            return
        if not refuses(error):
            self.lose(link, "given up")
            return
        self._calls.fault(error, None)
        link.refusals += 1
        self.lose(link, f"the token could not be renewed: {error}")

    # -- Breaking --------------------------------------------------------------------------------

    def closed(self, link: LinkState, why: str) -> None:
        """The connection is over, or could not be established."""
        if link.dialing:
            link.dialing = False
            spent_s = self._calls.now_s - link.dialed_s
            late = spent_s >= DIAL_SHARE * link.limit_s
            self._again(link, self._down(link, why, timed_out=late), False)
        else:
            self._over(link, why)

    def lose(self, link: LinkState, why: str) -> None:
        """End a connection now; it comes back by itself."""
        if link.open:
            self._calls.effects.append(Cut(link.link, why))
            self._over(link, why)

    def refused(self, link: LinkState, why: str, cool_down_s: float = 0.0) -> None:
        """The venue has ended the session, and so do we."""
        if link.open:
            link.cool_down_s = max(link.cool_down_s, cool_down_s)
            link.refusals += 1
            self.lose(link, why)

    def _over(self, link: LinkState, why: str) -> None:
        """A connection has ended, and nothing of it survives."""
        if not link.open:
            return
        was_up = link.up
        link.forget_connection()
        self._entry.left(link)
        if was_up:
            self._calls.tell(self._hooks.on_link, link.link, False, why)
        self._calls.lost(link, why)  # also what was asked in order to enter
        self._subscriptions.end(link, why)
        # Later: whoever was entering hears of it first, and may know better what went wrong.
        self._calls.tell_later(self._again, link, self._down(link, why), was_up)

    def _again(self, link: LinkState, error: Exception, was_up: bool) -> None:
        """An attempt has ended, and the next one follows, unless it was the first."""
        error, link.broke = link.broke or error, None
        if link.first:
            link.wanted = False
            self._ended(link, error)
        elif link.wanted:
            if not was_up:
                self._calls.fault(error, None)  # the loss of a link that was up is told by on_link
            link.failures += 1
            link.timed_out = not was_up and isinstance(error, Trouble) and error.timed_out
            self.wait_to_dial(link, self._backoff_s(link))

    def _down(self, link: LinkState, why: str, *, timed_out: bool = False) -> LinkDown:
        name = self._calls.dialect.name
        return LinkDown(f"{link.link.name}: {why}", name, timed_out=timed_out)


def _doubled(times: int, at_most_s: float) -> float:
    """A quarter of a second, doubled with every time after the first."""
    return min(BACKOFF_FIRST_S * 2.0 ** min(times - 1, 20), at_most_s) if times else 0.0
