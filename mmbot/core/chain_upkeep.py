"""Upkeep of chains: which options belong to one, what is heard of them, what they are worth now.

Theory of operation
-------------------
1. A chain is kept where a desk's pricer reads it (`reads_chain`), over all options of that family
   that are traded or watched. It is arranged anew when the set of instruments changes.
2. The forward of an expiry is the perpetual's price of now times one plus the mean of (the venue's
   own forward / perpetual - 1) over a minute: the perpetual is where prices change first. Without a
   perpetual, or where no quote could be built on its book, it is the venue's.
3. All options are valued in one pass (pricing.chain_pass) when a new surface is there, when the
   perpetual has moved so far that the fair value of a traded option moves by a quarter of its tick,
   and once a second. Only markets whose fair value did move by that much are decided about again.
4. A surface is fitted outside of the turn: the turn asks (`FitSurface`), with everything the fit
   needs, and hears of it (`Fitted`), so that a replay never fits. Between fits the smiles are
   carried on in vol time.
"""

from collections.abc import Iterable, Mapping
from math import isfinite, isnan, nan

from mmbot.core.books import Market, book_fault, reference
from mmbot.core.chains import Basis, Chain, ChainKey, FitSurface, Fitted, Smile
from mmbot.core.contracts import Instrument
from mmbot.core.desk import Desk
from mmbot.core.scope import DAY_NS
from mmbot.core.state import State
from mmbot.core.types import BUY, MS, SECOND, SELL, InstrumentId, Nanos, Right, Side
from mmbot.pricing.ewma import decay
from mmbot.pricing.fair import BASIS_HALF_LIFE_S, size_weighted
from mmbot.pricing.vol_time import VolTime

VALUE_EVERY_NS: Nanos = 1 * SECOND
FIT_EVERY_NS: Nanos = 5 * SECOND
FIT_FIRST_NS: Nanos = 500 * MS
"""While there is no surface, it is asked for so often."""
FIT_MOVE = 0.003
"""A move of the forward after which a fit does not wait for its time."""
FIT_PATIENCE_NS: Nanos = 10 * SECOND
"""A fit that has not come back after that is asked for anew."""
SURFACE_MAX_NS: Nanos = 60 * SECOND
"""The quotes of a surface may be so old; then options are valued at the venue's volatility."""
QUOTE_MAX_NS: Nanos = 30 * SECOND
"""What has not been stated for so long is not fitted to."""
FEW = 3
"""With fewer options there is nothing to fit."""

_TICK_SHARE = 0.25
_YEAR_NS: Nanos = 365 * DAY_NS
_TIME = VolTime()
_NO_SMILE = (nan, nan, nan, nan, nan)


def key_of(instrument: Instrument) -> ChainKey:
    """Of the chain an option would belong to."""
    return ChainKey(instrument.venue, instrument.underlying, instrument.settlement)


# --- who belongs to it ----------------------------------------------------------------------------


def arrange(state: State, desks: Mapping[InstrumentId, Desk]) -> None:
    """Put the options that are traded and watched now into their chains."""
    state.chains_due = False
    wanted = {
        key_of(market.instrument)
        for name, market in state.markets.items()
        if market.instrument.has_vega and name in desks and reads_chain(desks[name])
    }
    markets = {**state.watched, **state.markets}
    before, state.chains = state.chains, {}
    for key in sorted(wanted):
        options = [
            one
            for one in markets.values()
            if one.instrument.has_vega and key_of(one.instrument) == key
        ]
        state.chains[key.text] = _arranged(key, options, markets, before.get(key.text), state)
    for market in markets.values():
        if market.chain and market.chain not in state.chains:
            market.chain, market.row = "", -1


def reads_chain(desk: Desk) -> bool:
    """Whether a desk's options are valued with their chain."""
    return bool(getattr(desk.pricer, "reads_chain", False))


def _arranged(
    key: ChainKey,
    options: list[Market],
    markets: Mapping[InstrumentId, Market],
    before: Chain | None,
    state: State,
) -> Chain:
    options.sort(key=lambda one: _place(one.instrument))
    expiries = sorted({one.instrument.expiry_ns or 0 for one in options})
    chain = Chain(key, options[0].instrument.inverse)
    chain.perpetual = next(
        (
            name
            for name, one in markets.items()
            if one.instrument.moves_with_coin
            and one.instrument.expiry_ns is None
            and key_of(one.instrument) == key
        ),
        None,
    )
    chain.expiries = expiries
    known = {} if before is None else dict(zip(before.expiries, before.basis, strict=True))
    chain.basis = [known.get(one) or Basis() for one in expiries]
    chain.stated, chain.forward = [nan] * len(expiries), [nan] * len(expiries)
    if before is not None:
        chain.smiles = {at: one for at, one in before.smiles.items() if at in expiries}
        chain.fitted_ns, chain.answered_ns = before.fitted_ns, before.answered_ns
        chain.asked_ns, chain.asked_lead = before.asked_ns, before.asked_lead
        chain.trouble = before.trouble
    for row, market in enumerate(options):
        instrument = market.instrument
        assert instrument.strike is not None, "an option has a strike"
        market.chain, market.row = key.text, row
        chain.names.append(instrument.id)
        chain.strike.append(float(instrument.strike))
        chain.sign.append(1.0 if instrument.right is Right.CALL else -1.0)
        chain.expiry.append(expiries.index(instrument.expiry_ns or 0))
        chain.traded.append(instrument.id in state.markets)
        chain.tick.append(instrument.grid.ladder.tick)
        for column in (chain.bid, chain.ask, chain.mark, chain.iv):
            column.append(nan)
        chain.heard_ns.append(0)
        hear(chain, market)
    blank = [nan] * len(options)
    chain.fair, chain.sigma, chain.delta = blank[:], blank[:], blank[:]
    chain.gamma_coin_per_pct, chain.vega_usd_per_vol_point = blank[:], blank[:]
    chain.theta_usd_per_day, chain.decided = blank[:], blank[:]
    chain.fitted = [False] * len(options)
    return chain


