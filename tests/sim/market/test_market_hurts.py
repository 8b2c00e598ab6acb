"""What happens to somebody who joins the top of the book, measured.

The bot asks for one contract at the best bid and ask of the others, looks once a second and knows
nothing. A fill's markout is what the mark moves for (+) or against (-) its side after the second in
which it was filled, counted in half-spreads of the book before it; it is toxic when the markout
after ten seconds is below minus one half. Its gain is (mark a minute later - price) x side - fee.
"""

from dataclasses import dataclass, replace
from decimal import Decimal
from math import sqrt
from statistics import fmean, stdev

from mmbot.sim.exchange.book import Book
from mmbot.sim.exchange.effects import AccountChange
from mmbot.sim.exchange.listing import Side
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.orders import Order, OrderState
from mmbot.sim.exchange.requests import Edit, NewOrder, Placed
from mmbot.sim.market.market import Market
from mmbot.sim.market.presets import PRESETS, Preset

NAMES = tuple(f"ETH-6JUN25-{strike}-{letter}" for strike in (2800, 2900) for letter in "CP")
MINUTES = 10
SEEDS = range(4)
HORIZON_S = 60
ONE = Decimal(1)

NORMAL = PRESETS["normal"]
NOISE_ONLY = Preset(
    replace(NORMAL.path, news_per_hour=0, jumps_a_day=0, large_jumps_a_day=0),
    replace(NORMAL.flow, snipers=False),
)


@dataclass(frozen=True, slots=True)
class MeasuredFill:
    markout_10s: float  # half-spreads
    gross: float  # coin per contract
    fee: float

    @property
    def net(self) -> float:
        return self.gross - self.fee


class JoinTheTop:
    """One bid and one ask of one contract in each instrument, where the others are best."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.orders: dict[tuple[str, Side], Order] = {}
        exchange.open_account("bot", {"ETH": Decimal(1_000_000)})

    def look(self, name: str, now_ms: int) -> None:
        book = self.exchange.book(name)
        for side in Side:
            own = self.orders.get((name, side))
            if own is not None and own.state is not OrderState.OPEN:
                own = None
            price = self._best_of_others(book, side, own)
            if price is None:
                continue
            if own is None:
                wish = NewOrder(name=name, side=side, amount=ONE, price=price, post_only=True)
                placed = self.exchange.place("bot", wish, now_ms)
                if isinstance(placed, Placed):
                    self.orders[name, side] = placed.order
            elif own.price != price:
                self.exchange.edit("bot", Edit(order_id=own.order_id, price=price), now_ms)

    def _best_of_others(self, book: Book, side: Side, own: Order | None) -> Decimal | None:
        for price, total in book.depth(side):
            mine = own.open_amount if own is not None and own.price == price else Decimal(0)
            if total > mine:
                return price
        return None


def measure(preset: Preset, seed: int) -> list[MeasuredFill]:
    market = Market(Exchange(), seed, preset=preset)
    exchange = market.exchange
    for name in NAMES:
        market.watch(name)
    bot = JoinTheTop(exchange)
    marks: dict[str, list[float]] = {name: [] for name in NAMES}
    half_spreads = dict.fromkeys(NAMES, 0.0)
    filled: list[tuple[int, str, int, float, float, float]] = []
    for second in range(MINUTES * 60):
        for name in NAMES:
            book = exchange.book(name)
            marks[name].append(float(book.mark))
            if book.best_bid is not None and book.best_ask is not None:
                half_spreads[name] = float(book.best_ask.price - book.best_bid.price) / 2
            bot.look(name, market.now_ms)
        market.advance(market.now_ms + 1_000)
        for effect in exchange.drain():
            if not isinstance(effect, AccountChange):
                continue
            for trade in effect.trades:
                price, half = float(trade.public.price), half_spreads[effect.name]
                filled.append((second, effect.name, trade.side.sign, price, float(trade.fee), half))
    return [
        MeasuredFill(
            sign * (marks[name][second + 10] - marks[name][second]) / half,
            sign * (marks[name][second + HORIZON_S] - price),
            fee,
        )
        for second, name, sign, price, fee, half in filled
        if second + HORIZON_S < len(marks[name])
    ]


def t_value(values: list[float]) -> float:
    return fmean(values) / (stdev(values) / sqrt(len(values)))


def test_noise_pays_whoever_joins_the_top_and_informed_flow_charges_for_it() -> None:
    normal = [fill for seed in SEEDS for fill in measure(NORMAL, seed)]
    noise = [fill for seed in SEEDS for fill in measure(NOISE_ONLY, seed)]

    seconds = MINUTES * 60 * len(SEEDS)
    assert 5 < seconds / len(normal) < 20

    toxic = fmean(fill.markout_10s < -0.5 for fill in normal)
    assert 0.25 < toxic < 0.45
    assert fmean(fill.markout_10s < -0.5 for fill in noise) < 0.15

    assert t_value([fill.gross for fill in noise]) > 5
    assert fmean(fill.net for fill in noise) > 0
    assert t_value([fill.net for fill in normal]) < -2
