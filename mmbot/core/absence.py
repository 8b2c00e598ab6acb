"""From when on it proves something that the venue does not list an order."""

from mmbot.core.capabilities import ABSENT_AFTER_NS, Capabilities
from mmbot.core.types import SECOND, Nanos

CLOCK_SKEW_NS: Nanos = 1 * SECOND
"""How far the venue's clock may be from desk time when absence is judged."""


def uncertain_ns(capabilities: Capabilities) -> Nanos:
    """How long after a place or an amend was sent its order's absence proves nothing: while it is
    valid, by whichever clock; where no venue keeps to that, for as long as is plausible, or until
    the order itself has expired."""
    valid_for_ns, life_ns = capabilities.valid_for_ns, capabilities.orders_expire_ns
    if valid_for_ns is not None:
        return valid_for_ns + CLOCK_SKEW_NS
    return ABSENT_AFTER_NS if life_ns is None else min(ABSENT_AFTER_NS, life_ns + CLOCK_SKEW_NS)
