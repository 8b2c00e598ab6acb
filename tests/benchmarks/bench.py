"""`python -m tests.benchmarks [--base COMMIT] [--only PART] [--json]`: every number, and its aim.

With a base, what that commit's mmbot takes is measured beside ours, in the same run, and every
number comes as a ratio to it, too. A number that misses its aim is printed as missed; the exit code
is 0 all the same, because what a busy machine measures is no reason to fail anything.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import product
from statistics import fmean, median
from typing import TypeVar

from rich.console import Console

from tests.benchmarks import chains, pricing, signals, signing, surface
from tests.benchmarks.blocks import (
    Blocks,
    alternate,
    grouped,
    percentile_us,
    pooled_ratio,
    ratio_of_blocks,
)
from tests.benchmarks.chains import chains_ns
from tests.benchmarks.checkout import OURS, Checkout, checked_out
from tests.benchmarks.driver import Durations, driven
from tests.benchmarks.pricing import pricing_ns
from tests.benchmarks.race import DERIVE, Case, Loop, Samples, race
from tests.benchmarks.signals import signals_ns
from tests.benchmarks.signing import signing_ns
from tests.benchmarks.startup import Begun, Command, begin_quoting, help_ns
from tests.benchmarks.table import WIDTH, Aim, Number, as_json, as_table
from tests.benchmarks.turns import KINDS, Manner, inbox_events_per_s

FEW, MANY = 4, 50
"""Instruments in the State of a turn."""

BARE_AIMS = (Aim(3.0), Aim(2.0, "blocks"))
"""Of tick to both orders; the second is of amends."""
NAIVE_AIM = Aim(3.0, at_least=True)
TURN_US_AIM = Aim(60.0)
HELP_AIMS = (Aim(1.5), Aim(1.6))
RESIDENT_MB_AIM = Aim(135.0)
SIGNATURE_AIM = Aim(1.5)
PRICING_AIM = Aim(1.5)
REFIT_AIM = Aim(31.0)
SLICE_AIM = Aim(2.0)
SIGNALS_US_AIM = Aim(5.0)
CHAIN_US_AIM = Aim(15.0)

# Ratios to the base, by the median of blocks.
RACE_TO_BASE = {Case.AMEND: 0.78, Case.PLACE: 0.90}
TURN_TO_BASE = {
    ("amend", False): 0.60,
    ("quiet", False): 0.30,
    ("tick", False): 0.30,
    ("amend", True): 0.70,
}
"""Of few instruments, plain, by kind and whether paced."""
FIRST_ORDER_TO_BASE = 0.65
SEED_TO_BASE = 0.65

TURN_NAMES = {
    "amend": "both orders amended",
    "quiet": "nothing to send",
    "tick": "clock tick, all markets",
}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured."""

    rounds: int = 8
    """Blocks of every contestant."""
    ticks: int = 60
    """Of each loop in each case of the race, a block."""
    turns: int = 100
    """Of each kind back to back, a block."""
    paced: int = 30
    starts: int = 10
    quotes: int = 8
    seeds: int = 5
    """A block."""
    signatures: int = 1000
    chains: int = 2000
    surfaces: int = 400


@dataclass(frozen=True, slots=True)
class TurnCase:
    """Turns that are measured together."""

    instruments: int
    paced: bool
    manner: Manner

    @property
    def group(self) -> str:
        """Its heading."""
        pace = "paced" if self.paced else "back to back"
        manner = "" if self.manner is Manner.PLAIN else f", {self.manner.value}"
        return f"turn, {self.instruments} markets, {pace}{manner}"


TURN_CASES = [
    *(TurnCase(FEW, paced, manner) for manner, paced in product(Manner, (False, True))),
    *(TurnCase(MANY, paced, Manner.PLAIN) for paced in (False, True)),
]


# --- what is measured ---


def measure_wire(effort: Effort, base: Checkout | None) -> list[Number]:
    """From a tick to both orders."""
    return race_numbers(race(effort.ticks, effort.rounds, base))


def measure_wire_on_derive(effort: Effort, base: Checkout | None) -> list[Number]:
    """The same on Derive, where every order is signed."""
    return race_numbers(race(effort.ticks, effort.rounds, base, DERIVE), "Derive, ")


