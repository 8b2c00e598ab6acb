"""`mmbot simulate`: a desk file through seeded histories in which everything goes wrong."""

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import Enum
from hashlib import blake2b
from pathlib import Path
from shlex import quote as in_shell
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer
from annotated_types import Ge, Gt, Le, doc

from mmbot.cli.pages import print_json, show
from mmbot.config import number
from mmbot.core.capabilities import Move
from mmbot.errors import ExitCode
from mmbot.plugins.settings import check, settings_class
from mmbot.sim.models.faults import Harshness
from mmbot.sim.models.finality import Finality
from mmbot.sim.wire.manner import Manner

if TYPE_CHECKING:
    from mmbot.research.simulate import Wish
    from mmbot.sim.virtual.history import Outcome
    from mmbot.sim.virtual.violation import Violation

Accounts = Mapping[str, Sequence[str]]
"""What is traded on each."""

PROGRESS_FROM = 8
"""Fewer seeds are done before a bar would be worth it."""


class Moves(Enum):
    """How a resting order gets another price or size."""

    SAME_ID = "same_id"
    REPLACE = "replace"
    NONE = "none"


class Echo(Enum):
    """What the venue names in what it says of our orders."""

    LABEL = "label"
    NONE = "none"


@settings_class
@dataclass(frozen=True, slots=True)
class Simulating:
    """What `mmbot simulate` was asked for."""

    seeds: Annotated[int, Ge(1), Le(10**6), doc("how many histories")] = 100
    first: Annotated[int, Ge(0), Le(2**53), doc("the first seed")] = 1
    faults: Annotated[Harshness, doc("how much goes wrong")] = Harshness.HARSH
    hours: Annotated[float | None, Gt(0), Le(10_000), doc("virtual length of each")] = None
    manners: Annotated[Manner | None, doc("how the venue says what it says")] = None
    move: Annotated[Moves, doc("how an order gets another price at the venue")] = Moves.SAME_ID
    echo: Annotated[Echo, doc("by what the venue names our orders")] = Echo.LABEL
    finality: Annotated[Finality, doc("when the venue's fills stand")] = Finality.FINAL


