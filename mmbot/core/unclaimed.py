"""What a venue that names no labels told of an order before it was known whose that is."""

from dataclasses import dataclass, field

from mmbot.core.events import OrderSeen
from mmbot.core.statements import Fill


@dataclass(slots=True)
class Unclaimed:
    """Of one order: the fills that were booked, and the last word."""

    fills: list[Fill] = field(default_factory=list)
    seen: OrderSeen | None = None