def measure_turns(effort: Effort, base: Checkout | None) -> list[Number]:
    """One turn, and the inbox."""
    trees = [OURS] if base is None else [OURS, base]
    numbers: list[Number] = []
    with ExitStack() as stack:
        drivers = {tree.name: stack.enter_context(driven(tree)) for tree in trees}
        for case in TURN_CASES:
            turns = effort.paced if case.paced else effort.turns

            def measure(name: str, case: TurnCase = case, turns: int = turns) -> Durations:
                return drivers[name].ask(
                    turns=turns,
                    instruments=case.instruments,
                    paced=case.paced,
                    manner=case.manner.value,
                )

            for name in drivers:
                measure(name)  # to warm up
            numbers += turn_numbers(case, alternate(drivers, effort.rounds, measure), base)
    per_s = inbox_events_per_s(bursts=20 * effort.turns, burst=100)
    return [*numbers, Number("events", "inbox, put and drained", "M/s", per_s / 1e6)]


def measure_start(effort: Effort, base: Checkout | None) -> list[Number]:
    """Start-up and memory."""
    trees = [OURS] if base is None else [OURS, base]
    begun = alternate(trees, effort.quotes, lambda tree: [begin_quoting(tree)])
    return [
        *help_numbers(help_ns(effort.starts, base)),
        *quote_numbers(_flat(begun[OURS]), None if base is None else _flat(begun[base])),
    ]


def measure_seeds(effort: Effort, base: Checkout | None) -> list[Number]:
    """CPU of simulated histories."""
    trees = [OURS] if base is None else [OURS, base]
    with ExitStack() as stack:
        drivers = {tree: stack.enter_context(driven(tree)) for tree in trees}
        numbers = {tree: iter(range(1, 10**6)) for tree in trees}

        def measure(tree: Checkout) -> list[int]:
            seeds = [next(numbers[tree]) for _ in range(effort.seeds)]
            return [ns for seed in seeds for ns in drivers[tree].ask(seed=seed)["seed"]]

        for tree in trees:
            drivers[tree].ask(seed=0)  # to warm up
        taken = alternate(trees, effort.rounds, measure)
    return seed_numbers(taken[OURS], None if base is None else taken[base])


def measure_signing(effort: Effort, base: Checkout | None) -> list[Number]:  # as all
    """One signature of a Derive order."""
    return signing_numbers(signing_ns(effort.signatures))


def measure_pricing(effort: Effort, base: Checkout | None) -> list[Number]:  # as all
    """A chain of 1,000 options."""
    return pricing_numbers(pricing_ns(effort.chains))


def measure_surface(effort: Effort, base: Checkout | None) -> list[Number]:  # as all
    """A chain fitted again, and one slice."""
    return surface_numbers(surface.surface_ns(effort.surfaces))


def measure_signals(effort: Effort, base: Checkout | None) -> list[Number]:  # as all
    """A book, heard by all signals, and what they then say."""
    return signals_numbers(signals_ns(effort.rounds))


def measure_chains(effort: Effort, base: Checkout | None) -> list[Number]:  # as all
    """An option that is quoted on the surface of its chain."""
    return chains_numbers(chains_ns(effort.rounds))


PARTS: dict[str, Callable[[Effort, Checkout | None], list[Number]]] = {
    "wire": measure_wire,
    "wire-derive": measure_wire_on_derive,
    "turns": measure_turns,
    "start": measure_start,
    "seeds": measure_seeds,
    "signing": measure_signing,
    "pricing": measure_pricing,
    "surface": measure_surface,
    "signals": measure_signals,
    "chains": measure_chains,
}


def measure(effort: Effort, parts: Iterable[str], base: str | None) -> list[Number]:
    """Every number of these parts, from one run. Raises RuntimeError if a contestant fails."""
    with ExitStack() as stack:
        tree = None if base is None else stack.enter_context(checked_out(base))
        return [number for part in parts for number in PARTS[part](effort, tree)]


# --- the numbers ---


