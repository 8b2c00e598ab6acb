"""Combos and spot: listed beside everything else, and told of as they come, but not traded here.

Combos are made of what the exchange lists: a future against the perpetual, a strangle, a call
spread. Some are there from the start; more appear now and then, as people at the real venue make
them. One ends with the first of its legs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random
from typing import Final

from mmbot.sim.exchange.listing import NEVER_MS, Kind, Listing, Right
from mmbot.sim.wire.deribit import shapes
from mmbot.sim.wire.deribit.floor import Floor
from mmbot.sim.wire.deribit.shapes import Json

KINDS: Final = ("any", "future", "option", "spot", "future_combo", "option_combo", "combo")
COMBOS_PER_HOUR: Final = 6.0
COMBOS_AT_START: Final = 4
NUMBER_FIRST: Final = 500_000  # keeps their ids apart from the exchange's


@dataclass(frozen=True, slots=True, kw_only=True)
class Untraded:
    """One of them; `like` is whose terms it shares, `legs` are (instrument, amount) of a combo."""

    name: str
    kind: str
    like: Listing
    legs: tuple[tuple[str, int], ...] = ()
    expires_ms: int = NEVER_MS
    created_ms: int = 0
    number: int = 0

    @property
    def currency(self) -> str:
        """The one it is listed under."""
        return self.like.settlement


class Catalog:
    """Everything that is listed and not traded; `per_hour` new combos come on average."""

    def __init__(self, floor: Floor, draw: Random, per_hour: float) -> None:
        self._floor = floor
        self._draw = draw
        self._per_hour = per_hour
        self._listed: dict[str, Untraded] = {}
        floor.when_closed.append(self._on_closed)
        self._count = 0
        self._due_ms = self._next_ms(floor.now_ms())
        self._spot()
        for _ in range(COMBOS_AT_START):
            legs = self._drawn_legs()
            if legs is not None:
                self._list(legs)

    def __contains__(self, name: object) -> bool:
        """Whether that is listed here and not traded."""
        return name in self._listed

    def look(self) -> None:
        """List the combo that has fallen due since the last look, if any."""
        now_ms = self._floor.now_ms()
        if now_ms < self._due_ms:
            return
        self._due_ms = self._next_ms(now_ms)
        legs = self._drawn_legs()
        if legs is not None:
            self.list_combo(legs)

    def list_combo(self, legs: Mapping[str, int]) -> str:
        """List and announce a combo of those legs, unless it is there; returns its name."""
        listed = self._list(legs)
        if listed is None:
            return combo_name(self._legs(legs))
        for state in ("created", "started"):
            self._announce(listed, state)
        return listed.name

    def rows(self, currency: str | None, kind: str) -> list[Json]:
        """Rows of get_instruments."""
        return [
            self.row(one.name)
            for one in self._listed.values()
            if currency in (None, one.currency) and kind in ("any", one.kind)
        ]

    def row(self, name: str) -> Json:
        """A row of get_instruments; KeyError for what is not listed here."""
        one = self._listed[name]
        row = shapes.instrument(one.like, one.number, is_open=True)
        for key in ("strike", "option_type", "future_type", "max_liquidation_commission"):
            row.pop(key, None)
        row |= {
            "kind": one.kind,
            "instrument_name": one.name,
            "expiration_timestamp": one.expires_ms,
            "creation_timestamp": one.created_ms,
            "tick_size_steps": [],
            "maker_commission": 0.0,
            "taker_commission": 0.0,
        }
        if one.kind == "spot":
            for key in ("settlement_currency", "settlement_period", "max_leverage"):
                row.pop(key, None)
            row |= {"tick_size": 0.01, "min_trade_amount": 0.001, "contract_size": 0.001}
        elif one.kind == "option_combo":
            row.pop("max_leverage", None)
        return row

    def combo(self, name: str) -> Json | None:
        """The answer of get_combo_details; None for what is no combo."""
        one = self._listed.get(name)
        if one is None or not one.legs:
            return None
        return {
            "id": one.name,
            "instrument_id": one.number,
            "state": "active",
            "state_timestamp": one.created_ms,
            "creation_timestamp": one.created_ms,
            "legs": [{"instrument_name": leg, "amount": amount} for leg, amount in one.legs],
        }

    def combos(self, currency: str | None) -> list[Json]:
        """The answer of get_combos."""
        found = (
            self.combo(one.name)
            for one in self._listed.values()
            if currency in (None, one.currency)
        )
        return [one for one in found if one is not None]

    def ticker(self, name: str) -> Json:
        """An empty market: marked at its legs, or at the index, without bid, ask or trade."""
        one = self._listed[name]
        index = self._floor.index_of(one.like.index_name)
        mark = index
        if one.legs:
            mark = sum(
                amount * self._floor.market_ticker(leg).mark_price for leg, amount in one.legs
            )
        room = max(abs(mark), float(one.like.tick)) / 2
        return {
            "timestamp": self._floor.now_ms(),
            "state": "open",
            "instrument_name": one.name,
            "stats": {
                "high": None,
                "low": None,
                "price_change": None,
                "volume": 0.0,
                "volume_usd": 0.0,
                "volume_notional": 0.0,
            },
            "index_price": index,
            "mark_price": round(mark, 6),
            "min_price": round(mark - room, 6),
            "max_price": round(mark + room, 6),
            "last_price": None,
            "open_interest": 0.0,
            "estimated_delivery_price": index,
            "best_bid_price": 0.0,
            "best_bid_amount": 0.0,
            "best_ask_price": 0.0,
            "best_ask_amount": 0.0,
        }

    # -- inside --------------------------------------------------------------------------------

    def _on_closed(self, name: str) -> None:
        """An instrument that is no more ends the combos with it."""
        if name not in self._floor.exchange.expired:
            return
        for combo in list(self._listed.values()):
            if any(leg == name for leg, _ in combo.legs):
                del self._listed[combo.name]
                self._announce(combo, "closed")

    def _next_ms(self, now_ms: int) -> float:
        if not self._per_hour:
            return float("inf")
        return now_ms + 3_600_000 * self._draw.expovariate(self._per_hour)

    def _spot(self) -> None:
        for listing in self._floor.exchange.listings.values():
            if listing.kind is Kind.PERPETUAL and not listing.inverse:
                name = f"{listing.underlying}_{listing.settlement}"
                self._enter(Untraded(name=name, kind="spot", like=listing))

    def _list(self, legs: Mapping[str, int]) -> Untraded | None:
        ordered = self._legs(legs)
        name = combo_name(ordered)
        if name in self._listed:
            return None
        terms = [listing for listing, _ in ordered]
        first = min(terms, key=lambda one: one.expiry_ms)
        options = all(one.kind is Kind.OPTION for one in terms)
        return self._enter(
            Untraded(
                name=name,
                kind="option_combo" if options else "future_combo",
                like=first,
                legs=tuple((listing.name, amount) for listing, amount in ordered),
                expires_ms=first.expiry_ms,
                created_ms=self._floor.now_ms(),
            )
        )

    def _enter(self, one: Untraded) -> Untraded:
        self._count += 1
        listed = replace(one, number=NUMBER_FIRST + self._count)
        self._listed[listed.name] = listed
        return listed

    def _legs(self, legs: Mapping[str, int]) -> list[tuple[Listing, int]]:
        listings = self._floor.exchange.listings
        found = [(listings[name], amount) for name, amount in legs.items()]
        return sorted(found, key=lambda leg: (leg[0].expiry_ms, leg[0].strike or Decimal(0)))

    def _drawn_legs(self) -> dict[str, int] | None:
        """Some pair of what is listed; None where no two go together."""
        draw = self._draw
        listings = list(self._floor.exchange.listings.values())
        one = listings[int(draw.random() * len(listings))]
        if one.kind is Kind.PERPETUAL:
            return None
        if one.kind is Kind.FUTURE:
            perpetual = f"{one.name.partition('-')[0]}-PERPETUAL"
            return (
                {one.name: 1, perpetual: -1} if perpetual in self._floor.exchange.listings else None
            )
        others = [
            other
            for other in listings
            if other.expiry_ms == one.expiry_ms
            and other.index_name == one.index_name
            and other.kind is Kind.OPTION
            and (other.strike != one.strike or other.right is not one.right)
        ]
        if not others:
            return None
        other = others[int(draw.random() * len(others))]
        # Of two calls or two puts one is sold; a put and a call are bought together.
        return {one.name: 1, other.name: -1 if other.right is one.right else 1}

    def _announce(self, one: Untraded, state: str) -> None:
        news: Json = {
            "timestamp": self._floor.now_ms(),
            "state": state,
            "instrument_name": one.name,
        }
        for channel in self._floor.hub.everything():
            channel.on_untraded(one.kind, one.currency, news)


def combo_name(legs: Sequence[tuple[Listing, int]]) -> str:
    """As the venue writes it: BTC-FS-27JUN25_PERP, BTC-STRG-6JUN25-74000_79000, BTC-CS-...

    `legs` in order of expiry and strike.
    """
    prefix = legs[0][0].name.partition("-")[0]
    if any(listing.kind is not Kind.OPTION for listing, _ in legs):
        ends = ("PERP" if one.kind is Kind.PERPETUAL else one.name.split("-")[1] for one, _ in legs)
        return f"{prefix}-FS-{'_'.join(ends)}"
    expiry = legs[0][0].name.split("-")[1]
    strikes = list(dict.fromkeys(listing.name.split("-")[2] for listing, _ in legs))
    rights = {listing.right for listing, _ in legs}
    if len(rights) == 2:
        word = "STRD" if len(strikes) == 1 else "STRG"
    else:
        word = "CS" if rights == {Right.CALL} else "PS"
    return f"{prefix}-{word}-{expiry}-{'_'.join(strikes)}"
