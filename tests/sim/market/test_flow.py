"""The crowd, one character at a time, in a scene whose truth is known."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from random import Random
from statistics import fmean, pvariance

import pytest

from mmbot.sim.exchange.listing import Kind, Right, Side
from mmbot.sim.exchange.matching import Exchange
from mmbot.sim.exchange.orders import Order
from mmbot.sim.exchange.requests import NewOrder, Placed
from mmbot.sim.exchange.rules import Period
from mmbot.sim.market.chain import FAMILIES, Expiry, option
from mmbot.sim.market.flow import (
    HAWKES_BRANCHING,
    INFORMED_ACCOUNT,
    NOISE_ACCOUNT,
    RESERVATION_K,
    SNIPER_ACCOUNT,
    InformedTaker,
    MakerProfile,
    NoiseTaker,
    Quoter,
    Sniper,
    taker_fee,
)
from mmbot.sim.market.scene import Scene
from mmbot.sim.market.underlying import STEP_MS

FAIR = 0.02
TICK = Decimal("0.0005")
UNIT = 0.0004
HALF_SPREAD = 0.0005
ETH = {"ETH": Decimal(1_000_000)}
LISTING = option(
    FAMILIES["ETH"], Expiry(1_749_196_800_000, Period.WEEK), Decimal(2_800), Right.CALL, now_ms=0
)
STEADY = MakerProfile(account="maker", half_width=1.0, noise=0.0, lots=2)
PUSHY = MakerProfile(account="maker", half_width=2.0, noise=0.0, lots=2, undercuts=True)


def an_exchange() -> Exchange:
    exchange = Exchange()
    exchange.list(LISTING)
    for account in ("maker", "other", NOISE_ACCOUNT, SNIPER_ACCOUNT, INFORMED_ACCOUNT):
        exchange.open_account(account, ETH, followed=account == "other")
    return exchange


def never_moved(_: float) -> float:
    return 0.0


def a_scene(
    exchange: Exchange,
    now_ms: int = 0,
    fair: float = FAIR,
    move_ago: Callable[[float], float] = never_moved,
) -> Scene:
    return Scene(
        LISTING,
        exchange.book(LISTING.name),
        now_ms,
        fair,
        per_log=0.5,
        per_point=UNIT,
        unit=UNIT,
        half_spread=HALF_SPREAD,
        cost=0.0,
        volatility_1s=0.0001,
        move_ago=move_ago,
    )


def rest(exchange: Exchange, side: Side, price: str, amount: int = 5) -> Order:
    """Somebody's order on the book."""
    wish = NewOrder(name=LISTING.name, side=side, amount=Decimal(amount), price=Decimal(price))
    placed = exchange.place("other", wish, 0)
    assert isinstance(placed, Placed)
    return placed.order


def a_quoter(profile: MakerProfile = STEADY, seed: int = 1) -> Quoter:
    return Quoter(profile, Kind.OPTION, Random(seed), now_ms=0, width_scale=1.0)


def touch(exchange: Exchange) -> tuple[Decimal | None, Decimal | None]:
    book = exchange.book(LISTING.name)
    bid, ask = book.best_bid, book.best_ask
    return (bid.price if bid else None, ask.price if ask else None)


# -- makers ------------------------------------------------------------------------------------


def test_a_maker_quotes_its_width_around_its_fair_value_rounded_outward() -> None:
    exchange = an_exchange()
    a_quoter().act(exchange, a_scene(exchange))
    # 0.02 -+ 0.0004, outward on a ladder of 0.0005.
    assert touch(exchange) == (Decimal("0.0195"), Decimal("0.0205"))


def test_a_maker_wants_its_fee_back_from_each_side() -> None:
    exchange = an_exchange()
    a_quoter().act(exchange, replace(a_scene(exchange), cost=0.0005))
    # 0.02 -+ (0.0004 + 0.0005), outward on a ladder of 0.0005.
    assert touch(exchange) == (Decimal("0.0190"), Decimal("0.0210"))


def test_a_maker_follows_the_price_after_its_latency() -> None:
    exchange = an_exchange()
    maker = a_quoter()
    maker.act(exchange, a_scene(exchange))
    # The fair value has moved by 0.5 x 0.004 = 0.002, all of it too recent to be known.
    recent = a_scene(exchange, 1_000, FAIR + 0.002, lambda ms: 0.004 if ms > 0 else 0.0)
    calm_second = replace(recent, volatility_1s=1.0)
    maker.act(exchange, calm_second)
    assert touch(exchange) == (Decimal("0.0195"), Decimal("0.0205"))
    maker.act(exchange, a_scene(exchange, 2_000, FAIR + 0.002))
    assert touch(exchange) == (Decimal("0.0215"), Decimal("0.0225"))


