"""Which venue a command looks at: the flags of the commands that ask one without quoting."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mmbot.config import load_venue

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
    given = {
        "--exchange": exchange,
        "--sim": sim,
        "--testnet": testnet,
        "--live": live,
        "--sim-url": sim_url,
        "--seed": seed,
        "--at": at,
    }
    flags = {flag: value for flag, value in given.items() if value not in (None, False)}
    if config is None:
        flags["--symbols"] = _ANYTHING
    return load_venue(flags, config)
