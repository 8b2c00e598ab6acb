"""What a venue's error code means: how far it reaches, and what it says of the order."""

from dataclasses import dataclass
from enum import Enum, auto

from mmbot.core.error_scope import ErrorScope


class OrderFate(Enum):
    """What a refusal of a request says of the order the request was about."""

    STANDS = auto()
    """The order is as it was; a place left nothing behind."""
    GONE = auto()
    """The order has ended, or another request was faster: ask what became of it."""
    CROSSED = auto()
    """The order would have traded at once. A refused amend may have cancelled it: ask."""
    OPEN = auto()
    """The venue itself does not say whether the request was carried out."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """One code's."""

    name: str
    scope: ErrorScope
    fate: OrderFate = OrderFate.STANDS
