"""The border, of what concerns money: fills, positions, equity, and what moved without a trade.

Theory of operation
-------------------
Everything is in USDC, and the venue's decimals are taken digit for digit. Perpetuals are settled
into the balance all the time: `pnl` of such an event is profit that was counted already, `funding`
is income. Options end at the venue's settlement price. Interest, deposits, withdrawals and
transfers are money that came or went.

Equity is what the venue says the subaccount is worth. Its `maintenance_margin` is what is left
above the requirement, so what the positions need is minus `positions_maintenance_margin`, and that
is compared with what is left plus that need: below it the venue liquidates.

A position's delta is stated for one unit.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final

from mmbot.core.contracts import Instrument
from mmbot.core.statements import Equity, Fill, Flow, FlowKind, HeldPosition, Liquidity
from mmbot.core.types import ZERO, Label
from mmbot.venues.derive import messages
from mmbot.venues.derive.names import SETTLEMENT, instrument_id, is_option
from mmbot.venues.derive.parse import SIDES
from mmbot.venues.reading import Unread, Unreadable, each, read

Instruments = Mapping[str, Instrument]
"""Those that are followed, by the venue's name."""

_LIQUIDITY: Final = {"maker": Liquidity.MAKER, "taker": Liquidity.TAKER}

TRADES: Final = "trade"
"""The `update_type` of {subaccount}.balances that trades explain. All others are flows."""


def fill_of(venue: str, data: object, unread: Unread) -> Fill:
    """One user trade. The fee is positive when paid. Raises Unreadable.

    What a batch on the chain comes to later does not undo it: `batch_status` is no end of a trade.
    """
    trade = read(messages.UserTrade, data, unread, "trade")
    if trade.trade_amount <= 0 or trade.trade_price < 0:
        raise Unreadable(f"trade {trade.trade_id}: {trade.trade_amount} at {trade.trade_price}")
    if not trade.trade_price and not is_option(trade.instrument_name):
        raise Unreadable(f"trade {trade.trade_id}: a price of 0 is no price there")
    return Fill(
        trade_id=trade.trade_id,
        instrument=instrument_id(venue, trade.instrument_name),
        side=SIDES[trade.direction],
        price=trade.trade_price,
        amount=trade.trade_amount,
        fee=trade.trade_fee,
        fee_currency=SETTLEMENT,
        liquidity=_LIQUIDITY.get(trade.liquidity_role or ""),
        order_id=trade.order_id or "",
        label=Label(trade.label) if trade.label else None,
        venue_ms=trade.timestamp,
        mark=_positive(trade.mark_price, or_zero=is_option(trade.instrument_name)),
        index=_positive(trade.index_price),
    )


def position_of(venue: str, data: object, terms: Instrument | None, unread: Unread) -> HeldPosition:
    """One entry of private/get_positions. `terms`: of an instrument that is not followed. Raises
    Unreadable where it does not tell of which instrument it is."""
    held = read(messages.Position, data, unread, "position")
    average = held.average_price_excl_fees
    delta = None
    if held.delta is not None and held.amount is not None:
        delta = float(held.delta * held.amount)
    return HeldPosition(
        instrument=instrument_id(venue, held.instrument_name),
        amount=held.amount,
        mark=_positive(held.mark_price, or_zero=is_option(held.instrument_name)),
        funding=held.pending_funding or ZERO,
        terms=terms,
        average=_positive(held.average_price if average is None else average),
        index=_positive(held.index_price),
        delta=delta,
    )


def equity_of(data: object, unread: Unread) -> Equity:
    """private/get_subaccount: the account's one statement, in USDC. The balance is the USDC that is
    held; other collateral counts in the equity alone. Raises Unreadable."""
    stated = read(messages.Subaccount, data, unread, "account")
    if stated.failed_to_fetch:
        raise Unreadable("account: the venue could not load it")
    need = has = None
    if stated.maintenance_margin is not None and stated.positions_maintenance_margin is not None:
        need = max(ZERO, -stated.positions_maintenance_margin)
        has = stated.maintenance_margin + need
    return Equity(
        currency=SETTLEMENT,
        equity=stated.subaccount_value,
        balance=_cash(stated, unread),
        maintenance_margin=need,
        margin_balance=has,
    )


def _cash(stated: messages.Subaccount, unread: Unread) -> Decimal:
    rows, unreadable = each(
        stated.collaterals, lambda row: read(messages.Collateral, row, unread, "collateral"),
        unread, "collateral",
    )  # fmt: skip
    cash = [row.amount for row in rows if row.asset_name == SETTLEMENT]
    if unreadable and not cash:
        raise Unreadable("account: its USDC cannot be read")
    return sum(cash, ZERO)


def _positive(value: Decimal | None, *, or_zero: bool = False) -> Decimal | None:
    return None if value is None or value < 0 or (value == 0 and not or_zero) else value


# --- what moved without a trade ---------------------------------------------------------------

Rows = list[object]


