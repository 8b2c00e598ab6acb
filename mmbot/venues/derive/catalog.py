"""What the venue lists: instruments, what signatures call them, and when they trade.

`catalog` is a recipe, as there are more options than a page holds. Of an entry that cannot be read
the name and the reason are kept; the others count.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from mmbot.core.contracts import Instrument
from mmbot.core.fees import FeeBasis, Fees
from mmbot.core.grid import Grid
from mmbot.core.types import ONE, SECOND, ZERO, Kind, Nanos, Right
from mmbot.venues.derive.messages import Listing, OptionDetails
from mmbot.venues.derive.names import (
    SETTLEMENT,
    OptionName,
    option_of,
    option_symbol,
    perpetual_symbol,
)
from mmbot.venues.derive.paging import AskFor, everything
from mmbot.venues.derive.signing import Asset
from mmbot.venues.reading import Unread, Unreadable, fields_of, instrument_id, read
from mmbot.venues.recipe import Recipe

LISTINGS: Final = "public/get_all_instruments"

KINDS: Final = ("perp", "option")
"""Those mmbot trades; the venue has `erc20` besides, spot."""

_RIGHTS: Final = {"C": Right.CALL, "P": Right.PUT}


@dataclass(frozen=True, slots=True)
class Listed:
    """An instrument, with what only its venue has to know of it."""

    instrument: Instrument
    asset: Asset
    max_amount: Decimal | None
    """The largest order."""
    opens_ns: Nanos | None
    closes_ns: Nanos | None

    def is_live(self, now_ns: Nanos) -> bool:
        """Whether it trades at that moment."""
        opened = self.opens_ns is None or self.opens_ns <= now_ns
        return opened and (self.closes_ns is None or now_ns < self.closes_ns)


@dataclass(slots=True)
class Catalog:
    """Everything listed, by the venue's name for it."""

    listed: dict[str, Listed] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    """Instruments whose terms could not be read, and why."""
    whole: bool = True
    """Whether nothing is missing for certain."""

    def instruments(self, now_ns: Nanos) -> list[Instrument]:
        """Those that trade at that moment."""
        return [one.instrument for one in self.listed.values() if one.is_live(now_ns)]


def catalog(
    ask: AskFor, venue: str, unread: Unread, currencies: Sequence[str] = ()
) -> Recipe[Catalog]:
    """Everything of the kinds we trade, of these underlyings or of all. Raises Unreadable where an
    answer is no list at all, and what `ask` raises."""
    found = Catalog()
    for kind in KINDS:
        for currency in currencies or (None,):
            params = {"instrument_type": kind, "expired": False}
            if currency is not None:
                params["currency"] = currency
            pages = yield from everything(ask, LISTINGS, params, "instruments", unread)
            found.whole &= pages.whole
            for row in pages.rows:
                _enter(found, venue, row, unread)
    return found


def _enter(found: Catalog, venue: str, row: object, unread: Unread) -> None:
    try:
        one = listed_of(venue, row, unread)
    except Unreadable as error:
        unread.note("listing", error)
        name = row.get("instrument_name") if isinstance(row, dict) else None
        if isinstance(name, str) and name:
            found.unread[name] = str(error)
        return
    if one is not None:
        found.listed[one.instrument.name] = one


def listed_of(venue: str, data: object, unread: Unread) -> Listed | None:
    """One entry of public/get_all_instruments, and public/get_instrument; None for kinds mmbot does
    not trade and for what does not trade now. Raises Unreadable."""
    raw = fields_of(data, "listing")
    kind = raw.get("instrument_type")
    if isinstance(kind, str) and kind not in KINDS:
        return None
    row = read(Listing, data, unread, "listing")
    if not row.is_active:
        return None
    for name in ("maximum_amount", "mark_price_fee_rate_cap", "option_details"):
        if raw.get(name) is not None and getattr(row, name) is None:
            raise Unreadable(f"{row.instrument_name}: {name} is {raw[name]!r:.60}")
    if row.quote_currency != SETTLEMENT:
        raise Unreadable(f"{row.instrument_name}: quoted in {row.quote_currency}")
    return Listed(
        instrument=_option(venue, row) if row.instrument_type == "option" else _perp(venue, row),
        asset=_asset(row),
        max_amount=row.maximum_amount,
        opens_ns=_moment(row.scheduled_activation),
        closes_ns=_moment(row.scheduled_deactivation),
    )


def _perp(venue: str, row: Listing) -> Instrument:
    return Instrument(
        id=instrument_id(venue, row.instrument_name),
        venue=venue,
        name=row.instrument_name,
        symbol=perpetual_symbol(row.base_currency),
        kind=Kind.PERPETUAL,
        underlying=row.base_currency,
        settlement=SETTLEMENT,
        inverse=False,
        contract_size=ONE,
        grid=_grid(row),
        fees=_fees(row, cap=None),
    )


def _option(venue: str, row: Listing) -> Instrument:
    terms = _terms(row)
    return Instrument(
        id=instrument_id(venue, row.instrument_name),
        venue=venue,
        name=row.instrument_name,
        symbol=option_symbol(row.base_currency, terms.expiry_ns, terms.strike, terms.right),
        kind=Kind.OPTION,
        underlying=row.base_currency,
        settlement=SETTLEMENT,
        inverse=False,
        contract_size=ONE,
        grid=_grid(row),
        fees=_fees(row, cap=row.mark_price_fee_rate_cap or None),
        strike=terms.strike,
        right=terms.right,
        expiry_ns=terms.expiry_ns,
    )


def _grid(row: Listing) -> Grid:
    for name in ("tick_size", "amount_step", "minimum_amount"):
        if getattr(row, name) <= 0:
            raise Unreadable(f"{row.instrument_name}: {name} is {getattr(row, name)}")
    return Grid(tick=row.tick_size, amount_step=row.amount_step, min_amount=row.minimum_amount)


def _fees(row: Listing, *, cap: Decimal | None) -> Fees:
    """Rates are of the index, options' and perpetuals' alike. A cap is an option's; where it is
    none, or zero, nothing bounds what is counted with."""
    if row.base_fee < 0 or (cap is not None and cap < 0):
        raise Unreadable(f"{row.instrument_name}: fees of {row.base_fee}, at most {cap}")
    return Fees(
        basis=FeeBasis.INDEX,
        maker=row.maker_fee_rate,
        taker=row.taker_fee_rate,
        base=row.base_fee,
        cap=cap,
    )


def _terms(row: Listing) -> OptionName:
    """Stated, or by the name."""
    stated = row.option_details or OptionDetails()
    strike, right = stated.strike, _RIGHTS.get(stated.option_type or "")
    expiry_ns = _moment(stated.expiry)
    is_stated = strike is not None and right is not None and expiry_ns
    named = None if is_stated else option_of(row.instrument_name)
    if named is not None:
        strike = named.strike if strike is None else strike
        right, expiry_ns = right or named.right, expiry_ns or named.expiry_ns
    if strike is None or strike <= ZERO or right is None or not expiry_ns:
        raise Unreadable(f"{row.instrument_name}: an option without strike, right or expiry")
    return OptionName(row.base_currency, expiry_ns, strike, right)


def _asset(row: Listing) -> Asset:
    try:
        return Asset.of(row.base_asset_address, int(row.base_asset_sub_id))
    except (ValueError, OverflowError) as error:
        raise Unreadable(f"{row.instrument_name}: no asset to sign for ({error})") from error


def _moment(seconds: int | None) -> Nanos | None:
    return None if seconds is None else seconds * SECOND
