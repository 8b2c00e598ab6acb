"""What moved without a trade, as the venue's histories tell it.

Perpetuals are settled into the balance all the time: `pnl` of such an event is profit that was
counted already, `funding` is income. Options end at the venue's settlement price. Interest,
deposits, withdrawals and transfers are money that came or went.

Every function takes all rows of a history since a moment and returns the flows in them, with the
number of rows that cannot be read; it raises Unreadable where there is no list.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal

from mmbot.core.contracts import Instrument
from mmbot.core.statements import Flow, FlowKind
from mmbot.core.types import ZERO
from mmbot.venues.derive import messages
from mmbot.venues.derive.names import SETTLEMENT
from mmbot.venues.reading import Unread, Unreadable, each, read

Instruments = Mapping[str, Instrument]
"""Those that are followed, by the venue's name. What happened to others is not told."""

Flows = tuple[list[Flow], int]


def funding_flows(rows: object, instruments: Instruments, unread: Unread) -> Flows:
    """private/get_funding_history. Rows have no id, and two of one moment may be equal; each is
    told by what it says, and by how many like it came before, so all rows of a moment have to be
    there."""
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


def settlement_flows(rows: object, instruments: Instruments, unread: Unread) -> Flows:
    """private/get_option_settlement_history."""

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


def interest_flows(rows: object, unread: Unread) -> Flows:
    """private/get_interest_history. Rows have no id either."""
    refs = _Refs()

    def one(row: object) -> Flow:
        paid = read(messages.Interest, row, unread, "interest")
        ref = refs.of(f"interest {paid.timestamp} {paid.interest}")
        return _flow(ref, FlowKind.TRANSFER, paid.interest, paid.timestamp)

    return _all(rows, one, unread, "interest")


def deposit_flows(rows: object, unread: Unread) -> Flows:
    """private/get_deposit_history. What is credited is the amount less the fee."""

    def one(row: object) -> Flow:
        came = read(messages.Deposit, row, unread, "deposit")
        money = came.amount - (came.fee or ZERO)
        return _flow(came.operation_id, FlowKind.TRANSFER, money, came.timestamp, of=came.asset)

    return _all(rows, one, unread, "deposit")


def withdrawal_flows(rows: object, unread: Unread) -> Flows:
    """private/get_withdrawal_history. The fee is part of the amount."""

    def one(row: object) -> Flow:
        left = read(messages.Deposit, row, unread, "withdrawal")
        return _flow(
            left.operation_id, FlowKind.TRANSFER, -left.amount, left.timestamp, of=left.asset
        )

    return _all(rows, one, unread, "withdrawal")


def transfer_flows(rows: object, unread: Unread) -> Flows:
    """private/get_erc20_transfer_history. The sender's row has what left, fee included; the
    receiver's, what arrived."""

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


def _all(rows: object, one: Callable[[object], Flow | None], unread: Unread, what: str) -> Flows:
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
