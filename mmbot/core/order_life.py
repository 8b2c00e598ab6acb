"""The life of an order: where it can stand, what can befall it, and where that leads.

A move that is not in the table is a bug and raises. Nothing but core.orders moves an order.
"""

from enum import Enum, auto


class Request(Enum):
    """What we can ask of the venue about one order."""

    PLACE = "place"
    AMEND = "amend"
    CANCEL = "cancel"
    REPLACE = "replace"
    """End this one and create another, which is placed by the same request."""

    __hash__ = object.__hash__  # as Status's


PLACE, AMEND, CANCEL, REPLACE = Request  # as the members of Status


class OrderState(Enum):
    """What the venue says of an order."""

    OPEN = "open"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"


class Status(Enum):
    """Where an order stands. PENDING, AMENDING and CANCELING have a request in flight."""

    PENDING = auto()
    LIVE = auto()
    AMENDING = auto()
    CANCELING = auto()
    UNKNOWN = auto()
    DONE = auto()

    __hash__ = object.__hash__  # members are singletons; Enum's own hash is a Python call


PENDING, LIVE, AMENDING, CANCELING, UNKNOWN, DONE = Status
"""Asked of every order many times a turn, where a member looked up by its class costs a call."""


class Trigger(Enum):
    """What can befall an order."""

    AMEND_SENT = auto()
    CANCEL_SENT = auto()
    REPLACE_SENT = auto()
    SEEN_OPEN = auto()
    SEEN_AMENDED = auto()
    SEEN_DONE = auto()
    REFUSED_NO_ORDER = auto()
    REFUSED_STANDS = auto()
    REFUSED_UNCLEAR = auto()
    LOST = auto()
    PROVEN_ABSENT = auto()

    __hash__ = object.__hash__  # as Status's


ORDER_LIFE: dict[tuple[Status, Trigger], Status] = {
    (Status.PENDING, Trigger.SEEN_OPEN): Status.LIVE,
    (Status.PENDING, Trigger.SEEN_DONE): Status.DONE,
    (Status.PENDING, Trigger.REFUSED_NO_ORDER): Status.DONE,
    (Status.PENDING, Trigger.REFUSED_UNCLEAR): Status.UNKNOWN,
    (Status.PENDING, Trigger.LOST): Status.UNKNOWN,
    (Status.LIVE, Trigger.AMEND_SENT): Status.AMENDING,
    (Status.LIVE, Trigger.CANCEL_SENT): Status.CANCELING,
    (Status.LIVE, Trigger.REPLACE_SENT): Status.CANCELING,
    (Status.LIVE, Trigger.SEEN_OPEN): Status.LIVE,
    (Status.LIVE, Trigger.SEEN_DONE): Status.DONE,
    (Status.LIVE, Trigger.REFUSED_STANDS): Status.LIVE,  # a refusal after a late push
    (Status.LIVE, Trigger.REFUSED_UNCLEAR): Status.UNKNOWN,
    (Status.LIVE, Trigger.LOST): Status.UNKNOWN,
    (Status.AMENDING, Trigger.SEEN_OPEN): Status.AMENDING,  # a push with the old terms
    (Status.AMENDING, Trigger.SEEN_AMENDED): Status.LIVE,
    (Status.AMENDING, Trigger.SEEN_DONE): Status.DONE,
    (Status.AMENDING, Trigger.REFUSED_STANDS): Status.LIVE,
    (Status.AMENDING, Trigger.REFUSED_UNCLEAR): Status.UNKNOWN,
    (Status.AMENDING, Trigger.LOST): Status.UNKNOWN,
    (Status.CANCELING, Trigger.SEEN_OPEN): Status.CANCELING,  # a fill on the way out
    (Status.CANCELING, Trigger.SEEN_DONE): Status.DONE,
    (Status.CANCELING, Trigger.REFUSED_NO_ORDER): Status.DONE,  # the late answer to a place
    (Status.CANCELING, Trigger.REFUSED_STANDS): Status.LIVE,
    (Status.CANCELING, Trigger.REFUSED_UNCLEAR): Status.UNKNOWN,
    (Status.CANCELING, Trigger.LOST): Status.UNKNOWN,
    (Status.UNKNOWN, Trigger.CANCEL_SENT): Status.CANCELING,
    (Status.UNKNOWN, Trigger.SEEN_OPEN): Status.LIVE,
    (Status.UNKNOWN, Trigger.SEEN_AMENDED): Status.LIVE,
    (Status.UNKNOWN, Trigger.SEEN_DONE): Status.DONE,
    (Status.UNKNOWN, Trigger.REFUSED_NO_ORDER): Status.DONE,  # the late answer to a place
    (Status.UNKNOWN, Trigger.REFUSED_STANDS): Status.LIVE,
    (Status.UNKNOWN, Trigger.REFUSED_UNCLEAR): Status.UNKNOWN,
    (Status.UNKNOWN, Trigger.LOST): Status.UNKNOWN,
    (Status.UNKNOWN, Trigger.PROVEN_ABSENT): Status.DONE,
    (Status.DONE, Trigger.SEEN_OPEN): Status.LIVE,  # the venue's newer word: it lives after all
    (Status.DONE, Trigger.SEEN_DONE): Status.DONE,
    (Status.DONE, Trigger.LOST): Status.DONE,
    (Status.DONE, Trigger.REFUSED_NO_ORDER): Status.DONE,
    (Status.DONE, Trigger.REFUSED_STANDS): Status.DONE,
    (Status.DONE, Trigger.REFUSED_UNCLEAR): Status.DONE,
}
"""(status, trigger) -> the status that follows."""

IN_FLIGHT = (PENDING, AMENDING, CANCELING)
"""With a request that has not been answered."""
