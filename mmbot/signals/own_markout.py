"""What the price does after our own fills."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, ClassVar

from annotated_types import Ge, Gt, Le, doc

from mmbot.core.contracts import Instrument
from mmbot.core.events import BookChanged, BookLost, Filled, TickerChanged
from mmbot.core.memory import Memory
from mmbot.core.ports import Heard
from mmbot.core.statements import Fill, Liquidity, execution_key
from mmbot.core.types import MS, SECOND, Nanos
from mmbot.plugins.registry import Family, register
from mmbot.signals import tops
from mmbot.signals.markouts import BOUGHT, FILLS, SOLD, mean, none_yet, price_is, take_back, wait


@register(Family.SIGNAL, "own_markout")
@dataclass(frozen=True, slots=True, kw_only=True)
class OwnMarkout:
    """What the price does after our fills as maker, in half-spreads of their moment.

    `own_markout.buy` and `own_markout.sell` are markouts as traders count them: the price after
    `horizon_s` less the price paid, or the other way round where we sold; positive is money earned.
    Each is the mean over the last 50 fills of its side, the newest counting most. The value itself
    is the mean of what the two say of the price: positive means that it rises after our fills. The
    price is the mark for options, and the middle of the book for the others. A fill that the venue
    takes back does not count.
    """

    horizon_s: Annotated[float, Gt(0), Le(86_400), doc("seconds after the fill")] = 10.0
    least: Annotated[int, Ge(1), Le(FILLS), doc("fills of a side before it is told")] = 10

    units: ClassVar[Mapping[str, str]] = dict.fromkeys(("", "buy", "sell"), "half-spreads")

    def start(self, instrument: Instrument) -> Memory:
        """No fill yet."""
        return none_yet(instrument.fair_is_mark)

    def observe(self, memory: Memory, event: Heard) -> None:
        """Follow the price, and look back at fills when their time has come."""
        numbers = memory.numbers
        if isinstance(event, BookChanged):
            is_whole = tops.see(numbers, event)
            if not numbers["by_mark"]:
                mid = (event.bids[0][0] + event.asks[0][0]) / 2 if is_whole else None
                price_is(memory, mid, event.received_ns)
        elif isinstance(event, TickerChanged):
            if numbers["by_mark"] and event.mark is not None:
                price_is(memory, event.mark, event.received_ns)
        elif isinstance(event, Filled):
            self._filled(memory, event.fill)
        elif isinstance(event, BookLost):
            tops.lose(numbers)
            if not numbers["by_mark"]:
                numbers.pop("price", None)

    def _filled(self, memory: Memory, fill: Fill) -> None:
        if fill.reverses:
            take_back(memory, execution_key(fill.reverses, fill.side.opposite))
        elif fill.liquidity is not Liquidity.TAKER:
            book = tops.met(memory.numbers, fill.venue_ms)
            if book is not None:
                due_ns = fill.venue_ms * MS + int(self.horizon_s * SECOND)
                execution = execution_key(fill.trade_id, fill.side)
                wait(memory, execution, fill.side, float(fill.price), book[1], due_ns)

    def value(self, memory: Memory, now_ns: Nanos) -> float | None:  # noqa: ARG002  # of the port
        """None while neither side is told."""
        buy, sell = mean(memory, BOUGHT, self.least), mean(memory, SOLD, self.least)
        if buy is None or sell is None:
            return buy if sell is None else -sell
        return (buy - sell) / 2

    def values(self, memory: Memory, now_ns: Nanos) -> Mapping[str, float | None]:  # noqa: ARG002  # of the port
        """Each side; None while it has too few fills."""
        return {side: mean(memory, side, self.least) for side in (BOUGHT, SOLD)}
