"""What a perpetual pays those who hold it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from mmbot.core.contracts import Instrument
from mmbot.core.events import TickerChanged
from mmbot.core.memory import Memory
from mmbot.core.ports import Heard
from mmbot.core.types import Nanos
from mmbot.plugins.registry import Family, register

EIGHT_HOURS_A_DAY = 3


@register(Family.SIGNAL, "funding_carry")
@dataclass(frozen=True, slots=True)
class FundingCarry:
    """What a long earns of its notional in a day by funding, at the rate of this moment.

    `funding_carry.mean_8h` is the same at the mean rate of the last eight hours. Positive: shorts
    pay, because the perpetual is below its index, and the price is expected to rise. Known for
    perpetuals only, as far as the venue says it.
    """

    units: ClassVar[Mapping[str, str]] = {"": "per day", "mean_8h": "per day"}

    def start(self, instrument: Instrument) -> Memory:  # noqa: ARG002  # the same for all
        """No rate yet."""
        return Memory()

    def observe(self, memory: Memory, event: Heard) -> None:
        """Keep the newest rates; what the venue does not say any more is not known any more."""
        if isinstance(event, TickerChanged):
            numbers = memory.numbers
            rates = {"now": event.current_funding, "mean_8h": event.funding_8h}
            for name, rate in rates.items():
                if rate is None:
                    numbers.pop(name, None)
                else:
                    numbers[name] = -EIGHT_HOURS_A_DAY * rate + 0.0  # one zero, not two

    def value(self, memory: Memory, now_ns: Nanos) -> float | None:  # noqa: ARG002  # of the port
        """None where the venue states no rate."""
        return memory.numbers.get("now")

    def values(
        self,
        memory: Memory,
        now_ns: Nanos,  # noqa: ARG002  # of the port
    ) -> Mapping[str, float | None]:
        """The mean of eight hours."""
        return {"mean_8h": memory.numbers.get("mean_8h")}
