"""What became of the kill switch and of the orders of every account, for people and for JSON."""

from dataclasses import dataclass, field

from mmbot.core.statements import OpenOrder
from mmbot.store.latch import Kept
from mmbot.store.records import AccountKey


@dataclass(frozen=True, slots=True)
class Latched:
    """What became of the kill switch of one account; no key: of all those of one store."""

    store: str
    account_key: AccountKey | None
    kept: Kept


@dataclass(slots=True, kw_only=True)
class AccountResult:
    """What became of one account's orders.

    `verified_by` names the way of the look that found nothing of ours, None if there was none.
    `cancelled` counts orders of ours that were open and are not any more, whoever took them back:
    a running engine does so by itself once it hears of the latch.
    """

    account_key: AccountKey
    cancelled: int = 0
    remaining: list[OpenOrder] | None = None
    """As last seen; None: the venue could not be asked, or has shown no list that can be read."""
    foreign: int = 0
    """Open orders that are not ours and were left alone."""
    unread: int = 0
    """Rows of the list as last seen that may be anybody's."""
    unlisted: bool = False
    """The list itself could not be read; what the store knows of was canceled by its label."""
    verified_by: str | None = None
    ms: int = 0
    problem: str = ""
    """Why it is not clean, in one line."""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """The whole of it."""

    latched: list[Latched] = field(default_factory=list)
    results: list[AccountResult] = field(default_factory=list)
    ended: list[AccountKey] = field(default_factory=list)
    """Accounts of simulated venues that run no more: their orders died with them."""
    unread: list[str] = field(default_factory=list)
    """Stores that could not be read: which accounts they know of is not known."""
    lost: list[str] = field(default_factory=list)
    """Stores that are gone or were replaced, for people."""
    notes: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """What was asked for and cannot be: the rest was carried out."""
