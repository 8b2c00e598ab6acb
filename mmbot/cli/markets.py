"""`mmbot markets`: what a venue lists, with ticks, sizes and fees. Public calls only."""

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmbot.cli.pages import print_json, show
from mmbot.cli.venue_flags import (
    At,
    DeskFile,
    Exchange,
    Live,
    Seed,
    Sim,
    SimUrl,
    Testnet,
    venue_config,
)
from mmbot.cli.wanted import Json, one_of
from mmbot.config import day
from mmbot.core.sizes import plain
from mmbot.errors import NothingFound

if TYPE_CHECKING:
    from mmbot.config import Config
    from mmbot.core.contracts import Instrument


def markets(
    underlying: Annotated[
        str | None, typer.Option("--underlying", metavar="COIN", help="On this coin: ETH.")
    ] = None,
    expiry: Annotated[
        str | None, typer.Option("--expiry", metavar="DATE", help="Expiring on this day.")
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--kind", metavar="KIND", help="option, perpetual or future.")
    ] = None,
    exchange: Exchange = None,
    sim: Sim = False,
    testnet: Testnet = False,
    live: Live = False,
    sim_url: SimUrl = None,
    seed: Seed = None,
    at: At = None,
    config: DeskFile = None,
    json: Json = False,
) -> None:
    """List what a venue trades, with its ticks, sizes and fees. No key is needed."""
    import uvloop

    from mmbot.core.types import Kind

    only = one_of(Kind, kind, "kind", "--kind") if kind is not None else None
    on = day(expiry, "--expiry") if expiry is not None else None
    settings = venue_config(exchange, sim, testnet, live, sim_url, seed, at, config)
    listed = uvloop.run(_listed(settings))
    found = [
        one
        for one in sorted(listed, key=lambda i: (i.kind.value, i.expiry_ns or 0, i.name))
        if only in (None, one.kind)
        and (underlying is None or underlying.upper() in (one.underlying, one.name.split("-")[0]))
        and (on is None or _expires(one) == on)
    ]
    if not found:
        raise NothingFound(_nothing(listed, underlying, on))
    if json:
        print_json([_object(one) for one in found])
        return
    show(
        f"{settings.run.mode.value.upper()} {settings.lone_venue.name}: {len(found)} instruments",
        (
            "instrument",
            "kind",
            "expires",
            ">tick",
            ">minimum",
            "in",
            ">maker/taker",
        ),
        [_line(one) for one in found],
    )


async def _listed(config: "Config") -> "list[Instrument]":
    from mmbot.clock import Clock
    from mmbot.venues.arrival import LOOK_S, Arrival
    from mmbot.venues.plugin import plugin_of
    from mmbot.venues.simulated import visited

    async with visited(config) as there:
        clock = Clock()
        venue = plugin_of(there.kind).data(there, clock)
        try:
            return await Arrival(venue, clock, LOOK_S).listed()
        finally:
            await venue.close()


def _expires(instrument: "Instrument") -> date | None:
    if instrument.expiry_ns is None:
        return None
    return datetime.fromtimestamp(instrument.expiry_ns // 10**9, UTC).date()


def _nothing(listed: "list[Instrument]", underlying: str | None, on: date | None) -> str:
    coins = sorted({one.underlying for one in listed})
    if underlying is not None and underlying.upper() not in {
        name for one in listed for name in (one.underlying, one.name.split("-")[0])
    }:
        return f"--underlying: nothing on {underlying} is listed; there is {', '.join(coins)}"
    days = sorted({found for found in map(_expires, listed) if found is not None})
    if on is not None and on not in days:
        shown = ", ".join(f"{found:%Y%m%d}" for found in days)
        return f"--expiry: nothing expires on {on:%Y%m%d}; live expiries are {shown}"
    return "nothing is listed that fits all of these: leave one of the filters out"


def _object(one: "Instrument") -> dict[str, Any]:
    """The terms, numbers as numbers."""
    from mmbot.core.terms import flat

    return _numbers(flat(one))  # type: ignore[no-any-return]  # a dict stays one


def _numbers(value: Any) -> Any:
    from mmbot.config.effective import as_json

    if isinstance(value, dict):
        return {key: _numbers(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_numbers(part) for part in value]
    return as_json(value)


def _line(one: "Instrument") -> tuple[str, ...]:
    from mmbot.core.sizes import unit_of

    priced = "USD" if one.counted_in_usd else one.settlement
    steps = [f"{plain(step.tick)} from {plain(step.above)}" for step in one.grid.tick_steps]
    expires = _expires(one)
    return (
        one.name,
        one.kind.value,
        "-" if expires is None else f"{expires}",
        "; ".join([plain(one.grid.tick), *steps]),
        f"{plain(one.grid.min_amount)} {unit_of(one)}",
        priced,
        f"{plain(one.fees.maker * 100)}/{plain(one.fees.taker * 100)} %",
    )
