"""`mmbot sim`: the simulated venue, for the bot and for anybody's client."""

import errno
import signal
import sys
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from annotated_types import Ge, Gt, Le, doc

from mmbot.config import SIM_SEED, SIM_START, moment, number
from mmbot.errors import ConfigError
from mmbot.settings import check, settings_class, unknown

if TYPE_CHECKING:
    from mmbot.sim.wire.server import Endpoints

app = typer.Typer(no_args_is_help=True, add_completion=False)

EXCHANGES = ("deribit",)


@settings_class
@dataclass(frozen=True, slots=True)
class Serving:
    """What `mmbot sim serve` was asked for."""

    port: Annotated[int, Ge(0), Le(65535), doc("port on 127.0.0.1; 0: any free one")] = 0
    seed: Annotated[int, Ge(0), Le(2**63 - 1), doc("one seed, one world")] = SIM_SEED
    at: Annotated[datetime, doc("moment at which the world starts")] = SIM_START
    key: Annotated[str, doc("the one API key that is let in")] = "sim"
    secret: Annotated[str, doc("its secret")] = field(default="sim", repr=False)
    linger_s: Annotated[float | None, Gt(0), doc("end so long after the last client left")] = None
    state: Annotated[Path | None, doc("file the venue is saved to when it ends")] = None
    without_orders: Annotated[bool, doc("come back from the file with no open order")] = False


@app.callback()
def sim() -> None:
    """The simulated venue."""


@app.command()
def serve(
    exchange: Annotated[str, typer.Option(metavar="NAME", help="Venue to stand in for.")],
    port: Annotated[
        str | None, typer.Option(metavar="P", help="Port on 127.0.0.1. (default: any free one)")
    ] = None,
    seed: Annotated[
        str | None, typer.Option(metavar="N", help="One seed, one world. (default 1)")
    ] = None,
    at: Annotated[
        str | None, typer.Option(metavar="MOMENT", help="Start. (default 2025-06-02T12:00:00Z)")
    ] = None,
    key: Annotated[
        str | None, typer.Option(metavar="KEY", help="The one API key let in. (default sim)")
    ] = None,
    secret: Annotated[
        str | None, typer.Option(metavar="SECRET", help="Its secret. (default sim)")
    ] = None,
    linger: Annotated[
        str | None, typer.Option(metavar="SECONDS", help="End so long after the last client left.")
    ] = None,
    state: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Save the venue here at the end, go on from here."),
    ] = None,
    without_orders: Annotated[
        bool, typer.Option("--without-orders", help="Come back from FILE with no open order.")
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object once it listens.")
    ] = False,
) -> None:
    """Run a simulated venue until Ctrl+C, behind the real one's wire protocol on 127.0.0.1."""
    if exchange not in EXCHANGES:
        raise ConfigError(f"--exchange: {unknown('exchange', exchange, EXCHANGES)}")
    table = {
        name: value
        for name, value in (
            ("port", port and number(port)),
            ("seed", seed and number(seed)),
            ("at", at and moment(at, "--at")),
            ("key", key),
            ("secret", secret),
            ("linger_s", linger and number(linger)),
            ("state", state),
            ("without_orders", without_orders or None),
        )
        if value is not None
    }
    flag = {"linger_s": "--linger", "without_orders": "--without-orders"}
    if without_orders and state is None:
        raise ConfigError("--without-orders: there is no file to come back from: give --state FILE")
    serving = check(Serving, table, "", lambda name: flag.get(name, f"--{name}"))
    _serve(serving, json)


def _serve(serving: Serving, json: bool) -> None:
    """Serve until a signal ends it, or nobody is left."""
    import asyncio

    import uvloop

    from mmbot.sim.wire.server import VenueOptions
    from mmbot.sim.wire.server import serve as serve_venue

    options = VenueOptions(
        port=serving.port,
        seed=serving.seed,
        start_ms=round(serving.at.timestamp() * 1000),
        key=serving.key,
        secret=serving.secret,
        linger_s=serving.linger_s,
        state_path=serving.state,
        restore_orders=not serving.without_orders,
    )

    def announce(endpoints: "Endpoints") -> None:
        print(_ready_json(endpoints) if json else _ready(endpoints, serving), flush=True)

    async def until_signal() -> None:
        serving_task = asyncio.ensure_future(serve_venue(options, ready=announce))
        for ending in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(ending, serving_task.cancel)
        await asyncio.wait([serving_task])
        if not serving_task.cancelled():
            serving_task.result()

    try:
        uvloop.run(until_signal())
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        raise ConfigError(
            f"--port: {serving.port} is taken on 127.0.0.1: choose another, or leave it out"
        ) from error
    print("The simulated venue has ended.", file=sys.stderr)


def _ready_json(endpoints: "Endpoints") -> str:
    import orjson

    return orjson.dumps(endpoints).decode()


def _ready(endpoints: "Endpoints", serving: Serving) -> str:
    """Where it listens and how to connect, ready to be pasted."""
    own_pair = (serving.key, serving.secret) != ("sim", "sim")
    pair = "the --key and --secret you gave" if own_pair else "sim / sim"
    key, secret = ("KEY", "SECRET") if own_pair else ("sim", "sim")
    variables = "MMBOT_SIM_KEY=KEY MMBOT_SIM_SECRET=SECRET " if own_pair else ""
    return f"""\
Simulated Deribit, world {endpoints.world_id}

  seed       {serving.seed}, from {serving.at:%Y-%m-%d %H:%M} UTC
  REST       {endpoints.rest}
  WebSocket  {endpoints.ws}
  key pair   {pair}; any other is refused

mmbot on it:

  {variables}mmbot quote --exchange deribit --expiry 20250606 --strikes 2800,2900 \\
    --sim-url {endpoints.rest}

ccxt on it:

  import ccxt.pro
  deribit = ccxt.pro.deribit({{
      "apiKey": "{key}", "secret": "{secret}",
      "urls": {{"api": {{"rest": "{endpoints.rest}", "ws": "{endpoints.ws}"}}}},
  }})

Ctrl+C ends it, and with it the world and its account."""
