"""Which venue a command looks at: the flags of the commands that ask one without quoting."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmbot.config import load_venue, load_venues

if TYPE_CHECKING:
    from mmbot.config import Config

Exchange = Annotated[
    str | None, typer.Option("--exchange", metavar="NAME", help="Venue. (default deribit)")
]
Sim = Annotated[bool, typer.Option("--sim", help="The simulated venue (the default).")]
Testnet = Annotated[bool, typer.Option("--testnet", help="The venue's test network.")]
Live = Annotated[bool, typer.Option("--live", help="The venue itself.")]
SimUrl = Annotated[
    str | None,
    typer.Option("--sim-url", metavar="URL", help="A running `mmbot sim serve`, by its REST URL."),
]
Seed = Annotated[
    str | None, typer.Option("--seed", metavar="N", help="Of the simulated world. (default 1)")
]
At = Annotated[
    str | None,
    typer.Option("--at", metavar="MOMENT", help="Where it starts. (default 2025-06-02T12:00:00Z)"),
]
DeskFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="A desk file that says so.")
]

_ANYTHING = "ETH-PERPETUAL"
"""A configuration has to name something to quote; what is looked at does not depend on it."""


def venue_config(
    exchange: str | None,
    sim: bool,
    testnet: bool,
    live: bool,
    sim_url: str | None,
    seed: str | None,
    at: str | None,
    config: Path | None,
) -> "Config":
    """The configuration these flags make. Raises ConfigError."""
    return load_venue(_flags(exchange, sim, testnet, live, sim_url, seed, at, config), config)


def venue_configs(
    exchange: str | None,
    sim: bool,
    testnet: bool,
    live: bool,
    sim_url: str | None,
    seed: str | None,
    at: str | None,
    config: Path | None,
) -> "list[Config]":
    """The same of every venue of a file with several desks, unless `exchange` says which."""
    return load_venues(_flags(exchange, sim, testnet, live, sim_url, seed, at, config), config)


def _flags(
    exchange: str | None,
    sim: bool,
    testnet: bool,
    live: bool,
    sim_url: str | None,
    seed: str | None,
    at: str | None,
    config: Path | None,
) -> dict[str, str | bool]:
    given = {
        "--exchange": exchange,
        "--sim": sim,
        "--testnet": testnet,
        "--live": live,
        "--sim-url": sim_url,
        "--seed": seed,
        "--at": at,
    }
    flags: dict[str, str | bool] = {
        flag: value for flag, value in given.items() if value is not None and value is not False
    }
    if config is None:
        flags["--symbols"] = _ANYTHING
    return flags