def test_a_maker_steps_aside_after_a_three_sigma_second() -> None:
    exchange = an_exchange()
    maker = a_quoter()
    maker.act(exchange, a_scene(exchange))
    # Late by nothing, but the second before moved by 4 sigma.
    wild = a_scene(exchange, 1_000, move_ago=lambda ms: 0.0004 if ms > 1_000 else 0.0)
    maker.act(exchange, wild)
    assert touch(exchange) == (None, None)
    maker.act(exchange, a_scene(exchange, 2_500))
    assert touch(exchange) == (None, None)
    maker.act(exchange, a_scene(exchange, 12_000))
    assert touch(exchange) == (Decimal("0.0195"), Decimal("0.0205"))


def test_a_maker_that_bought_skews_down_and_in_time_forgets() -> None:
    exchange = an_exchange()
    maker = a_quoter()
    maker.act(exchange, a_scene(exchange))
    big = NewOrder(name=LISTING.name, side=Side.SELL, amount=Decimal(1), price=Decimal("0.0195"))
    for now_ms in range(1_000, 60_000, 1_000):
        exchange.place("other", big, now_ms)
        exchange.cancel_all("other", now_ms)
        maker.act(exchange, a_scene(exchange, now_ms))
    assert exchange.position("maker", LISTING.name).size > 5
    bid, _ = touch(exchange)
    assert bid is not None
    assert bid < Decimal("0.0195")
    for now_ms in range(60_000, 7_200_000, 60_000):
        maker.act(exchange, a_scene(exchange, now_ms))
    # 0.02095 - 0.0004 is just above 0.0205: with any skew left it would be below.
    maker.act(exchange, a_scene(exchange, 7_300_000, fair=0.02095))
    assert touch(exchange)[0] == Decimal("0.0205")


def test_a_maker_never_takes() -> None:
    exchange = an_exchange()
    ask = rest(exchange, Side.SELL, "0.0180")
    a_quoter().act(exchange, a_scene(exchange))
    assert ask.filled == 0
    bid, _ = touch(exchange)
    assert bid == Decimal("0.0175")


def test_a_maker_without_room_for_a_bid_only_offers() -> None:
    exchange = an_exchange()
    a_quoter().act(exchange, a_scene(exchange, fair=0.0002))
    bid, ask = touch(exchange)
    assert bid is None
    assert ask == Decimal("0.0006")


def test_undercutters_beat_the_best_by_a_tick_about_every_other_time() -> None:
    outcomes: Counter[Decimal | None] = Counter()
    for seed in range(60):
        exchange = an_exchange()
        rest(exchange, Side.BUY, "0.0190")
        a_quoter(PUSHY, seed).act(exchange, a_scene(exchange))
        outcomes[touch(exchange)[0]] += 1
    assert set(outcomes) == {Decimal("0.0190"), Decimal("0.0195")}
    assert 15 < outcomes[Decimal("0.0195")] < 45


def test_undercutters_stop_at_their_own_edge() -> None:
    for seed in range(20):
        exchange = an_exchange()
        rest(exchange, Side.BUY, "0.0195")
        # A tick better would be the fair value itself.
        a_quoter(PUSHY, seed).act(exchange, a_scene(exchange))
        assert touch(exchange)[0] == Decimal("0.0195")


def test_a_maker_who_leaves_takes_its_quotes_along() -> None:
    exchange = an_exchange()
    maker = a_quoter()
    maker.act(exchange, a_scene(exchange))
    maker.leave(exchange, 100)
    assert touch(exchange) == (None, None)
    maker.act(exchange, a_scene(exchange, 5_000))
    assert None not in touch(exchange)


# -- noise -------------------------------------------------------------------------------------


