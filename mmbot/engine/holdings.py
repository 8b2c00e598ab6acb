"""The accounts as a whole: profit, exposure, margin, and what nobody quotes of them."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from mmbot.core.contracts import Instrument
from mmbot.core.off_desk import Held
from mmbot.core.profit import DOLLARS
from mmbot.core.sizes import unit_of
from mmbot.core.state import Account, State
from mmbot.core.types import (
    SECOND,
    ZERO,
    InstrumentId,
    Nanos,
    to_decimal,
    told_apart,
)
from mmbot.core.why import Why
from mmbot.engine.status import Exposure, InstrumentRow, Pnl, SettledRow

Index = dict[str, float]
"""USD per coin, by coin."""


def indices(state: State) -> Index:
    """Of every underlying that is known."""
    found = {
        held.terms.underlying: float(held.index)
        for account in state.accounts.values()
        for held in (account.held or {}).values()
        if held.terms is not None and held.index is not None
    }
    for (_, _, _, underlying), total in state.retired.totals.items():
        if total.index is not None:
            found[underlying] = total.index
    markets = state.markets.values()
    return found | {m.instrument.underlying: m.index for m in markets if m.index is not None}


def usd_per(instrument: Instrument, index: Index) -> float | None:
    """What one unit of the settlement currency is worth; None where nobody knows."""
    return rate_of(instrument.settlement, instrument.underlying, index)


def rate_of(settlement: str, underlying: str, index: Index) -> float | None:
    """The same by the currency, and by what the index of its coin is known of."""
    return 1.0 if settlement in DOLLARS else index.get(underlying)


def names(state: State) -> dict[InstrumentId, str]:
    """What people call every instrument that is quoted or held."""
    held = [name for account in state.accounts.values() for name in account.held or ()]
    return told_apart((*state.markets, *held))


def held_rows(
    state: State, named: Mapping[InstrumentId, str], index: Index, now_ns: Nanos
) -> Iterator[InstrumentRow]:
    """Positions that no desk trades, as the venues last stated them."""
    for account in state.accounts.values():
        age_s = (now_ns - account.last_snapshot_ns) / SECOND if account.last_snapshot_ns else None
        for one, held in (account.held or {}).items():
            if held.amount or held.profit:
                yield _held_row(named[one], account.venue, held, index, age_s)


def _held_row(
    name: str, venue: str, held: Held, index: Index, age_s: float | None
) -> InstrumentRow:
    terms, profit = held.terms, held.profit
    rate = usd_per(terms, index) if terms is not None else None
    return InstrumentRow(
        instrument=name,
        market_bid=None,
        market_ask=None,
        our_bid=None,
        our_bid_size=None,
        our_ask=None,
        our_ask_size=None,
        fair=float(held.mark) if held.mark is not None else None,
        position=held.amount,
        delta_coin=_held_delta(held, index),
        pnl_usd=float(profit) * rate if profit is not None and rate is not None else None,
        age_s=age_s,
        why=Why.NOT_QUOTED,
        symbol=terms.symbol if terms is not None else "",
        mark=float(held.mark) if held.mark is not None else None,
        index=index.get(terms.underlying) if terms is not None else None,
        unit=unit_of(terms) if terms is not None else "",
        quoted=False,
        average=held.average,
        venue=venue,
    )


def _held_delta(held: Held, index: Index) -> float | None:
    if not held.amount:
        return 0.0
    if held.delta is not None or held.terms is None or not held.terms.moves_with_coin:
        return held.delta
    rate = index.get(held.terms.underlying)
    return None if rate is None else float(held.terms.coin(held.amount, to_decimal(rate)))


def exposures(
    state: State, named: Mapping[InstrumentId, str], rows: Iterable[InstrumentRow]
) -> dict[str, Exposure]:
    """Delta by underlying, over all positions of all accounts."""
    underlyings = {named[one]: m.instrument.underlying for one, m in state.markets.items()}
    for account in state.accounts.values():
        for one, held in (account.held or {}).items():
            if held.terms is not None:
                underlyings[named[one]] = held.terms.underlying
    found: dict[str, Exposure] = {
        market.instrument.underlying: Exposure(net=0.0, gross=0.0)
        for market in state.markets.values()
    }
    for row in rows:
        underlying = underlyings.get(row.instrument)
        if underlying is None or not row.position:
            continue
        so_far, delta = found.get(underlying, Exposure(net=0.0, gross=0.0)), row.delta_coin or 0.0
        found[underlying] = Exposure(
            net=so_far.net + delta,
            gross=so_far.gross + abs(delta),
            complete=so_far.complete and row.delta_coin is not None,
        )
    return found


def margin_use(state: State) -> dict[str, float]:
    """Maintenance margin over what it is compared with, by currency, of the account that uses
    most; with cross margin, one for the whole portfolio."""
    found: dict[str, float] = {}
    for account in state.accounts.values():
        for name, use in _margin_use(account).items():
            found[name] = max(use, found.get(name, use))
    return found


def _margin_use(account: Account) -> dict[str, float]:
    found: dict[str, float] = {}
    for currency, stated in account.equity.items():
        has = stated.margin_balance if stated.margin_balance is not None else stated.equity
        if stated.maintenance_margin is None or has <= 0:
            continue
        use = float(stated.maintenance_margin / has)
        if stated.cross:
            return {"portfolio": use}
        found[currency] = use
    return found


def equity(account: Account) -> dict[str, Decimal]:
    """The account's value by currency; currencies without any left out."""
    return {name: stated.equity for name, stated in account.equity.items() if stated.equity}


