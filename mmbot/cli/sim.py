"""`mmbot sim`: a simulated world, for the bot and for anybody's client."""

import errno
import signal
import sys
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Annotated

import typer
from annotated_types import Ge, Gt, Le, doc

from mmbot.cli.sim_clients import how_to_enter, snippets
from mmbot.cli.sim_faces import faces_of, ports
from mmbot.cli.streams import read_or_not
from mmbot.config import SIM_SEED, SIM_START, moment, number
from mmbot.errors import ConfigError
from mmbot.plugins.importing import importing
from mmbot.plugins.settings import check, settings_class, unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mmbot.sim.models.faults import FaultPlan
    from mmbot.sim.wire.server import Endpoints

app = typer.Typer(no_args_is_help=True, add_completion=False)

MANNERS = {
    "plain": "says everything, as documented",
    "thin": "says only what the venue's specification requires",
    "odd": "says everything, and what nobody expects",
}


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
    state: Annotated[Path | None, doc("file the world is saved to when it ends")] = None
    without_orders: Annotated[bool, doc("come back from the file with no open order")] = False
    fault_seed: Annotated[
        int | None, Ge(0), Le(2**63 - 1), doc("one seed, one series of faults")
    ] = None


@app.callback()
def sim() -> None:
    """The simulated venue."""


@app.command()
def serve(
    exchange: Annotated[
        str,
        typer.Option(
            metavar="KIND[:NAME],...",
            help="Venue to stand in for. Several live in one world, each with an account and a "
            "port of its own.",
        ),
    ],
    port: Annotated[
        str | None,
        typer.Option(
            metavar="P",
            help="Port on 127.0.0.1, of several the first. (default: any free one)",
        ),
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
        typer.Option(metavar="FILE", help="Save the world here at the end, go on from here."),
    ] = None,
    without_orders: Annotated[
        bool, typer.Option("--without-orders", help="Come back from FILE with no open order.")
    ] = False,
    faults: Annotated[
        str | None,
        typer.Option(
            metavar="PLAN",
            help="What goes wrong: none, mild, harsh, name=value,..., or a TOML file. "
            "(default none)",
        ),
    ] = None,
    fault_seed: Annotated[
        str | None, typer.Option(metavar="N", help="One seed, one series of faults. (default 1)")
    ] = None,
    manners: Annotated[
        str,
        typer.Option(
            metavar="MANNERS",
            help="How it says what it says: plain, thin (only what the venue's specification "
            "requires) or odd (what nobody expects, by the seed).",
        ),
    ] = "plain",
    json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object once it listens.")
    ] = False,
) -> None:
    """Run a simulated venue until Ctrl+C, behind the real one's wire protocol on 127.0.0.1.

    Several share one world: one clock, one price a coin. KIND is the exchange, NAME what its
    account is called; those of one kind meet in the same books.

    With --faults they misbehave, each for itself, and say on stderr what they have done; with
    --manners they behave, and say so in another way.
    """
    with importing():
        from mmbot.sim.wire.faces import FACES

    faces = faces_of(exchange, FACES)
    if manners not in MANNERS:
        raise ConfigError(f"--manners: {unknown('manners', manners, tuple(MANNERS))}")
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
            ("fault_seed", fault_seed and number(fault_seed)),
        )
        if value is not None
    }
    flag = {
        "linger_s": "--linger",
        "without_orders": "--without-orders",
        "fault_seed": "--fault-seed",
    }
    if without_orders and state is None:
        raise ConfigError("--without-orders: there is no file to come back from: give --state FILE")
    if fault_seed is not None and faults is None:
        raise ConfigError("--fault-seed: nothing goes wrong: give --faults mild, or harsh")
    serving = check(Serving, table, "", lambda name: flag.get(name, f"--{name}"))
    from mmbot.cli.fault_plan import fault_plan

    _serve(faces, serving, fault_plan(faults or "none", serving.fault_seed), manners, json)