def funding_flows(rows: Rows, instruments: Instruments, unread: Unread) -> tuple[list[Flow], int]:
    """All of private/get_funding_history since a moment: (flows, how many rows cannot be read).

    Rows have no id, and two of one moment may even be equal; each is told by what it says, and by
    how many like it came before, so all rows of a moment have to be there.
    """
    events, unreadable = each(
        rows, lambda row: read(messages.FundingEvent, row, unread, "funding"), unread, "funding"
    )
    refs, flows = _Refs(), []
    for event in events:
        ref = refs.of(f"{event.instrument_name} {event.timestamp} {event.funding} {event.pnl}")
        instrument = instruments.get(event.instrument_name)
        if instrument is None:
            continue  # not one that we trade
        for kind, money in (
            (FlowKind.FUNDING, event.funding),
            (FlowKind.SETTLEMENT, event.pnl),
        ):
            if money:
                flows.append(_flow(ref, kind, money, event.timestamp, instrument))
    return flows, unreadable


def settlement_flows(
    rows: Rows, instruments: Instruments, unread: Unread
) -> tuple[list[Flow], int]:
    """All of private/get_option_settlement_history: (flows, how many rows cannot be read)."""

    def one(row: object) -> Flow | None:
        ended = read(messages.OptionSettlement, row, unread, "settlement")
        instrument = instruments.get(ended.instrument_name)
        if instrument is None:
            return None
        if ended.settlement_price <= 0:
            raise Unreadable(f"settlement of {ended.instrument_name}: {ended.settlement_price}")
        return Flow(
            ref=f"{ended.instrument_name} {ended.expiry}",
            kind=FlowKind.DELIVERY,
            instrument=instrument.id,
            currency=SETTLEMENT,
            money=ended.settlement_value,
            venue_ms=ended.expiry * 1000,
            price=instrument.payoff(ended.settlement_price),
            index=ended.settlement_price,
        )

    return _all(rows, one, unread, "settlement")


def interest_flows(rows: Rows, unread: Unread) -> tuple[list[Flow], int]:
    """All of private/get_interest_history: (flows, how many rows cannot be read)."""

    refs = _Refs()

    def one(row: object) -> Flow:
        paid = read(messages.Interest, row, unread, "interest")
        ref = refs.of(f"interest {paid.timestamp} {paid.interest}")
        return _flow(ref, FlowKind.TRANSFER, paid.interest, paid.timestamp)

    return _all(rows, one, unread, "interest")


def deposit_flows(rows: Rows, unread: Unread) -> tuple[list[Flow], int]:
    """All of private/get_deposit_history: (flows, how many rows cannot be read). What is credited
    is the amount less the fee."""

    def one(row: object) -> Flow:
        came = read(messages.Deposit, row, unread, "deposit")
        money = came.amount - (came.fee or ZERO)
        return _flow(came.operation_id, FlowKind.TRANSFER, money, came.timestamp, of=came.asset)

    return _all(rows, one, unread, "deposit")


def withdrawal_flows(rows: Rows, unread: Unread) -> tuple[list[Flow], int]:
    """All of private/get_withdrawal_history: (flows, how many rows cannot be read). The fee is part
    of the amount."""

    def one(row: object) -> Flow:
        left = read(messages.Deposit, row, unread, "withdrawal")
        return _flow(
            left.operation_id, FlowKind.TRANSFER, -left.amount, left.timestamp, of=left.asset
        )

    return _all(rows, one, unread, "withdrawal")


def transfer_flows(rows: Rows, unread: Unread) -> tuple[list[Flow], int]:
    """All of private/get_erc20_transfer_history: (flows, how many rows cannot be read). The
    sender's row has what left, fee included, the receiver's what arrived."""

    def one(row: object) -> Flow:
        moved = read(messages.Transfer, row, unread, "transfer")
        money = -moved.amount if moved.is_outgoing else moved.amount
        return _flow(moved.operation_id, FlowKind.TRANSFER, money, moved.timestamp, of=moved.asset)

    return _all(rows, one, unread, "transfer")


class _Refs:
    """Names of rows that have none: what they say, and how many said the same before."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def of(self, said: str) -> str:
        """The name of the next row that says this."""
        self._seen[said] += 1
        return said if self._seen[said] == 1 else f"{said} #{self._seen[said]}"


def _all(
    rows: Rows, one: Callable[[object], Flow | None], unread: Unread, what: str
) -> tuple[list[Flow], int]:
    found, unreadable = each(rows, one, unread, what)
    return [flow for flow in found if flow is not None], unreadable


def _flow(
    ref: str,
    kind: FlowKind,
    money: Decimal,
    venue_ms: int,
    instrument: Instrument | None = None,
    of: str = SETTLEMENT,
) -> Flow:
    return Flow(
        ref=ref,
        kind=kind,
        instrument=instrument.id if instrument is not None else None,
        currency=of,
        money=money,
        venue_ms=venue_ms,
    )
