"""One Derive account for the engine (`venues/account_session.py`): signatures, limits, replaces.

Every order is signed for a while only, so that what nobody renews ends by itself. A replace says
how much of the old order is filled as far as we know; where more is, the venue does nothing, and
the core decides again.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from mmbot.core.capabilities import Capabilities
from mmbot.core.error_scope import ErrorScope
from mmbot.core.events import (
    Event,
    Link,
    OutcomeUnknown,
    RequestRefused,
    SnapshotTaken,
    VenueDescribed,
)
from mmbot.core.intents import Amend, Cancel, CancelAll, Place, Replace
from mmbot.core.labels import is_ours
from mmbot.core.order_life import Request
from mmbot.core.types import SECOND, Label, Nanos, instrument_name
from mmbot.core.why import Why
from mmbot.venues.account import Account
from mmbot.venues.account_session import REQUEST_TIMEOUT_S, AccountSession, OrderIntent
from mmbot.venues.answers import AnswerError
from mmbot.venues.asking import UnreadableError, get
from mmbot.venues.derive import orders, parse
from mmbot.venues.derive.dialect import DERIVE, window
from mmbot.venues.derive.errors import MMP_FROZEN
from mmbot.venues.derive.limits import capabilities
from mmbot.venues.derive.looks import Looks
from mmbot.venues.derive.nonces import Nonces, part_of
from mmbot.venues.derive.progress import Progress
from mmbot.venues.derive.protection import Protection, Terms, frozen_by
from mmbot.venues.derive.public import PublicSession
from mmbot.venues.derive.rescue import DeriveRescue
from mmbot.venues.derive.signin import require
from mmbot.venues.derive.signing import MAINNET, Signer, Unsignable, expires_s, text_of
from mmbot.venues.effects import Effect
from mmbot.venues.rates import Rate
from mmbot.venues.recipe import Recipe
from mmbot.venues.requests import Outcome, Reply
from mmbot.venues.rescue import Call
from mmbot.venues.timing import USUAL, Timing

SUBACCOUNT: Final = "private/get_subaccount"

LIMITS_EVERY_S: Final = 60
"""How often the account's limits are asked for while all is well."""


