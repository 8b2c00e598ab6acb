"""Which channel a name stands for."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Final

from mmbot.sim.wire.deribit.catalog import KINDS, Catalog
from mmbot.sim.wire.deribit.channels import (
    BookChannel,
    Channel,
    GroupedBookChannel,
    IncrementalTickerChannel,
    Interval,
    OfAccount,
    PortfolioChannel,
    PriceIndexChannel,
    QuoteChannel,
    Scope,
    TickerChannel,
    TradesChannel,
    UserChangesChannel,
    UserOrdersChannel,
    UserTradesChannel,
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
    match name.split("."):
        case [topic, instrument, *rest] if instrument in catalog:
            return untraded_channel(source, catalog, name, topic, instrument, rest)
        case ["book", instrument, interval] if _can(source, instrument, interval):
            return BookChannel(name, source, instrument, Interval(interval))
        case ["book", instrument, group, depth, interval] if _can(source, instrument, interval):
            step = _group_of(group)
            if depth not in GROUPED_DEPTHS or (step is None and group != "none"):
                return None
            return GroupedBookChannel(
                name, source, instrument, step, int(depth), Interval(interval)
            )
        case ["ticker", instrument, interval] if _can(source, instrument, interval):
            return TickerChannel(name, source, instrument, Interval(interval))
        case ["incremental_ticker", instrument] if instrument in source.exchange.listings:
            return IncrementalTickerChannel(name, source, instrument)
        case ["quote", instrument] if instrument in source.exchange.listings:
            return QuoteChannel(name, source, instrument)
        case ["trades", *which, interval]:
            scope = _scope_of(source, which)
            if scope is None or not _is_interval(interval):
                return None
            return TradesChannel(name, source, scope, Interval(interval))
        case ["deribit_price_index", index] if index in source.index_names():
            return PriceIndexChannel(name, source, index)
        case ["instrument", "state", kind, currency]:
            scope = _scope_of(source, [kind, currency])
            if scope is None:
                return None
            return InstrumentStateChannel(name, source, scope.kind, scope.currency)
        case ["chart", "trades", instrument, resolution] if (
            instrument in source.exchange.listings and resolution in RESOLUTIONS
        ):
            return ChartChannel(name, source, instrument, RESOLUTIONS[resolution])
        case ["platform_state"] | ["platform_state", "public_methods_state"]:
            return PlatformChannel(name, source)
        case ["user", "lock"] if account is not None:
            return PlatformChannel(name, source)
        case ["user", "portfolio", currency] if account is not None:
            if currency != "any" and currency.upper() not in source.currencies():
                return None
            wanted = currency if currency == "any" else currency.upper()
            return PortfolioChannel(name, source, wanted, account)
        case ["user", topic, *which, interval] if account is not None:
            scope = _scope_of(source, which)
            kind_of = _USER_CHANNELS.get(topic)
            if scope is None or kind_of is None or not _is_interval(interval):
                return None
            return kind_of(name, source, scope, Interval(interval), account)
        case _:
            return None


_USER_CHANNELS: dict[str, type[OfAccount]] = {
    "orders": UserOrdersChannel,
    "trades": UserTradesChannel,
    "changes": UserChangesChannel,
}


def _is_interval(text: str) -> bool:
    return text in ("raw", "100ms", "agg2")


def _can(source: Floor, instrument: str, interval: str) -> bool:
    return instrument in source.exchange.listings and _is_interval(interval)


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
