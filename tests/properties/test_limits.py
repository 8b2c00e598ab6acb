"""Limits hold in the worst case: whatever rests, is in flight or in doubt on one side is filled.

The ledger beside the bot knows only what was sent and what the venue answered; it does not look
into the bot's own table.
"""

from dataclasses import dataclass
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from mmbot.core import events as ev
from mmbot.core.desk import Desk
from mmbot.core.intents import Amend, Cancel, Place, VenueIntent
from mmbot.core.order_life import OrderState, Request, Status
from mmbot.core.sizes import Size
from mmbot.core.statements import Fill
from mmbot.core.types import ZERO, InstrumentId, Label, Side
from mmbot.risk.max_exposure import MaxExposure
from mmbot.risk.max_position import MaxPosition
from tests.builders import a_fill, a_perpetual, a_quote, an_option
from tests.core.bot import VENUE, Bot

CALL = an_option()
PUT = an_option(id="deribit:ETH-6JUN25-2800-P", name="ETH-6JUN25-2800-P")
PERPETUAL = a_perpetual()
INSTRUMENTS = (CALL, PUT, PERPETUAL)
INDEX = 2500
LIMITS = {CALL.id: Decimal(6), PUT.id: Decimal(6), PERPETUAL.id: Decimal(15_000)}
EXPOSURE = Decimal(10)
NOISE = Decimal("1e-15")


@dataclass(slots=True)
class Sent:
    """One order as it was asked for: the totals that may still hold, and what traded."""

    instrument: InstrumentId
    side: Side
    price: Decimal
    totals: list[Decimal]
    filled: Decimal = ZERO

    @property
    def may_fill(self) -> Decimal:
        return max(self.totals) - self.filled


class Ledger:
    """Everything sent and answered."""

    def __init__(self) -> None:
        self.open: dict[Label, Sent] = {}
        self.flying: dict[Label, VenueIntent] = {}
        self.held = {i.id: ZERO for i in INSTRUMENTS}
        self.trades = 0

    def note(self, intents: list[VenueIntent]) -> None:
        for intent in intents:
            if isinstance(intent, Place):
                self.open[intent.label] = Sent(
                    intent.instrument, intent.side, intent.price, [intent.amount]
                )
            elif isinstance(intent, Amend):
                self.open[intent.label].totals.append(intent.amount)
            if isinstance(intent, Place | Amend | Cancel):
                self.flying[intent.label] = intent

    def answer(self, bot: Bot, label: Label) -> ev.Event:
        """The venue does as it was asked."""
        intent, order = self.flying.pop(label), self.open[label]
        state, answers = OrderState.OPEN, Request.PLACE
        if isinstance(intent, Amend):
            order.price, order.totals, answers = intent.price, [intent.amount], Request.AMEND
            if order.may_fill <= 0:
                state = OrderState.FILLED
        elif isinstance(intent, Cancel):
            state, answers = OrderState.CANCELLED, Request.CANCEL
        if state is not OrderState.OPEN:
            del self.open[label]
        return ev.OrderSeen(
            venue=VENUE,
            label=label,
            order_id=f"v-{label}",
            instrument=order.instrument,
            side=order.side,
            price=order.price,
            amount=max(order.totals),
            filled=order.filled,
            state=state,
            venue_ms=bot.ms,
            answers=answers,
        )

    def trade(self, bot: Bot, label: Label, amount: Decimal) -> Fill:
        """Somebody trades with one of them."""
        order = self.open[label]
        amount = min(amount, order.totals[0] - order.filled)
        order.filled += amount
        self.held[order.instrument] += amount * order.side.sign
        self.trades += 1
        instrument = next(i for i in INSTRUMENTS if i.id == order.instrument)
        return a_fill(
            order.side,
            order.price,
            amount,
            instrument=instrument,
            trade_id=f"t{self.trades}",
            label=label,
            venue_ms=bot.ms,
        )

    def check(self) -> None:
        """One side of each market is filled to the last order."""
        exposure = ZERO
        for instrument in INSTRUMENTS:
            orders = [o for o in self.open.values() if o.instrument == instrument.id]
            held = self.held[instrument.id]
            long = held + sum((o.may_fill for o in orders if o.side is Side.BUY), ZERO)
            short = held - sum((o.may_fill for o in orders if o.side is Side.SELL), ZERO)
            assert long <= LIMITS[instrument.id], (instrument.id, long)
            assert short >= -LIMITS[instrument.id], (instrument.id, short)
            worst = max(abs(long), abs(short))
            exposure += worst / INDEX if instrument is PERPETUAL else worst
        assert exposure <= EXPOSURE + NOISE, exposure