def simulate(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The desk file.")],
    seeds: Annotated[
        str | None, typer.Option("--seeds", metavar="N", help="How many. (default 100)")
    ] = None,
    first: Annotated[
        str | None, typer.Option("--from", metavar="S", help="The first seed. (default 1)")
    ] = None,
    faults: Annotated[
        str | None,
        typer.Option("--faults", metavar="HOW", help="none, mild or harsh. (default harsh)"),
    ] = None,
    hours: Annotated[
        str | None,
        typer.Option("--hours", metavar="H", help="Virtual length of each. (default 40 s)"),
    ] = None,
    manners: Annotated[
        str | None,
        typer.Option(
            "--manners",
            metavar="HOW",
            help="How the venue speaks: plain, thin or odd. (default drawn)",
        ),
    ] = None,
    finality: Annotated[
        str | None,
        typer.Option(
            "--finality",
            metavar="WHEN",
            help="Fills stand at once (final), or are confirmed or voided later (late).",
        ),
    ] = None,
    desk: Annotated[
        str | None, typer.Option("--desk", metavar="NAME", help="Of several: this one alone.")
    ] = None,
    move: Annotated[
        str | None,
        typer.Option(
            "--move", metavar="HOW", help="Orders move by same_id, replace or none. (same_id)"
        ),
    ] = None,
    echo: Annotated[
        str | None,
        typer.Option("--echo", metavar="WHAT", help="Orders are named by label or none. (label)"),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> int:
    """Run a file's desks through seeded histories in virtual time, faults and crashes included.

    Each seed is one history, the same wherever it runs. Several accounts are at one exchange, under
    one risk book, as `mmbot quote` trades them. What must hold is checked at every step;
    then nothing goes wrong any more, and everything must settle. Exit code 1 if anything did not
    hold, with the seed, the event and the command that shows it again.
    """
    given = {
        "seeds": seeds and number(seeds),
        "first": first and number(first),
        "faults": faults,
        "hours": hours and number(hours),
        "manners": manners,
        "move": move,
        "echo": echo,
        "finality": finality,
    }
    table = {name: value for name, value in given.items() if value is not None}
    flag = {"first": "--from"}
    asked = check(Simulating, table, "", lambda name: flag.get(name, f"--{name}"))

    from mmbot.clock import Clock
    from mmbot.research import simulate as running

    wish = running.Wish(
        config,
        asked.first,
        asked.seeds,
        asked.faults,
        asked.hours,
        desk,
        asked.manners,
        Move[asked.move.name],
        asked.echo is Echo.LABEL,
        asked.finality,
    )
    accounts = running.check(wish)
    so_far, interrupted = _Sum(), False
    clock = Clock()
    began_s = clock.monotonic_s()
    with _bar(wish.count) as bar:
        try:
            for outcome in running.outcomes(wish):
                so_far.add(outcome)
                bar.advance()
                if outcome.violation is not None and not json:
                    bar.say(_violated(outcome.violation, wish))
        except KeyboardInterrupt:
            interrupted = True
    so_far.took_s = clock.monotonic_s() - began_s
    if json:
        print_json(so_far.as_json(wish, accounts))
    else:
        _print(so_far, wish, accounts)
    if interrupted:
        return ExitCode.INTERRUPTED
    return ExitCode.CHECK_FAILED if so_far.violations else ExitCode.OK


# --- adding up --------------------------------------------------------------------------------


@dataclass(slots=True)
class _Sum:
    """Everything that has been done so far."""

    seeds: int = 0
    turns: int = 0
    seconds: float = 0.0
    fills: int = 0
    volume_usd: float = 0.0
    crashes: int = 0
    departures: int = 0
    tripped: int = 0
    slowest_s: float = 0.0
    longest_cancel_wait_ms: float = 0.0
    residual: float = 0.0
    took_s: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    requests: Counter[str] = field(default_factory=Counter)
    violations: list["Violation"] = field(default_factory=list)
    _hashes: Any = field(default_factory=lambda: blake2b(digest_size=16))

    def add(self, outcome: "Outcome") -> None:
        """One more history."""
        self.seeds += 1
        self.turns += outcome.turns
        self.seconds += outcome.seconds
        self.fills += outcome.fills
        self.volume_usd += outcome.volume_usd
        self.crashes += outcome.crashes
        self.departures += outcome.departures
        self.tripped += bool(outcome.tripped)
        self.slowest_s = max(self.slowest_s, outcome.settled_s)
        waited_ms = outcome.longest_cancel_wait_ms
        self.longest_cancel_wait_ms = max(self.longest_cancel_wait_ms, waited_ms)
        self.faults.update(outcome.faults)
        self.requests.update(outcome.requests)
        self.residual = max(self.residual, outcome.residual)
        self._hashes.update(f"{outcome.seed} {outcome.hash}".encode())
        if outcome.violation is not None:
            self.violations.append(outcome.violation)

    @property
    def hash(self) -> str:
        """Of the hashes of all histories, in order."""
        return str(self._hashes.hexdigest())

    @property
    def turns_per_s(self) -> float:
        """On all cores, the worlds around the bot and starting included."""
        return self.turns / self.took_s if self.took_s else 0.0

    def as_json(self, wish: "Wish", accounts: Accounts) -> dict[str, object]:
        """The one object."""
        return {
            "config": str(wish.path),
            "desk": wish.desk,
            "instruments": _names(accounts),
            "accounts": accounts,
            "faults": wish.harshness.value,
            "manners": wish.manner.value if wish.manner is not None else None,
            "move": Moves[wish.can.move.name].value,
            "echo": (Echo.LABEL if wish.label_echoed else Echo.NONE).value,
            "finality": wish.finality.value,
            "from": wish.first,
            "seeds_asked": wish.count,
            "seeds": self.seeds,
            "turns": self.turns,
            "simulated_s": round(self.seconds, 3),
            "fills": self.fills,
            "volume_usd": round(self.volume_usd, 2),
            "requests": dict(sorted(self.requests.items())),
            "faults_injected": dict(sorted(self.faults.items())),
            "crashes": self.crashes,
            "departures": self.departures,
            "tripped": self.tripped,
            "slowest_settling_s": round(self.slowest_s, 3),
            "longest_cancel_wait_ms": round(self.longest_cancel_wait_ms, 1),
            "identity_residual_max": self.residual,
            "turns_per_s": round(self.turns_per_s),
            "hash": self.hash,
            "failed": len(self.violations),
            "violations": [
                {**asdict(one), "reproduce": _again(one.seed, wish)} for one in self.violations
            ],
        }


# --- on the screen ----------------------------------------------------------------------------


class _Bar(Protocol):
    def advance(self) -> None:
        """One seed is done."""

    def say(self, text: str) -> None:
        """A line that stays."""


class _NoBar:
    def advance(self) -> None:
        """Nothing is shown."""

    def say(self, text: str) -> None:
        print(text, file=sys.stderr)


class _RichBar:
    def __init__(self, progress: Any, task: Any) -> None:
        self._progress, self._task = progress, task

    def advance(self) -> None:
        self._progress.advance(self._task)

    def say(self, text: str) -> None:
        self._progress.console.print(text, highlight=False, markup=False, soft_wrap=True)


@contextmanager
def _bar(seeds: int) -> Iterator[_Bar]:
    if seeds < PROGRESS_FROM or not sys.stderr.isatty():
        yield _NoBar()
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield _RichBar(progress, progress.add_task("seeds", total=seeds))


def _print(so_far: _Sum, wish: "Wish", accounts: Accounts) -> None:
    instruments, several = _names(accounts), len(accounts) > 1
    named = ", ".join(instruments[:4]) + (" ..." if len(instruments) > 4 else "")
    shared = ", ".join(f"{name} ({len(here)})" for name, here in accounts.items())
    did = so_far.requests
    rows = (
        ("seeds", f"{so_far.seeds:,} of {wish.count:,}, from {wish.first}"),
        *([("accounts", shared)] if several else []),
        ("instruments", f"{len(instruments)}: {named}"),
        ("turns", f"{so_far.turns:,}"),
        ("simulated time", _duration(so_far.seconds)),
        ("fills", f"{so_far.fills:,}"),
        ("volume", f"{so_far.volume_usd:,.0f} USD"),
        ("requests", ", ".join(f"{did[k]:,} {k}" for k in _REQUESTS if did[k]) or "none"),
        ("crashes", f"{so_far.crashes:,}"),
        *([("ended by people", f"{so_far.departures:,}")] if several else []),
        ("kill switch", f"tripped in {so_far.tripped:,}"),
        ("slowest to settle", f"{so_far.slowest_s:.1f} s"),
        ("longest wait of a cancel", f"{so_far.longest_cancel_wait_ms:.0f} ms"),
        ("speed", f"{so_far.turns_per_s:,.0f} turns a second"),
        ("hash of hashes", so_far.hash),
        ("violations", f"{len(so_far.violations):,}"),
    )
    which = f", desk {wish.desk}" if wish.desk is not None else ""
    show(f"{wish.path}{which}: {wish.harshness.value} faults", ("", ""), rows)
    faults = sorted(so_far.faults.items(), key=lambda item: (-item[1], item[0]))
    show("What went wrong", ("fault", ">times"), ((name, f"{n:,}") for name, n in faults))


def _names(accounts: Accounts) -> list[str]:
    return [name for here in accounts.values() for name in here]


_REQUESTS = ("Place", "Amend", "Replace", "Cancel", "CancelAll")


def _violated(violation: "Violation", wish: "Wish") -> str:
    at = datetime.fromtimestamp(violation.time_ns / 1e9, UTC)
    return (
        f"seed {violation.seed}: {violation.check}: {violation.detail}\n"
        f"  turn {violation.turn}, {at:%Y-%m-%d %H:%M:%S.%f} UTC: {violation.event}\n"
        f"  again: {_again(violation.seed, wish)}"
    )


def _again(seed: int, wish: "Wish") -> str:
    """The command that runs one seed again."""
    hours = f" --hours {wish.hours:g}" if wish.hours is not None else ""
    desk = f" --desk {in_shell(wish.desk)}" if wish.desk is not None else ""
    manners = f" --manners {wish.manner.value}" if wish.manner is not None else ""
    move = f" --move {Moves[wish.move.name].value}" if wish.move is not Move.SAME_ID else ""
    echo = "" if wish.label_echoed else f" --echo {Echo.NONE.value}"
    finality = "" if wish.finality is Finality.FINAL else f" --finality {wish.finality.value}"
    return (
        f"mmbot simulate {in_shell(str(wish.path))}{desk} --seeds 1 --from {seed} "
        f"--faults {wish.harshness.value}{hours}{manners}{move}{echo}{finality}"
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min {rest:02} s" if hours else f"{minutes} min {rest:02} s"