def _place(instrument: Instrument) -> tuple[Nanos, float, bool]:
    return instrument.expiry_ns or 0, float(instrument.strike or 0), instrument.right is Right.PUT


# --- what is heard of it --------------------------------------------------------------------------


def hear(chain: Chain, market: Market) -> None:
    """The newest ticker of an option of the chain."""
    row, expiry = market.row, chain.expiry[market.row]
    unknown = isnan(chain.iv[row]) or isnan(chain.stated[expiry])
    chain.bid[row] = _or_nan(market.best_bid)
    chain.ask[row] = _or_nan(market.best_ask)
    chain.mark[row] = _or_nan(market.mark)
    chain.iv[row] = _or_nan(market.mark_iv)
    chain.heard_ns[row] = market.priced_ns
    if market.forward is not None and market.forward > 0:
        chain.stated[expiry] = market.forward
    if unknown:  # it may be worth something from now on
        chain.due = True


def hear_ticker(state: State, market: Market, now_ns: Nanos) -> None:
    """A ticker came of an option: what it says, and how far its forward is from the perpetual."""
    chain = state.chains[market.chain]
    hear(chain, market)
    lead = _lead(state, chain, now_ns)
    if lead > 0 and market.forward is not None and isfinite(market.forward):
        _observe(chain.basis[chain.expiry[market.row]], market.forward / lead - 1.0, now_ns)


def take_fit(state: State, event: Fitted, now_ns: Nanos) -> None:
    """A fit has come back."""
    chain = state.chains.get(event.chain)
    if chain is None or event.at_ns < chain.fitted_ns:
        return
    chain.answered_ns, chain.trouble = now_ns, event.trouble
    if event.smiles:
        chain.smiles = {one.expiry_ns: one for one in event.smiles}
        chain.fitted_ns, chain.due = event.at_ns, True


def _or_nan(value: float | None) -> float:
    return nan if value is None else value


def _observe(basis: Basis, value: float, now_ns: Nanos) -> None:
    """A value that holds from now on; the mean is over time, as in pricing.ewma."""
    basis.mean = _mean(basis, now_ns) if basis.at_ns else value
    basis.last, basis.at_ns = value, now_ns


def _mean(basis: Basis, now_ns: Nanos) -> float:
    kept = decay((now_ns - basis.at_ns) / SECOND, BASIS_HALF_LIFE_S)
    return kept * basis.mean + (1.0 - kept) * basis.last


def _lead(state: State, chain: Chain, now_ns: Nanos) -> float:
    """The perpetual's price by its own book, without our orders; NaN where that is not sound."""
    if chain.perpetual is None:
        return nan
    market = state.markets.get(chain.perpetual) or state.watched.get(chain.perpetual)
    if market is None:
        return nan
    age_ns = now_ns - max(market.received_ns, state.accounts[chain.key.venue].alive_ns)
    if book_fault(market, age_ns, now_ns) is not None:
        return nan
    bids, asks = _top(state, market, BUY, now_ns), _top(state, market, SELL, now_ns)
    if bids is None or asks is None or not bids[0] < asks[0]:
        return nan
    middle = size_weighted(*bids, *asks)
    return nan if middle is None else middle


def _top(state: State, market: Market, side: Side, now_ns: Nanos) -> tuple[float, float] | None:
    """The best price of the others, and the amount there."""
    levels: Iterable[tuple[float, float]] | None = market.bids if side is BUY else market.asks
    orders = state.orders.by_instrument.get(market.instrument.id)
    if orders:
        levels = reference(market, side, orders.values(), now_ns, {})
    return next(iter(levels or ()), None)


# --- what it is worth -----------------------------------------------------------------------------