def _serve(
    faces: "Mapping[str, str]", serving: Serving, plan: "FaultPlan", manners: str, json: bool
) -> None:
    """Serve until a signal ends it, or nobody is left."""
    with importing():
        import asyncio

        import uvloop

        from mmbot.sim.wire.manner import Manner
        from mmbot.sim.wire.server import serve as serve_world
        from mmbot.sim.wire.world import FaceOptions, WorldOptions

    at = ports(serving.port, len(faces))
    options = WorldOptions(
        faces=tuple(
            FaceOptions(
                name=name,
                kind=kind,
                port=port,
                key=serving.key,
                secret=serving.secret,
                manners=Manner(manners),
            )
            for (name, kind), port in zip(faces.items(), at, strict=True)
        ),
        seed=serving.seed,
        start_ms=round(serving.at.timestamp() * 1000),
        linger_s=serving.linger_s,
        state_path=serving.state,
        restore_orders=not serving.without_orders,
        faults=plan,
    )
    diary = _Diary(named=len(faces) > 1)

    def announce(endpoints: "Mapping[str, Endpoints]") -> None:
        if json:
            ready = _ready_json(faces, endpoints, plan, manners)
        else:
            ready = _ready(faces, endpoints, serving, plan, manners)
        with read_or_not():
            print(ready, flush=True)

    async def until_signal() -> None:
        serving_task = asyncio.ensure_future(serve_world(options, ready=announce, tell=diary))
        for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            if signal.getsignal(ending) is not signal.SIG_IGN:
                asyncio.get_running_loop().add_signal_handler(ending, serving_task.cancel)
        await asyncio.wait([serving_task])
        if not serving_task.cancelled():
            serving_task.result()

    try:
        uvloop.run(until_signal())
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        taken = str(at[0]) if len(at) == 1 else f"one of {at[0]} to {at[-1]}"
        raise ConfigError(
            f"--port: {taken} is taken on 127.0.0.1: choose another, or leave it out"
        ) from error
    with read_or_not():
        what = "venue" if len(faces) == 1 else "world"
        print(f"The simulated {what} has ended.{diary.summary(plan)}", file=sys.stderr)


class _Diary:
    """Writes what has gone wrong to stderr, each kind at most once a second, and counts it.

    `named`: there are several venues, so a fault is told with the name of its own.
    """

    def __init__(self, *, named: bool) -> None:
        self._named = named
        self._counts: Counter[str] = Counter()
        self._unsaid: Counter[str] = Counter()
        self._said_ms: dict[str, int] = {}

    def __call__(self, venue: str, now_ms: int, fault: str, detail: str) -> None:
        """`now_ms` is world time."""
        fault = f"{venue} {fault}" if self._named else fault
        self._counts[fault] += 1
        said_ms = self._said_ms.get(fault)
        if said_ms is not None and now_ms - said_ms < 1000:
            self._unsaid[fault] += 1
            return
        self._said_ms[fault] = now_ms
        unsaid = self._unsaid.pop(fault, 0)
        more = f" ({unsaid} more before)" if unsaid else ""
        at = datetime.fromtimestamp(now_ms / 1000, UTC)
        with read_or_not():
            print(f"sim {at:%H:%M:%S.%f}"[:-3], f"fault {fault}: {detail}{more}", file=sys.stderr)

    def summary(self, plan: "FaultPlan") -> str:
        """What has gone wrong altogether; nothing where nothing could."""
        if plan.calm:
            return ""
        told = ", ".join(f"{fault} {count}" for fault, count in sorted(self._counts.items()))
        return f" Faults: {told or 'none happened'}."


