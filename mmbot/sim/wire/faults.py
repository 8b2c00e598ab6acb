"""What goes wrong at the simulated venue's door: commanded by a test, or drawn from a plan.

Theory of operation
-------------------
The server asks for the fate of every request, reply and push, whether a broken line takes its
orders along, and every few milliseconds what befalls the venue as a whole (`due`); it then carries
out what it is told. Nothing here knows a socket or a clock. A command that fits comes before
anything drawn, and a message meets one fault at most.

Each fault draws from a generator of its own, seeded with the plan's seed and the fault's name, and
draws for every message it could befall: the tenth order request meets the same fate whichever other
faults are on. Rates are per hour of venue time.

Faults go by the names they have in `FaultPlan`, without the `_per_hour`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from random import Random
from typing import Final

from mmbot.sim.models.faults import FaultPlan

EXPIRY_AHEAD_S: Final = (45.0, 180.0)  # how long before an expiry a world with `expiry_soon` starts
MS_PER_HOUR: Final = 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """A protocol's words, as far as faults must know them: how the names of channels of books
    begin, and (a pattern) those of an account's; the error for asking too often."""

    books: str = "book."
    accounts: str = r"user\."
    too_many_requests: int = 10028


class Kind(Enum):
    """What becomes of one message."""

    PASSES = "passes"
    LOST = "lost"
    LATE = "late"
    TWICE = "twice"
    BEHIND = "behind"  # it changes places with the next one of its kind
    GARBLED = "garbled"
    CUT_BEFORE = "cut before"  # the connection breaks instead of the request being carried out
    CUT_AFTER = "cut after"  # it breaks instead of the reply being sent
    ERROR = "error"  # answered with `code`, not carried out
    ERROR_AFTER = "error after"  # the same, and carried out all the same
    STATUS = "status"  # REST: HTTP status `code` instead of being carried out
    STATUS_AFTER = "status after"  # REST: HTTP status `code` instead of its reply


@dataclass(frozen=True, slots=True)
class Fate:
    """`seconds`: how late; `code`: of the error or HTTP status; `share`: a draw in 0..1."""

    kind: Kind
    seconds: float = 0.0
    code: int = 0
    share: float = 0.0


PASSES: Final = Fate(Kind.PASSES)


class Blow(Enum):
    """What befalls the venue as a whole; the values are the faults' names."""

    CUT = "cut"
    HALF_OPEN = "half_open"
    STALE_BOOK = "stale_book"
    RESTART = "restart"
    PRIVATE_SILENCE = "private_silence"
    CLOSED_BOOK = "closed_book"


@dataclass(frozen=True, slots=True)
class Due:
    """A blow that falls now: how long it lasts, and a draw in 0..1 for whom it strikes.

    `keeps_orders`: whether a restarted venue still has its orders.
    """

    blow: Blow
    seconds: float
    share: float
    keeps_orders: bool = True


@dataclass(slots=True)
class _Command:
    """The next `left` messages about `about` (or beginning with it) meet this fate."""

    fault: str
    about: str
    fate: Fate
    left: int
    whole_word: bool

    def fits(self, about: str) -> bool:
        return about == self.about if self.whole_word else about.startswith(self.about)


class Stage(Enum):
    """Where on its way a message meets its fate."""

    REQUEST = "request"
    REPLY = "reply"
    PUSH = "push"
    OUT = "reply or push"