def value_chains(
    state: State, desks: Mapping[InstrumentId, Desk], now_ns: Nanos
) -> list[FitSurface]:
    """Bring every chain up to date; markets whose fair value has moved are decided about. Returns
    the fits that are due."""
    if state.chains_due:
        arrange(state, desks)
    for chain in state.chains.values():
        lead = _lead(state, chain, now_ns)
        if (
            chain.due
            or now_ns - chain.valued_ns >= VALUE_EVERY_NS
            or isnan(lead) is not isnan(chain.lead)
            or abs(lead - chain.lead) >= chain.step_usd
        ):
            _value(state, chain, lead, now_ns)
    return _fits(state, now_ns)


def _value(state: State, chain: Chain, lead: float, now_ns: Nanos) -> None:
    # Imported where it is used: who trades no options needs no numpy.
    from mmbot.pricing.chain_pass import value_chain

    chain.forward = [
        stated if isnan(lead) or not basis.at_ns else lead * (1.0 + _mean(basis, now_ns))
        for stated, basis in zip(chain.stated, chain.basis, strict=True)
    ]
    quarter = [
        _TICK_SHARE * tick if traded else nan
        for tick, traded in zip(chain.tick, chain.traded, strict=True)
    ]
    found = value_chain(
        strike=chain.strike,
        sign=chain.sign,
        place=chain.expiry,
        iv=chain.iv,
        step=quarter,
        forward=chain.forward,
        years=[(expiry_ns - now_ns) / _YEAR_NS for expiry_ns in chain.expiries],
        smiles=[_now(chain, expiry_ns, now_ns) for expiry_ns in chain.expiries],
        inverse=chain.inverse,
    )
    chain.fair, chain.sigma, chain.fitted = found.fair, found.sigma, found.fitted
    chain.delta, chain.gamma_coin_per_pct = found.delta, found.gamma_coin_per_pct
    chain.vega_usd_per_vol_point = found.vega_usd_per_vol_point
    chain.theta_usd_per_day = found.theta_usd_per_day
    chain.lead, chain.valued_ns, chain.due = lead, now_ns, False
    chain.step_usd = found.step_usd
    for row, name in enumerate(chain.names):
        if chain.traded[row]:
            fair, before = chain.fair[row], chain.decided[row]
            if abs(fair - before) > quarter[row] or isnan(fair) is not isnan(before):
                chain.decided[row] = fair
                state.touch(name)


def _now(chain: Chain, expiry_ns: Nanos, now_ns: Nanos) -> tuple[float, float, float, float, float]:
    """An expiry's smile, carried on to this moment."""
    smile: Smile | None = chain.smiles.get(expiry_ns)
    if smile is None or now_ns - chain.fitted_ns > SURFACE_MAX_NS:
        return _NO_SMILE
    left = _TIME.left(chain.fitted_ns, now_ns, expiry_ns)
    return smile.a * left, smile.b * left, smile.rho, smile.m, smile.s


# --- what is fitted to it -------------------------------------------------------------------------


def _fits(state: State, now_ns: Nanos) -> list[FitSurface]:
    if state.exit_ns:
        return []
    return [
        _asked(state, name, chain, now_ns)
        for name, chain in state.chains.items()
        if _fit_is_due(state, chain, now_ns)
    ]


def _fit_is_due(state: State, chain: Chain, now_ns: Nanos) -> bool:
    since_ns = now_ns - chain.asked_ns
    if since_ns < FIT_FIRST_NS or len(chain.names) < FEW:
        return False
    if chain.answered_ns < chain.asked_ns and since_ns < FIT_PATIENCE_NS:
        return False
    if not state.accounts[chain.key.venue].market_up or isnan(chain.forward[0]):
        return False
    moved = abs(chain.forward[0] / chain.asked_lead - 1.0) >= FIT_MOVE  # false for NaN
    return since_ns >= FIT_EVERY_NS or not chain.fitted_ns or moved


def _told(column: list[float]) -> list[float | None]:
    return [None if isnan(value) else value for value in column]


def _asked(state: State, name: str, chain: Chain, now_ns: Nanos) -> FitSurface:
    chain.asked_ns, chain.asked_lead = now_ns, chain.forward[0]
    bid, ask = _told(chain.bid), _told(chain.ask)
    for row, option in enumerate(chain.names):
        if now_ns - chain.heard_ns[row] > QUOTE_MAX_NS:
            bid[row] = ask[row] = None
        elif chain.traded[row]:
            market = state.markets[option]
            best_bid = _top(state, market, BUY, now_ns)
            best_ask = _top(state, market, SELL, now_ns)
            bid[row] = None if best_bid is None else best_bid[0]
            ask[row] = None if best_ask is None else best_ask[0]
    return FitSurface(
        chain=name,
        at_ns=now_ns,
        expiry_ns=tuple(chain.expiries[one] for one in chain.expiry),
        strike=tuple(chain.strike),
        sign=tuple(chain.sign),
        forward=tuple(_told([chain.forward[one] for one in chain.expiry])),
        bid=tuple(bid),
        ask=tuple(ask),
        iv=tuple(_told(chain.iv)),
        inverse=chain.inverse,
        tick=min(chain.tick),
    )
