"""Market-maker protection of one account: set, read back, watched, and reset.

Theory of operation
-------------------
1. With settings for it, protection is set for every coin that is traded whenever TRADING comes up,
   and read back. From then on quotes on that coin say `mmp`; hedges never do.
2. A freeze is seen by orders that end with `mmp_trigger`, or by a refusal (11015). It is believed
   at once, until told otherwise, and the venue is asked until when. It is asked every minute too.
3. A freeze ends by itself (`frozen_ms`), by a person, or by us after `auto_reset_s`.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from mmbot.core.events import Link
from mmbot.core.protection import FOREVER, ProtectionTold
from mmbot.core.types import MS, SECOND, Nanos
from mmbot.venues.answers import AnswerError
from mmbot.venues.asking import ask
from mmbot.venues.derive.messages import Mmp
from mmbot.venues.derive.signing import text_of
from mmbot.venues.reading import Unread, Unreadable, each, read
from mmbot.venues.recipe import Recipe

TRIGGERED: Final = "mmp_trigger"
"""Why the venue has cancelled an order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What is set for each coin: more than `amount` or `delta` (in coin; 0: no limit) traded within
    the interval freezes it for so long (0: until it is reset, by us after `auto_reset_s`)."""

    interval_ms: int
    frozen_ms: int
    amount: Decimal
    delta: Decimal
    auto_reset_s: float | None


class Protection:
    """`tell` hears what is known of a coin, `note` what went wrong; `settings` None: none is set,
    and quotes are not under it."""

    def __init__(
        self,
        venue: str,
        subaccount_id: int,
        settings: Terms | None,
        tell: Callable[[ProtectionTold], None],
        note: Callable[[str], None],
        unread: Unread,
    ) -> None:
        self._venue = venue
        self._subaccount = {"subaccount_id": subaccount_id}
        self._settings = settings
        self._tell = tell
        self._note = note
        self._unread = unread
        self.frozen: dict[str, Nanos] = {}
        """Since when quotes on a coin are frozen, as far as we know."""
        self._on: set[str] = set()

    def covers(self, underlying: str) -> bool:
        """Whether quotes on a coin are under protection."""
        return underlying in self._on

    def covers_all(self, coins: Collection[str]) -> bool:
        """Whether quotes on all of these are."""
        return bool(coins) and self._on.issuperset(coins)

    def set_up(self, coins: Iterable[str], now_ns: Nanos) -> Recipe[None]:
        """Set it for these coins, and read it back."""
        settings = self._settings
        if settings is None:
            return
        for coin in coins:
            params = self._subaccount | {
                "currency": coin,
                "mmp_interval": settings.interval_ms,
                "mmp_frozen_time": settings.frozen_ms,
                "mmp_amount_limit": text_of(settings.amount),
                "mmp_delta_limit": text_of(settings.delta),
            }
            try:
                yield from ask(Link.TRADING, "private/set_mmp_config", params)
            except AnswerError as error:
                self._note(f"protection of quotes on {coin} is not set: {error.brief}")
        yield from self.look(now_ns)

    def look(self, now_ns: Nanos) -> Recipe[None]:
        """Ask the venue what is set, and what is frozen."""
        if self._settings is None:
            return
        try:
            told = yield from ask(Link.TRADING, "private/get_mmp_config", self._subaccount)
            rows, _ = each(told, self._row, self._unread, "protection")
        except (AnswerError, Unreadable) as error:
            self._note(f"protection of quotes is not told: {error}")
            return
        self._on = {row.currency for row in rows if row.mmp_interval}
        for row in rows:
            if row.currency in self._on:
                self._believe(row.currency, _until_ns(row), now_ns)

    def froze(self, underlying: str, now_ns: Nanos) -> Recipe[None]:
        """An order said so: believed now, and asked about."""
        self._believe(underlying, FOREVER, now_ns)
        yield from self.look(now_ns)

    def reset(self, now_ns: Nanos) -> Recipe[None]:
        """Have the venue take quotes again."""
        try:
            yield from ask(Link.TRADING, "private/reset_mmp", self._subaccount)
        except AnswerError as error:
            self._note(f"protection of quotes is not reset: {error.brief}")
        yield from self.look(now_ns)

    def is_due(self, now_ns: Nanos) -> bool:
        """Whether a freeze has lasted as long as it may."""
        after_s = None if self._settings is None else self._settings.auto_reset_s
        if after_s is None or not self.frozen:
            return False
        return now_ns - min(self.frozen.values()) >= after_s * SECOND

    def _believe(self, underlying: str, until_ns: Nanos, now_ns: Nanos) -> None:
        if until_ns > now_ns:
            if underlying not in self.frozen:
                self._note(f"the venue has frozen our quotes on {underlying}: {self._ends}")
            self.frozen.setdefault(underlying, now_ns)
        elif self.frozen.pop(underlying, None) is not None:
            self._note(f"the venue takes our quotes on {underlying} again")
        self._tell(ProtectionTold(self._venue, underlying, until_ns))

    @property
    def _ends(self) -> str:
        """What ends a freeze."""
        settings, command = self._settings, f"`mmbot unpause --venue {self._venue}` resets that"
        if settings is not None and settings.auto_reset_s is not None:
            return f"it is reset in {settings.auto_reset_s:g} s; {command} now"
        if settings is not None and settings.frozen_ms:
            return f"for {settings.frozen_ms / 1000:g} s; {command} now"
        return command

    def _row(self, row: Any) -> Mmp:
        return read(Mmp, row, self._unread, "protection")


def frozen_by(orders: object) -> list[str]:
    """The instruments of which a message says that protection has taken an order back."""
    rows = orders if isinstance(orders, list) else []
    names = [
        row.get("instrument_name")
        for row in rows
        if isinstance(row, dict) and row.get("cancel_reason") == TRIGGERED
    ]
    return [name for name in dict.fromkeys(names) if isinstance(name, str)]


def _until_ns(row: Mmp) -> Nanos:
    if not row.is_frozen:
        return 0
    ends_ms = row.mmp_unfreeze_time
    return min(ends_ms * MS, FOREVER) if ends_ms and row.mmp_frozen_time else FOREVER
