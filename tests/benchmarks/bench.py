"""`python -m tests.benchmarks [--ticks N] [--json]`: every number, beside what it is to become.

A number that misses its aim is printed as missed; the exit code is 0 all the same, because what a
busy machine measures is no reason to fail anything.
"""

import argparse
import json
import os
import sys
from dataclasses import asdict, dataclass
from itertools import groupby

from rich.console import Console
from rich.table import Table

from tests.benchmarks.race import Case, Loop, Samples, percentile_us, race
from tests.benchmarks.startup import EMPTY_APP, FLOOR, HELP, startup_ns
from tests.benchmarks.turns import TurnCosts, inbox_events_per_s, turn_costs

BLOCK = 50
FEW, MANY = 4, 50
"""Instruments in the State of a turn."""

BARE_AT_MOST = 3.0
NAIVE_AT_LEAST = 3.0
TURN_US_AT_MOST = 60.0
HELP_AT_MOST = 1.5


@dataclass(frozen=True, slots=True)
class Number:
    """One line of the table: medians and 90th percentiles, or their ratios.

    `aim` is the bound of the median, and `met` whether it holds (None without one).
    """

    group: str
    name: str
    unit: str
    p50: float
    p90: float | None = None
    aim: str = ""
    met: bool | None = None


def measure(ticks: int) -> list[Number]:
    """Every number, from one run. Raises RuntimeError if a loop does not answer."""
    numbers = race_numbers(race(ticks, BLOCK, warm_up=BLOCK))
    for instruments in (FEW, MANY):
        for paced in (True, False):
            costs = turn_costs(instruments, ticks if paced else 5 * ticks, paced=paced)
            numbers += _turn_numbers(costs)
    per_s = inbox_events_per_s(bursts=2000, burst=100)
    numbers.append(Number("events", "inbox, put and drained", "million/s", per_s / 1e6))
    return numbers + _startup_numbers(runs=max(2, min(20, ticks // 20)))


def race_numbers(samples: Samples) -> list[Number]:
    numbers = []
    for case in Case:
        group = f"tick to both orders, {case.value}"
        p50 = {loop: percentile_us(samples[case, loop], 50) for loop in Loop}
        p90 = {loop: percentile_us(samples[case, loop], 90) for loop in Loop}
        bare, live, naive = Loop.BARE, Loop.LIVE, Loop.NAIVE
        numbers += [
            Number(group, "bare aiohttp + orjson loop", "us", p50[bare], p90[bare]),
            Number(group, "mmbot quote", "us", p50[live], p90[live]),
            Number(group, "naive ccxt loop", "us", p50[naive], p90[naive]),
            _at_most(
                group,
                "mmbot / bare",
                "x",
                BARE_AT_MOST,
                p50[live] / p50[bare],
                p90[live] / p90[bare],
            ),
            _at_least(
                group,
                "naive / mmbot",
                "x",
                NAIVE_AT_LEAST,
                p50[naive] / p50[live],
                p90[naive] / p90[live],
            ),
        ]
    return numbers


def _turn_numbers(costs: TurnCosts) -> list[Number]:
    pace = "paced" if costs.paced else "back to back"
    group = f"one turn, {costs.instruments} instruments, {pace}"
    amend, quiet, tick = (
        (percentile_us(taken, 50), percentile_us(taken, 90))
        for taken in (costs.amend, costs.quiet, costs.tick)
    )
    name = "both orders amended"
    return [
        _at_most(group, name, "us", TURN_US_AT_MOST, *amend)
        if costs.paced
        else Number(group, name, "us", *amend),
        Number(group, "nothing to send", "us", *quiet),
        Number(group, "tick of the clock, all markets", "us", *tick),
    ]


def _startup_numbers(runs: int) -> list[Number]:
    group = "start"
    taken = startup_ns(runs)
    ours, floor, empty = (percentile_us(taken[c], 50) / 1e3 for c in (HELP, FLOOR, EMPTY_APP))
    return [
        Number(group, "python importing typer and rich", "ms", floor),
        Number(group, "empty typer application --help", "ms", empty),
        Number(group, "mmbot --help", "ms", ours),
        _at_most(group, "mmbot --help / typer and rich", "x", HELP_AT_MOST, ours / floor),
    ]


def _at_most(
    group: str, name: str, unit: str, bound: float, p50: float, p90: float | None = None
) -> Number:
    return Number(group, name, unit, p50, p90, f"at most {bound:g} {unit}", p50 <= bound)


def _at_least(
    group: str, name: str, unit: str, bound: float, p50: float, p90: float | None = None
) -> Number:
    return Number(group, name, unit, p50, p90, f"at least {bound:g} {unit}", p50 >= bound)


def as_table(numbers: list[Number]) -> Table:
    """The numbers for people, at most 100 columns wide."""
    caption = f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    table = Table("", "p50", "p90", "unit", "aim", "", title="mmbot bench", caption=caption)
    for column in (1, 2):
        table.columns[column].justify = "right"
    for group, members in groupby(numbers, key=lambda number: number.group):
        table.add_section()
        table.add_row(f"[bold]{group}")
        for number in members:
            p90 = "" if number.p90 is None else _short(number.p90)
            verdict = {None: "", True: "[green]pass", False: "[red]missed"}[number.met]
            table.add_row(
                f"  {number.name}", _short(number.p50), p90, number.unit, number.aim, verdict
            )
    return table


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def main() -> int:
    """Measure and print; 1 if something did not even run."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("--ticks", type=int, default=500, help="samples of each loop and case")
    parser.add_argument("--json", action="store_true", help="one JSON array on stdout")
    given = parser.parse_args()
    try:
        numbers = measure(given.ticks)
    except RuntimeError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    if given.json:
        print(json.dumps([asdict(number) for number in numbers], indent=2))
    else:
        Console(width=100).print(as_table(numbers))
    return 0