def quoting() -> Bot:
    bot = Bot.quoting(*INSTRUMENTS)
    for instrument in INSTRUMENTS:
        rules = (MaxPosition(limit=Size(LIMITS[instrument.id])), MaxExposure(limit=EXPOSURE))
        bot.desks[instrument.id] = Desk(
            name=instrument.name, venue=VENUE, strategy=bot.puppet, rules=rules
        )
    bot.turn(
        ev.LimitsRead(VENUE, rate_per_s=10_000.0, burst=10_000.0),
        bot.ticker(CALL, index=INDEX),
        bot.ticker(PUT, index=INDEX),
        bot.ticker(PERPETUAL, mark=2500.0, index=INDEX),
    )
    return bot


@given(st.data())
@settings(max_examples=80, deadline=None)
def test_limits_hold_when_everything_rests_and_one_side_is_filled(data: st.DataObject) -> None:
    bot, ledger = quoting(), Ledger()
    for _ in range(data.draw(st.integers(1, 12), "steps")):
        instrument = data.draw(st.sampled_from(INSTRUMENTS), "market")
        unit, low, high = (5000, 2400.0, 2600.0) if instrument is PERPETUAL else (1, 0.0200, 0.0230)
        quotes = []
        for side in data.draw(st.sampled_from([(Side.BUY,), (Side.SELL,), tuple(Side)]), "sides"):
            base = low if side is Side.BUY else high
            for level in data.draw(st.sets(st.integers(0, 2)), "levels"):
                size = data.draw(st.integers(1, 5), "size") * unit
                price = base * (
                    1 - side.sign * (0.05 * level + data.draw(st.sampled_from([0, 0.03])))
                )
                quotes.append(a_quote(side, price, size, level=level))
        bot.puppet.wants[instrument.id] = quotes
        if instrument is PERPETUAL:
            books = [bot.book(2300.0, 2700.0, instrument=PERPETUAL)]
        else:
            books = [bot.book(0.0150, 0.0280, instrument=instrument)]
        ledger.note(bot.turn(*books))
        ledger.check()
        for label in list(ledger.flying):
            if data.draw(st.booleans(), "answered"):
                ledger.note(bot.turn(ledger.answer(bot, label)))
                ledger.check()
        live = [
            label
            for label in ledger.open
            if label not in ledger.flying and bot.state.orders.by_label[label].status is Status.LIVE
        ]
        traded: bool = data.draw(st.booleans(), "traded")
        if live and traded:
            label = data.draw(st.sampled_from(live), "which")
            fill = ledger.trade(bot, label, Decimal(data.draw(st.integers(1, 5))) * unit)
            if ledger.open[label].may_fill <= 0:
                del ledger.open[label]
                bot_order = bot.state.orders.by_label[label]
                done = bot.says(bot_order, OrderState.FILLED, filled=bot_order.amount)
                said: list[ev.Event] = [ev.Filled(fill), done]
                for event in data.draw(st.permutations(said), "order"):
                    ledger.note(bot.turn(event))
                    ledger.check()
            else:
                ledger.note(bot.turn(ev.Filled(fill)))
            ledger.check()