def arrivals_at(distance: float, steps: int = 40_000, rate: float = 0.5) -> list[int]:
    """How many noise takers a step bring who accept an ask `distance` half-spreads away."""
    exchange = an_exchange()
    noise = NoiseTaker(Random(7), rate)
    price = LISTING.snap_up(Decimal(repr(FAIR + distance * HALF_SPREAD)))
    rest(exchange, Side.SELL, str(price), amount=1_000_000)
    exchange.drain()
    counts = []
    for step in range(steps):
        noise.act(exchange, a_scene(exchange, step * STEP_MS), activity=1.0)
        counts.append(sum(1 for effect in exchange.drain() if hasattr(effect, "trades")) // 2)
    return counts


def test_noise_falls_off_exponentially_with_distance() -> None:
    near, far = sum(arrivals_at(1.0)), sum(arrivals_at(2.0))
    # exp(k) = 4.48 times as many accept the nearer price.
    assert RESERVATION_K == 1.5
    assert 3.3 < near / far < 6.0


def test_noise_comes_at_its_rate_and_in_clusters() -> None:
    counts = arrivals_at(0.0)
    per_second = sum(counts) / (len(counts) * STEP_MS / 1_000)
    # Half of 0.5 a second buys.
    assert per_second == pytest.approx(0.25, rel=0.15)
    window = 20_000 // STEP_MS
    totals = [sum(counts[at : at + window]) for at in range(0, len(counts), window)]
    # A Poisson stream has variance = mean; a Hawkes stream 1 / (1 - n)^2 as much in the long run.
    assert HAWKES_BRANCHING == 0.5
    assert pvariance(totals) > 1.3 * fmean(totals)


def test_noise_without_a_rate_stays_at_home() -> None:
    assert sum(arrivals_at(0.0, steps=2_000, rate=0.0)) == 0


# -- snipers -----------------------------------------------------------------------------------


def test_a_sniper_takes_a_stale_quote_in_full_one_step_later() -> None:
    exchange = an_exchange()
    stale = rest(exchange, Side.SELL, "0.0185", amount=300)
    fine = rest(exchange, Side.SELL, "0.0200", amount=5)
    sniper = Sniper()
    sniper.act(exchange, a_scene(exchange, 0))
    assert stale.filled == 0
    sniper.act(exchange, a_scene(exchange, STEP_MS))
    assert stale.open_amount == 0
    assert fine.filled == 0
    assert exchange.position(SNIPER_ACCOUNT, LISTING.name).size == 300


def test_a_quote_corrected_in_time_is_not_sniped() -> None:
    exchange = an_exchange()
    stale = rest(exchange, Side.BUY, "0.0230")
    sniper = Sniper()
    sniper.act(exchange, a_scene(exchange, 0))
    exchange.cancel("other", stale.order_id, 1)
    corrected = rest(exchange, Side.BUY, "0.0195")
    sniper.act(exchange, a_scene(exchange, STEP_MS))
    assert corrected.filled == 0


def test_snipers_want_more_than_their_fee_and_a_tick() -> None:
    # 0.0195 is 0.0005 off: less than 0.0003 + 0.0005. 0.0190 is 0.0010 off: more.
    for price, taken in (("0.0195", False), ("0.0190", True)):
        exchange = an_exchange()
        ask = rest(exchange, Side.SELL, price)
        sniper = Sniper()
        for step in range(3):
            sniper.act(exchange, a_scene(exchange, step * STEP_MS))
        assert (ask.open_amount == 0) is taken


def test_the_fee_of_a_cheap_option_is_capped() -> None:
    assert taker_fee(LISTING, 0.02, 2_500) == pytest.approx(0.0003)
    assert taker_fee(LISTING, 0.0008, 2_500) == pytest.approx(0.0001)  # 12.5 % of the premium


# -- the informed ------------------------------------------------------------------------------


@pytest.mark.parametrize(("gain", "sign"), [(0.002, 1), (-0.002, -1), (0.0001, 0)])
def test_the_informed_trade_their_news_if_it_is_worth_it(gain: float, sign: int) -> None:
    exchange = an_exchange()
    rest(exchange, Side.SELL, "0.0205", amount=1_000)
    rest(exchange, Side.BUY, "0.0195", amount=1_000)
    informed = InformedTaker(Random(1))
    for step in range(20):
        informed.act(exchange, a_scene(exchange, step * STEP_MS), gain)
    size = exchange.position(INFORMED_ACCOUNT, LISTING.name).size
    assert (size > 0) - (size < 0) == sign


def test_the_informed_do_not_pay_more_than_they_know() -> None:
    exchange = an_exchange()
    ask = rest(exchange, Side.SELL, "0.0225")
    informed = InformedTaker(Random(1))
    for step in range(20):
        informed.act(exchange, a_scene(exchange, step * STEP_MS), 0.002)
    assert ask.filled == 0