def _ready_json(
    faces: "Mapping[str, str]",
    endpoints: "Mapping[str, Endpoints]",
    plan: "FaultPlan",
    manners: str,
) -> str:
    """One venue as it always was; of several, what is each one's own stands under its name."""
    import orjson

    told = {"faults": dict(plan.active()), "manners": manners}
    first, *others = endpoints.values()
    if not others:
        alone = asdict(first)
        login = alone.pop("login")
        if login:
            login["snippets"] = snippets(next(iter(faces.values())), first, "", "")
        return orjson.dumps(alone | login | told).decode()
    venues = {
        name: {"kind": faces[name], "rest": one.rest, "ws": one.ws, **one.login}
        for name, one in endpoints.items()
    }
    world = {"world_id": first.world_id, "pid": first.pid, "start_ms": first.start_ms}
    return orjson.dumps(world | {"venues": venues} | told).decode()


def _ready(
    faces: "Mapping[str, str]",
    endpoints: "Mapping[str, Endpoints]",
    serving: Serving,
    plan: "FaultPlan",
    manners: str,
) -> str:
    """Where it listens and how to connect, ready to be pasted."""
    own_pair = (serving.key, serving.secret) != ("sim", "sim")
    pair = "the --key and --secret you gave" if own_pair else "sim / sim"
    key, secret = ("KEY", "SECRET") if own_pair else ("sim", "sim")
    (name, first), *others = endpoints.items()
    kind = faces[name]
    start = datetime.fromtimestamp(first.start_ms / 1000, UTC)
    said = "" if manners == "plain" else f"\n  manners    {manners}: {MANNERS[manners]}"
    variables = "MMBOT_SIM_KEY=KEY MMBOT_SIM_SECRET=SECRET " if own_pair else ""
    if others:
        title = f"Simulated world {first.world_id}"
        where = "".join(f"\n{_where(one, faces, endpoints)}" for one in endpoints).lstrip("\n")
        by_pair = [one for one in endpoints.values() if not one.login]
        where += "".join(f"\n{how_to_enter(one, pair, '  ')}" for one in by_pair[:1])
        mmbot = f"{variables}mmbot quote --config FILE, where FILE says of each\n\n"
        mmbot += "\n".join(
            f'  [venues.{one}]\n  kind = "{faces[one]}"\n  url = "{told.rest}"'
            for one, told in endpoints.items()
        )
        whose = f"on {name}"
        end = "its accounts"
    else:
        title = f"Simulated {kind.capitalize()}, world {first.world_id}"
        where = f"  REST       {first.rest}\n  WebSocket  {first.ws}\n"
        where += how_to_enter(first, pair, "  ")
        mmbot = f"{variables}mmbot quote --exchange {kind} --expiry 20250606 "
        mmbot += f"--strikes 2800,2900 \\\n    --sim-url {first.rest}"
        whose = "on it"
        end = "its account"
    clients = "\n\n".join(
        f"{client} {whose}:\n\n{indent(text, '  ')}"
        for client, text in snippets(kind, first, key, secret).items()
    )
    return f"""\
{title}

  seed       {serving.seed}, from {start:%Y-%m-%d %H:%M} UTC (sim)
{where}{_faults(plan)}{said}

mmbot on it:

  {mmbot}

{clients}

Ctrl+C ends it, and with it the world and {end}."""


def _where(name: str, faces: "Mapping[str, str]", endpoints: "Mapping[str, Endpoints]") -> str:
    """Where one of several venues listens, and what opens it if not the key pair of all."""
    kind = "" if faces[name] == name else f", a {faces[name]}"
    at = endpoints[name]
    enter = f"\n{how_to_enter(at, '', '    ')}" if at.login else ""
    return f"  {name}{kind}\n    REST       {at.rest}\n    WebSocket  {at.ws}{enter}"


def _faults(plan: "FaultPlan") -> str:
    """A paragraph with what may go wrong; nothing where nothing can."""
    import textwrap

    if plan.calm:
        return ""
    strengths = ", ".join(f"{name} {strength:.3g}" for name, strength in plan.active().items())
    told = textwrap.fill(
        f"seed {plan.seed}: {strengths}",
        width=98,
        initial_indent="  faults     ",
        subsequent_indent=" " * 13,
        break_on_hyphens=False,
    )
    return f"\n{told}"
