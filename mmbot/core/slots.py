"""What happened lately in one slot (instrument, side, owner, level), and when to try it again."""

from dataclasses import dataclass

from mmbot.core.closures import doubled
from mmbot.core.types import MS, SECOND, Nanos
from mmbot.core.why import Why

REFUSED_FIRST_NS: Nanos = 200 * MS
REFUSED_MAX_NS: Nanos = 5 * SECOND
"""Between two tries after an ordinary refusal."""

FUNDS_FIRST_NS: Nanos = 10 * SECOND
FUNDS_MAX_NS: Nanos = 300 * SECOND
"""The same where there were no funds for it; never less than the first, whatever changes."""

IOC_AGAIN_NS: Nanos = 500 * MS
"""Between two orders that end as they arrive: what was not there for the first needs time."""


@dataclass(slots=True)
class SlotMemory:
    """Refusals in a row in one slot."""

    refusals: int = 0
    not_before_ns: Nanos = 0
    short: int = 0
    """How many of them, in a row, for want of funds."""
    short_ns: Nanos = 0
    """When the last of these came."""

    @property
    def why(self) -> Why:
        """Why nothing is sent before its time."""
        if self.short:
            return Why.NO_FUNDS
        return Why.REFUSED if self.refusals else Why.JUST_TRIED

    def refuse(self, now_ns: Nanos) -> None:
        """The venue said no."""
        self.refusals += 1
        self.not_before_ns = now_ns + doubled(REFUSED_FIRST_NS, self.refusals, REFUSED_MAX_NS)

    def lack_funds(self, now_ns: Nanos) -> bool:
        """There are no funds for more on this side; whether that is news."""
        self.short, self.short_ns = self.short + 1, now_ns
        self.not_before_ns = now_ns + doubled(FUNDS_FIRST_NS, self.short, FUNDS_MAX_NS)
        return self.short == 1

    def tried(self, now_ns: Nanos) -> None:
        """An order is sent that ends as it arrives."""
        self.not_before_ns = max(self.not_before_ns, now_ns + IOC_AGAIN_NS)

    def funds_changed(self) -> None:
        """A position or the balance has changed: worth another try, if not at once."""
        if self.short:
            self.not_before_ns = min(self.not_before_ns, self.short_ns + FUNDS_FIRST_NS)

    def accept(self) -> None:
        """An order stands there."""
        self.refusals = self.short = 0