def race_numbers(samples: Samples, where: str = "") -> list[Number]:
    numbers = []
    for case in Case:
        group = f"{where}tick to both orders, {case.value}"
        of = {loop: blocks for (one, loop), blocks in samples.items() if one is case}
        bare, live = of[Loop.BARE], of[Loop.LIVE]
        aims = BARE_AIMS if case is Case.AMEND else BARE_AIMS[:1]
        numbers += [
            _taken(group, "bare aiohttp + orjson loop", bare),
            _taken(group, "mmbot quote", live),
            _ratio(group, "mmbot / bare", live, bare, *aims),
        ]
        if Loop.NAIVE in of:
            naive = of[Loop.NAIVE]
            numbers += [
                _taken(group, "naive ccxt loop", naive),
                _ratio(group, "naive / mmbot", naive, live, NAIVE_AIM),
            ]
        if Loop.BASE in of:
            base = of[Loop.BASE]
            numbers += [
                _taken(group, "base", base),
                _ratio(group, "base / bare", base, bare),
                _ratio(group, "mmbot / base", live, base, Aim(RACE_TO_BASE[case], "blocks")),
            ]
    return numbers


def turn_numbers(
    case: TurnCase, taken: dict[str, list[Durations]], base: Checkout | None
) -> list[Number]:
    numbers = []
    plain = case.manner is Manner.PLAIN
    for kind in KINDS:
        of = grouped(taken, kind)
        ours, name = of[OURS.name], TURN_NAMES[kind]
        aims = [TURN_US_AIM] if plain and case.paced and kind == "amend" else []
        numbers.append(_taken(case.group, name, ours, *aims))
        if base is not None:
            bound = TURN_TO_BASE.get((kind, case.paced))
            judged = bound is not None and plain and case.instruments == FEW
            to_base = [Aim(bound, "blocks")] if judged and bound is not None else []
            numbers.append(_ratio(case.group, f"{name} / base", ours, of[base.name], *to_base))
    return numbers


def help_numbers(taken: dict[Command, Blocks]) -> list[Number]:
    group = "start"
    numbers = [_taken(group, one.value, blocks, ms=True) for one, blocks in taken.items()]
    ours = taken[Command.HELP]
    floor = taken[Command.FLOOR]
    numbers.append(_ratio(group, "mmbot --help / typer and rich", ours, floor, *HELP_AIMS))
    if Command.BASE in taken:
        numbers.append(_ratio(group, "mmbot --help / base", ours, taken[Command.BASE]))
    return numbers


def quote_numbers(ours: Sequence[Begun], base: Sequence[Begun] | None) -> list[Number]:
    group = "mmbot quote, 4 instruments"
    first = [[one.first_order_ns] for one in ours]
    resident = "resident memory"
    mb = median(one.resident_mb for one in ours)
    numbers = [
        _taken(group, "start to its first order", first, ms=True),
        Number(group, resident, "MB", mb, aims=[RESIDENT_MB_AIM]),
    ]
    if base is not None:
        first_of_base = [[one.first_order_ns] for one in base]
        mb_of_base = median(one.resident_mb for one in base)
        aim = Aim(FIRST_ORDER_TO_BASE, "blocks")
        numbers += [
            _taken(group, "start to its first order, base", first_of_base, ms=True),
            Number(group, f"{resident}, base", "MB", mb_of_base),
            _ratio(group, "first order / base", first, first_of_base, aim),
            Number(group, f"{resident} / base", "x", mb / mb_of_base),
        ]
    return numbers


def seed_numbers(ours: Blocks, base: Blocks | None) -> list[Number]:
    """Means, because histories differ in length, and so do those of two commits."""
    group = "mmbot simulate --faults harsh, CPU"
    count = sum(map(len, ours))
    name = f"a seed, mean of {count}"
    mean_ns = fmean(_flat(ours))
    numbers = [Number(group, name, "ms", mean_ns / 1e6)]
    if base is not None:
        base_ns = fmean(_flat(base))
        numbers += [
            Number(group, f"{name}, base", "ms", base_ns / 1e6),
            Number(group, "mean / base", "x", mean_ns / base_ns, aims=[Aim(SEED_TO_BASE)]),
        ]
    return numbers