class DeriveSession(AccountSession, PublicSession):
    """One Derive account. `name` is ours for it, `signer` opens it; `part` sets the nonces of this
    process apart from those of others, and `start_ns` is desk time now."""

    terms_codes = frozenset({11012, 11013})

    tells_of_mass_cancels = True

    named_by_label = False
    """The account goes by its label, where it has one: numbers are the same in every simulated
    world."""

    def __init__(
        self,
        name: str,
        signer: Signer,
        part: int,
        start_ns: Nanos,
        timing: Timing = USUAL,
        mmp: Terms | None = None,
    ) -> None:
        PublicSession.__init__(self, name, start_ns, timing, signer)
        self._signer = signer
        self._nonces = Nonces(part)
        self._progress = Progress()
        self._described: Capabilities | None = None
        """What the venue is like, as it was last told."""
        self._looked = False
        self._account = Account(
            name, DERIVE, parse, "order_status", self._unread, self._tell_of_account
        )
        self._looks = Looks(
            name,
            signer.subaccount_id,
            self._traded,
            self._terms,
            self._now_ms,
            self._unread,
        )
        self._rescue = DeriveRescue(name, signer.subaccount_id)
        self._protection = Protection(
            name, signer.subaccount_id, mmp, self._emit, self._warn, self._unread
        )
        self.connection.on_user = self._on_user
        self.connection.on_late_reply = self._answered_late

    # --- the account --------------------------------------------------------------------------

    @property
    def cod_enabled(self) -> bool:
        """Whether the venue has confirmed that the end of TRADING cancels the wallet's orders."""
        return self.connection.cod_enabled

    def reads_left(self) -> dict[str, float]:
        """What is left of the limits that only reads draw from, by the names of their gates."""
        return self.connection.reads_left()

    def account(self) -> Recipe[str]:
        """The subaccount, by its number. Raises AnswerError, UnreadableError, and NoSubaccount
        where the wallet has no such one."""
        number = self._signer.subaccount_id
        missing: AnswerError | None = None
        if self.named_by_label:  # one question, as more would wait for the least of all limits
            try:
                told = yield from get(SUBACCOUNT, {"subaccount_id": number})
                return label_of(told, number)
            except AnswerError as error:
                missing = error
        told = yield from get("private/get_subaccounts", {"wallet": self._signer.owner})
        subaccounts = told.get("subaccount_ids") if isinstance(told, dict) else None
        if not isinstance(subaccounts, list):
            raise UnreadableError(f"to get_subaccounts: {told!r:.80}")
        require(subaccounts, self._signer)
        if missing is not None:
            raise missing
        return str(number)

    @property
    def private_channels(self) -> list[str]:
        """Orders, trades and what moves the balance, each by a channel."""
        kinds = ("orders", "trades", "balances")
        return [f"{self._signer.subaccount_id}.{kind}" for kind in kinds]

    @property
    def _cancel_rate(self) -> Rate:
        return window(self.connection.limits.matching)

    def _tell_limits(self) -> None:
        """The limits are part of what the venue is like; told again only where they differ."""
        protected = self._protection.covers_all(self._coins)
        described = capabilities(self.connection.limits, protected=protected)
        if described != self._described:
            self._described = described
            self._emit(VenueDescribed(self.name, described))

    def _each_second(self) -> None:
        super()._each_second()
        now_ns, up = self.connection.now_ns, self.connection.up(Link.TRADING)
        if up and self._protection.is_due(now_ns):
            self._carry_out(self._protection.reset(now_ns))
        if up and self._seconds % LIMITS_EVERY_S == 0:
            self._carry_out(self._read_limits())
            self._carry_out(self._protection.look(now_ns))
        if up:
            self._tell_limits()  # what protection covers changes with what is followed, too

    def _on_link(self, link: Link, up: bool, why: str) -> None:
        super()._on_link(link, up, why)
        if link is Link.TRADING and up:
            coins = sorted(self._coins)
            self._carry_out(self._protection.set_up(coins, self.connection.now_ns))

    @property
    def _coins(self) -> set[str]:
        return {one.underlying for one in self._instruments.values()}

    def reset_protection(self, now_ns: Nanos) -> Sequence[Effect]:
        """A person has the venue take quotes again."""
        self.connection.at(now_ns)
        self._carry_out(self._protection.reset(now_ns))
        return self.connection.settle()

    def _warn(self, said: str) -> None:
        self._note("warning", "%s: %s", self.name, said)

    def _frozen(self, name: str) -> None:
        """The venue has said so about an order on this instrument."""
        instrument = self._instruments.get(name)
        if instrument is not None and instrument.underlying not in self._protection.frozen:
            now_ns = self.connection.now_ns
            self._carry_out(self._protection.froze(instrument.underlying, now_ns))

    def _read_limits(self) -> Recipe[None]:
        yield from self.connection.read_limits()
        self._tell_limits()

    def _emit(self, event: Event) -> None:
        self._progress.note(event)
        super()._emit(event)
        if isinstance(event, SnapshotTaken) and not self._looked:
            self._looked = True
            foreign = sum(not is_ours(order.label) for order in event.orders)
            if foreign:
                said = "%s: when a connection ends, foreign orders on this wallet go with it: %d"
                self._note("warning", said, self.name, foreign)

    def learn(self, listings: Iterable[object]) -> None:
        """Terms that were read before anything was connected."""
        for row in listings:
            self._list(row)

    # --- what is told -------------------------------------------------------------------------

    def _on_user(self, channel: str, data: Any) -> None:
        kind = channel.partition(".")[2]
        if kind == "orders":
            self._heard_privately()
            for name in frozen_by(data):
                self._frozen(name)
            self._account.told(channel, [], data)
        elif kind == "trades":
            self._account.told(channel, data, [])

    def _answered(self, intent: OrderIntent, reply: Reply, request: Request) -> None:
        if reply.error is not None and reply.error.code == MMP_FROZEN:
            self._frozen(instrument_name(intent.instrument))
        by_label = isinstance(intent, Cancel) and not intent.order_id
        if by_label and reply.outcome is Outcome.OK:
            self._cancelled_by_label(intent.label, reply.result)
        else:
            super()._answered(intent, reply, request)

    def _answered_late(self, reply: Reply) -> None:
        """Cancels by label and of many name no order: where the channel of orders has said nothing
        since before they were sent, it is watched from now on."""
        super()._answered_late(reply)
        now_ns, result = self.connection.now_ns, reply.result
        counted = isinstance(result, dict) and "cancelled_orders" in result
        if counted and now_ns - self._told_ns > REQUEST_TIMEOUT_S * SECOND:
            self._untold_ns = self._untold_ns or now_ns

    def _cancelled_by_label(self, label: Label, result: Any) -> None:
        """The answer counts orders and says nothing of them; what became of one, its own message
        tells, or a look at it."""
        count = result.get("cancelled_orders") if isinstance(result, dict) else None
        if count == 0:
            said = "no open order has that label"
            self._emit(RequestRefused(label, Request.CANCEL, Why.ABSENT, said, None))
        else:
            self._emit(OutcomeUnknown(label, Request.CANCEL, Why.REPLY_LOST))

    # --- intents to calls ---------------------------------------------------------------------

    def _call_of(self, intent: OrderIntent | CancelAll) -> Call | None:
        name = instrument_name(intent.instrument) if intent.instrument else None
        match intent:
            case Place() | Replace():
                return self._order(intent)
            case Cancel() if intent.order_id:
                return orders.cancel(self._signer.subaccount_id, name or "", intent.order_id)
            case Cancel():
                return orders.cancel_by_label(self._signer.subaccount_id, None, intent.label)
            case CancelAll():
                return orders.cancel_all(self._signer.subaccount_id, name)
            case Amend():
                raise AssertionError("orders move by being replaced here")

    def _order(self, intent: Place | Replace) -> Call | None:
        """A new order, signed; None where it cannot be, which is told as a refusal."""
        listed = self._listed.get(instrument_name(intent.instrument))
        if listed is None:
            self._unsignable(intent, "the venue does not list it")
            return None
        now_ns = self.connection.now_ns
        seal = orders.Seal(
            nonce=self._nonces.draw(now_ns),
            expiry_s=expires_s(now_ns),
            max_fee=orders.max_fee_of(listed, intent.price, None),
            mmp=intent.post_only and self._protection.covers(listed.instrument.underlying),
        )
        try:
            if isinstance(intent, Place):
                return orders.place(intent, listed, self._signer, seal)
            method, params = orders.replace(intent, listed, self._signer, seal)
        except Unsignable as error:
            self._unsignable(intent, str(error))
            return None
        filled = self._progress.filled(intent.order_id)
        if filled is not None:
            params["expected_filled_amount"] = text_of(filled)
        return method, params

    def _unsignable(self, intent: Place | Replace, why: str) -> None:
        moved = isinstance(intent, Replace)
        request = Request.REPLACE if moved else Request.PLACE
        label = intent.old if isinstance(intent, Replace) else intent.label
        self._emit(RequestRefused(label, request, Why.REFUSED, why, moved, ErrorScope.ORDER))


def label_of(subaccount: object, number: int) -> str:
    """The label in an answer to get_subaccount, or else the number."""
    label = subaccount.get("label") if isinstance(subaccount, dict) else None
    return label if isinstance(label, str) and label else str(number)


def opened(
    name: str, wallet: str, subaccount: int, key: str, listings: Iterable[object], start_ns: Nanos
) -> DeriveSession:
    """The session of a wallet's subaccount, which has read the terms of what it will trade."""
    signer = Signer(key, wallet, subaccount, MAINNET)
    session = DeriveSession(name, signer, part_of(name, start_ns), start_ns)
    session.learn(listings)
    return session


SESSION: Final = opened
"""What virtual time drives of this kind of venue."""
