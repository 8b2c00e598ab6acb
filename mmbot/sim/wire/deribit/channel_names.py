"""Which channel a name stands for."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Final

from mmbot.sim.wire.deribit.catalog import KINDS, Catalog
from mmbot.sim.wire.deribit.channels import Channel, Interval, Scope
from mmbot.sim.wire.deribit.channels_account import (
    OfAccount,
    PortfolioChannel,
    UserChangesChannel,
    UserOrdersChannel,
    UserTradesChannel,
)
from mmbot.sim.wire.deribit.channels_market import (
    BookChannel,
    GroupedBookChannel,
    IncrementalTickerChannel,
    PriceIndexChannel,
    QuoteChannel,
    TickerChannel,
    TradesChannel,
)
from mmbot.sim.wire.deribit.channels_news import (
    ChartChannel,
    InstrumentStateChannel,
    PlatformChannel,
)
from mmbot.sim.wire.deribit.channels_untraded import untraded_channel
from mmbot.sim.wire.deribit.charts import RESOLUTIONS
from mmbot.sim.wire.deribit.floor import Floor

GROUPED_DEPTHS: Final = ("1", "10", "20")


def make_channel(source: Floor, catalog: Catalog, name: str, account: str | None) -> Channel | None:
    """The channel of that name, None if there is none (or none without an account)."""
    parts = name.split(".")
    match parts:
        case [topic, instrument, *rest] if instrument in catalog:
            return untraded_channel(source, catalog, name, topic, instrument, rest)
        case ["user", *rest]:
            return None if account is None else _of_account(source, name, rest, account)
        case ["platform_state"] | ["platform_state", "public_methods_state"]:
            return PlatformChannel(name, source)
        case ["deribit_price_index", index] if index in source.index_names():
            return PriceIndexChannel(name, source, index)
        case ["trades", *which, interval] if _is_interval(interval):
            scope = _scope_of(source, which)
            return None if scope is None else TradesChannel(name, source, scope, Interval(interval))
        case ["instrument", "state", kind, currency]:
            scope = _scope_of(source, [kind, currency])
            if scope is None:
                return None
            return InstrumentStateChannel(name, source, scope.kind, scope.currency)
        case ["chart", "trades", instrument, resolution] if (
            instrument in source.exchange.listings and resolution in RESOLUTIONS
        ):
            return ChartChannel(name, source, instrument, RESOLUTIONS[resolution])
        case [topic, instrument, *rest] if instrument in source.exchange.listings:
            return _of_instrument(source, name, topic, instrument, rest)
        case _:
            return None


def _of_instrument(
    source: Floor, name: str, topic: str, instrument: str, rest: list[str]
) -> Channel | None:
    """A channel of one listed instrument, but its trades."""
    match topic, rest:
        case "book", [interval] if _is_interval(interval):
            return BookChannel(name, source, instrument, Interval(interval))
        case "book", [group, depth, interval] if _is_interval(interval):
            step = _group_of(group)
            if depth not in GROUPED_DEPTHS or (step is None and group != "none"):
                return None
            return GroupedBookChannel(
                name, source, instrument, step, int(depth), Interval(interval)
            )
        case "ticker", [interval] if _is_interval(interval):
            return TickerChannel(name, source, instrument, Interval(interval))
        case "incremental_ticker", []:
            return IncrementalTickerChannel(name, source, instrument)
        case "quote", []:
            return QuoteChannel(name, source, instrument)
        case _:
            return None


def _of_account(source: Floor, name: str, parts: list[str], account: str) -> Channel | None:
    """A channel of `account`; `parts` of its name come behind `user`."""
    match parts:
        case ["lock"]:
            return PlatformChannel(name, source)
        case ["portfolio", currency]:
            if currency != "any" and currency.upper() not in source.currencies():
                return None
            wanted = currency if currency == "any" else currency.upper()
            return PortfolioChannel(name, source, wanted, account)
        case [topic, *which, interval] if topic in _USER_CHANNELS and _is_interval(interval):
            scope = _scope_of(source, which)
            if scope is None:
                return None
            return _USER_CHANNELS[topic](name, source, scope, Interval(interval), account)
        case _:
            return None


_USER_CHANNELS: dict[str, type[OfAccount]] = {
    "orders": UserOrdersChannel,
    "trades": UserTradesChannel,
    "changes": UserChangesChannel,
}


def _is_interval(text: str) -> bool:
    return text in ("raw", "100ms", "agg2")


def _scope_of(source: Floor, which: list[str]) -> Scope | None:
    match which:
        case [name] if name in source.exchange.listings:
            return Scope(name=name)
        case [kind, currency] if kind in KINDS and (
            currency == "any" or currency.upper() in source.currencies()
        ):
            return Scope(kind=kind, currency=currency if currency == "any" else currency.upper())
        case _:
            return None


def _group_of(text: str) -> Decimal | None:
    try:
        step = Decimal(text)
    except InvalidOperation:
        return None
    return step if step.is_finite() and step > 0 else None