def every_equity(state: State) -> dict[str, Decimal]:
    """The same of all accounts together."""
    found: dict[str, Decimal] = {}
    for account in state.accounts.values():
        for name, amount in equity(account).items():
            found[name] = found.get(name, ZERO) + amount
    return found


def equity_usd(state: State, index: Index) -> float | None:
    """The value of all accounts at the present index; None while a currency of one has none."""
    worth = [_equity_usd(account, index) for account in state.accounts.values()]
    known = [usd for usd in worth if usd is not None]
    return sum(known) if known and len(known) == len(worth) else None


def _equity_usd(account: Account, index: Index) -> float | None:
    total = 0.0
    for currency, held in account.equity.items():
        rate = 1.0 if currency in DOLLARS else index.get(currency)
        if held.cross and rate is not None:
            return float(held.equity) * rate  # each row is the whole portfolio, converted
        if held.equity and rate is None:
            return None
        total += float(held.equity) * (rate or 0.0)
    return total if account.equity else None


def off_desk(state: State, index: Index) -> dict[str, float]:
    """Per underlying that is quoted, what is held on instruments that are not, in coin: their
    absolute amounts added up over all accounts, as max_exposure counts them."""
    quoted = {market.instrument.underlying for market in state.markets.values()}
    found: dict[str, float] = {}
    for account in state.accounts.values():
        for coin, held in account.off_desk.items():
            if coin in quoted:
                amount = held.in_coin(to_decimal(index[coin]) if coin in index else None)
                found[coin] = found.get(coin, 0.0) + float(amount)
    return found


def profit(
    state: State,
    index: Index,
    rows: Iterable[InstrumentRow],
    held: Iterable[InstrumentRow],
    settled: Iterable[SettledRow],
) -> Pnl:
    """Profit of this run in USD, at the present index: the sum of the rows that have one."""
    beside = [row for row in held if row.pnl_usd is not None]
    earned = [row.pnl_usd for row in (*rows, *beside)] + [row.pnl_usd for row in settled]
    total = sum(usd for usd in earned if usd is not None)
    spread = inventory = fees = funding = opened = 0.0
    for market in state.markets.values():
        rate = usd_per(market.instrument, index)
        if rate is None:
            continue
        mark: Decimal | None = None if market.mark is None else to_decimal(market.mark)
        money = state.inventory.session(market.instrument, mark)
        spread += float(money.spread) * rate
        inventory += float(money.inventory) * rate
        fees += float(money.fees) * rate
        funding += float(money.funding) * rate
        opened += float(state.inventory.of(market.instrument).pnl(mark).unrealized) * rate
    for (_, _, settlement, underlying), gone in state.retired.totals.items():
        rate = rate_of(settlement, underlying, index)
        if rate is not None:
            spread += float(gone.pnl.spread) * rate
            inventory += float(gone.pnl.inventory) * rate
            fees += float(gone.pnl.fees) * rate
            funding += float(gone.pnl.funding) * rate
    inventory += sum(row.pnl_usd or 0.0 for row in beside)
    opened += sum(row.pnl_usd or 0.0 for row in beside if row.position)
    return Pnl(
        total_usd=total,
        spread_usd=spread,
        inventory_usd=inventory,
        fees_usd=fees,
        funding_usd=funding,
        open_usd=opened,
        revaluation_usd=_revaluation(state, index),
    )


def _revaluation(state: State, index: Index) -> float:
    """What the coins the account began with earned by their own price, in USD: E0 (S - S0)."""
    gained = 0.0
    for account in state.accounts.values():
        for currency, equity in account.opening_equity.items():
            before = state.opening_index.get(currency)
            if before is not None and currency in index:
                gained += float(equity.equity) * (index[currency] - before)
    return gained