def signing_numbers(taken: dict[str, Blocks]) -> list[Number]:
    group, floor = "Derive, one order signed", taken[signing.FLOOR]
    numbers = [_taken(group, name, blocks) for name, blocks in taken.items()]
    for name, blocks in taken.items():
        if name != signing.FLOOR:
            aims = [SIGNATURE_AIM] if name == signing.OURS else []
            numbers.append(_ratio(group, f"{name} / floor", blocks, floor, *aims))
    return numbers


def pricing_numbers(taken: dict[str, Blocks]) -> list[Number]:
    group, floor = f"{pricing.OPTIONS:,} options", taken[pricing.FLOOR]
    numbers = [_taken(group, name, blocks) for name, blocks in taken.items()]
    for name, blocks in taken.items():
        if name != pricing.FLOOR:
            aims = [PRICING_AIM] if name == pricing.QUOTED else []
            numbers.append(_ratio(group, f"{name} / floor", blocks, floor, *aims))
    return numbers


def surface_numbers(taken: dict[str, Blocks]) -> list[Number]:
    group = f"volatility surface, {surface.QUOTES} quotes, {surface.EXPIRIES} expiries"
    numbers = [_taken(group, name, blocks) for name, blocks in taken.items()]
    for ours, theirs, aims in (
        (surface.REFIT, surface.FLOOR, [REFIT_AIM]),
        (surface.COLD, surface.FLOOR, []),
        (surface.SLICE, surface.SCIPY, [SLICE_AIM]),
    ):
        numbers.append(_ratio(group, f"{ours} / {theirs}", taken[ours], taken[theirs], *aims))
    return numbers


def chains_numbers(taken: dict[str, Blocks]) -> list[Number]:
    group = f"an option valued with a chain of {chains.WATCHED + 1}"
    numbers = [_taken(group, name, blocks) for name, blocks in taken.items()]
    by_mark, by_surface = (taken[name] for name in (chains.BY_MARK, chains.BY_SURFACE))
    added = [median(a) - median(b) for a, b in zip(by_surface, by_mark, strict=True)]
    more = Number(group, "the chain adds to a turn", "us", median(added) / 1e3, aims=[CHAIN_US_AIM])
    return [*numbers, more]


def signals_numbers(taken: dict[str, Blocks]) -> list[Number]:
    group, read = "all signals, one instrument", taken[signals.READ]
    numbers = []
    for name, blocks in taken.items():
        numbers.append(_taken(group, name, blocks, *([SIGNALS_US_AIM] * (name == signals.HEARD))))
        if name != signals.READ:
            numbers.append(_ratio(group, f"{name} / read", blocks, read))
    return numbers


def _taken(group: str, name: str, blocks: Blocks, *aims: Aim, ms: bool = False) -> Number:
    """What something took."""
    p50, p90 = (percentile_us(blocks, percent) for percent in (50, 90))
    if ms:
        return Number(group, name, "ms", p50 / 1e3, p90 / 1e3, aims=aims)
    return Number(group, name, "us", p50, p90, aims=aims)


def _ratio(group: str, name: str, ours: Blocks, theirs: Blocks, *aims: Aim) -> Number:
    p50, p90 = (pooled_ratio(ours, theirs, percent) for percent in (50, 90))
    return Number(group, name, "x", p50, p90, ratio_of_blocks(ours, theirs), aims)


def _flat(blocks: Sequence[Sequence[T]]) -> list[T]:
    return [one for block in blocks for one in block]


# --- the command ---


def main() -> int:
    """Measure and print; 1 if something did not even run."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("--base", metavar="COMMIT", help="compare with the mmbot of a commit")
    parser.add_argument("--only", metavar="PART", action="append", choices=PARTS)
    parser.add_argument("--blocks", type=int, default=8, help="of every contestant")
    parser.add_argument("--ticks", type=int, help="samples of each loop and case, all blocks")
    parser.add_argument("--json", action="store_true", help="one JSON array on stdout")
    given = parser.parse_args()
    effort = Effort(rounds=given.blocks)
    if given.ticks is not None:
        effort = replace(effort, ticks=max(2, given.ticks // given.blocks))
    try:
        numbers = measure(effort, given.only or PARTS, given.base)
    except RuntimeError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    if given.json:
        print(json.dumps(as_json(numbers), indent=2))
    else:
        Console(width=WIDTH).print(as_table(numbers))
    return 0