class FaultInjector:
    """Decides, counts and tells. `now_ms` is venue time.

    `counts` holds what has happened so far by the fault's name; `tell(fault, detail)` hears of each
    as it happens.
    """

    plan: FaultPlan

    def __init__(self, plan: FaultPlan, now_ms: int, dialect: Dialect | None = None) -> None:
        self._dialect = dialect or Dialect()
        self._of_accounts = re.compile(self._dialect.accounts)
        self.counts: Counter[str] = Counter()
        self.tell: Callable[[str, str], None] | None = None
        self._commands: dict[Stage, list[_Command]] = {stage: [] for stage in Stage}
        self._stopped_books: dict[str, int] = {}  # until when, venue time in milliseconds
        self._mute_until_ms = 0  # until then no account is told anything unasked
        self.begin(plan, now_ms)

    @property
    def is_on(self) -> bool:
        """Whether anything can go wrong at present."""
        standing = bool(self._stopped_books) or self._mute_until_ms > 0
        return not self.plan.calm or standing or any(self._commands.values())

    def begin(self, plan: FaultPlan, now_ms: int) -> None:
        """Draw from this plan from now on, from the beginning of its draws."""
        self.plan = plan
        self._dice: dict[str, Random] = {}
        self._next_ms = {blow: now_ms + self._wait_ms(blow) for blow in Blow}

    def heal(self) -> None:
        """Nothing goes wrong any more, and no command is waiting."""
        self.plan = self.plan.healed()
        for waiting in self._commands.values():
            waiting.clear()
        self._stopped_books.clear()
        self._mute_until_ms = 0

    def note(self, fault: str, detail: str = "") -> None:
        """A fault has happened."""
        self.counts[fault] += 1
        if self.tell is not None:
            self.tell(fault, detail)

    # -- commands ------------------------------------------------------------------------------

    def command(
        self,
        stage: Stage,
        fault: str,
        about: str,
        fate: Fate,
        count: int,
        *,
        whole_word: bool = True,
    ) -> None:
        """The next `count` messages about that method or channel meet this fate."""
        self._commands[stage].append(_Command(fault, about, fate, count, whole_word))

    def stop_book(self, name: str, until_ms: int) -> None:
        """No change of that book is sent until then."""
        self._stopped_books[name] = until_ms
        self.note("stale_book", name)

    def mute(self, until_ms: int) -> None:
        """No message of an account's channel is sent until then."""
        self._mute_until_ms = until_ms
        self.note("private_silence", "")

    # -- one message's fate --------------------------------------------------------------------

    def request(self, method: str, *, is_order: bool, is_rest: bool) -> Fate:
        """What becomes of a request that has arrived."""
        fate = self._commanded(Stage.REQUEST, method)
        if fate is not None:
            return fate
        plan, found = self.plan, list[tuple[str, Fate]]()
        if is_rest:
            if self._strikes("http_429", plan.http_429):
                found.append(("http_429", Fate(Kind.STATUS, code=429)))
            if self._strikes("http_5xx", plan.http_5xx):
                dice = self._of("http_5xx")
                # 503: refused at the door. 502: the door lost sight of who was inside.
                kind, code = dice.choice(
                    ((Kind.STATUS, 503), (Kind.STATUS, 502), (Kind.STATUS_AFTER, 502))
                )
                found.append(("http_5xx", Fate(kind, code=code)))
        else:
            if self._strikes("rate_limited", plan.rate_limited):
                found.append(
                    ("rate_limited", Fate(Kind.ERROR, code=self._dialect.too_many_requests))
                )
            if is_order and self._strikes("cut_mid_order", plan.cut_mid_order):
                dice = self._of("cut_mid_order")
                kind = dice.choice((Kind.CUT_BEFORE, Kind.CUT_AFTER))
                found.append(("cut_mid_order", Fate(kind, seconds=dice.random() * plan.down_s)))
        if self._strikes("lost_request", plan.lost_request):
            found.append(("lost_request", Fate(Kind.LOST)))
        if self._strikes("late_request", plan.late_request):
            found.append(("late_request", self._late("late_request")))
        return self._first(found, method)

    def reply(self, method: str) -> Fate:
        """What becomes of a reply on its way out."""
        fate = self._commanded(Stage.REPLY, method) or self._commanded(Stage.OUT, method)
        if fate is not None:
            return fate
        plan, found = self.plan, list[tuple[str, Fate]]()
        if self._strikes("lost_reply", plan.lost_reply):
            found.append(("lost_reply", Fate(Kind.LOST)))
        if self._strikes("late_reply", plan.late_reply):
            found.append(("late_reply", self._late("late_reply")))
        if self._strikes("garbage", plan.garbage):
            found.append(("garbage", self._garbled()))
        return self._first(found, method)

    def push(self, channel: str, now_ms: int) -> Fate:
        """What becomes of a message of a channel; the first one of a subscription is not asked."""
        fate = self._commanded(Stage.PUSH, channel) or self._commanded(Stage.OUT, channel)
        if fate is not None:
            return fate
        plan, found = self.plan, list[tuple[str, Fate]]()
        books = self._dialect.books
        if channel.startswith(books):
            name = channel.removeprefix(books).partition(".")[0]
            if self._stopped_books.get(name, 0) > now_ms:
                return Fate(Kind.LOST)  # counted once, when the book stopped
            if self._strikes("book_gap", plan.book_gap):
                found.append(("book_gap", Fate(Kind.LOST)))
        elif self._of_accounts.match(channel):
            if self._mute_until_ms > now_ms:
                return Fate(Kind.LOST)  # counted once, when it fell silent
            found += self._of_account()
        if self._strikes("garbage", plan.garbage):
            found.append(("garbage", self._garbled()))
        return self._first(found, channel)

    def _of_account(self) -> list[tuple[str, Fate]]:
        plan, found = self.plan, list[tuple[str, Fate]]()
        if self._strikes("duplicate_private", plan.duplicate_private):
            found.append(("duplicate_private", Fate(Kind.TWICE)))
        if self._strikes("reordered_private", plan.reordered_private):
            found.append(("reordered_private", Fate(Kind.BEHIND)))
        if self._strikes("late_private", plan.late_private):
            found.append(("late_private", self._late("late_private")))
        return found

    def keeps_orders(self) -> bool:
        """Whether the line that has just broken leaves its orders where they are."""
        kept = self._strikes("ignored_cod", self.plan.ignored_cod)
        if kept:
            self.note("ignored_cod")
        return kept

    # -- what befalls the venue ----------------------------------------------------------------

    def due(self, now_ms: int) -> list[Due]:
        """The blows that fall now."""
        for name, until_ms in list(self._stopped_books.items()):
            if until_ms <= now_ms:
                del self._stopped_books[name]
        fallen: list[Due] = []
        for blow in Blow:
            while self._rate(blow) > 0 and self._next_ms[blow] <= now_ms:
                self._next_ms[blow] += self._wait_ms(blow)
                fallen.append(self._blow(blow))
        return fallen

    # -- inside --------------------------------------------------------------------------------

    def _blow(self, blow: Blow) -> Due:
        plan, dice = self.plan, self._of(blow.value)
        longest_s = {
            Blow.CUT: plan.down_s,
            Blow.HALF_OPEN: plan.half_open_s,
            Blow.STALE_BOOK: plan.stale_s,
            Blow.RESTART: plan.down_s,
            Blow.PRIVATE_SILENCE: plan.private_silence_s,
            Blow.CLOSED_BOOK: plan.closed_s,
        }[blow]
        due = Due(blow, dice.random() * longest_s, dice.random())
        if blow is Blow.RESTART and dice.random() < plan.restart_loses_orders:
            return replace(due, keeps_orders=False)
        return due

    def _rate(self, blow: Blow) -> float:
        plan = self.plan
        return {
            Blow.CUT: plan.cut_per_hour,
            Blow.HALF_OPEN: plan.half_open_per_hour,
            Blow.STALE_BOOK: plan.stale_book_per_hour,
            Blow.RESTART: plan.restart_per_hour,
            Blow.PRIVATE_SILENCE: plan.private_silence_per_hour,
            Blow.CLOSED_BOOK: plan.closed_book_per_hour,
        }[blow]

    def _wait_ms(self, blow: Blow) -> int:
        rate = self._rate(blow)
        return round(self._of(blow.value).expovariate(rate) * MS_PER_HOUR) if rate else 0

    def _commanded(self, stage: Stage, about: str) -> Fate | None:
        waiting = self._commands[stage]
        for command in waiting:
            if command.fits(about):
                command.left -= 1
                if not command.left:
                    waiting.remove(command)
                self.note(command.fault, about)
                return command.fate
        return None

    def _first(self, found: list[tuple[str, Fate]], about: str) -> Fate:
        if not found:
            return PASSES
        fault, fate = found[0]
        late = f", {fate.seconds:.1f} s" if fate.kind is Kind.LATE else ""
        self.note(fault, about + late)
        return fate

    def _strikes(self, fault: str, chance: float) -> bool:
        return chance > 0 and self._of(fault).random() < chance

    def _late(self, fault: str) -> Fate:
        return Fate(Kind.LATE, seconds=self._of(fault).random() * self.plan.late_s)

    def _garbled(self) -> Fate:
        return Fate(Kind.GARBLED, share=self._of("garbage").random())

    def _of(self, fault: str) -> Random:
        found = self._dice.get(fault)
        if found is None:
            found = self._dice[fault] = Random(f"{fault} {self.plan.seed}")
        return found


def expiry_ahead_s(plan: FaultPlan) -> float | None:
    """How long before an expiry this plan's world starts, None where it starts when it is told."""
    dice = Random(f"expiry_soon {plan.seed}")
    if not dice.random() < plan.expiry_soon:
        return None
    return dice.uniform(*EXPIRY_AHEAD_S)


def garbled(payload: bytes, share: float) -> tuple[bytes, bool]:
    """Something that means nothing in place of a message, and whether it is binary.

    By `share`: words, the message torn off in the middle, or bytes.
    """
    if share < 1 / 3:
        return b"<html>502 Bad Gateway</html>", False
    if share < 2 / 3:
        return payload[: len(payload) // 2], False
    return bytes((0x00, 0xFF, 0xFE)) + payload[:5], True
