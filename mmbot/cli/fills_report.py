"""`mmbot fills report`: what the fills came to, and whether the venue agrees."""

import sys
from dataclasses import asdict
from typing import Annotated, Any

import typer

from mmbot.cli.fills_pages import (
    PARTS,
    By,
    Line,
    Page,
    gathered,
)
from mmbot.cli.fills_tables import show_page
from mmbot.cli.pages import print_json
from mmbot.cli.wanted import (
    DeskFile,
    InstrumentName,
    Json,
    ModeName,
    RunName,
    Since,
    StoreUrl,
    Until,
    one_of,
    wanted,
)
from mmbot.errors import ExitCode


def report(
    by: Annotated[
        str, typer.Option("--by", metavar="WHAT", help="A line an instrument, day or run.")
    ] = "instrument",
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Recompute positions from the fills and compare profit with the venue's equity.",
        ),
    ] = False,
    since: Since = None,
    until: Until = None,
    instrument: InstrumentName = None,
    run: RunName = None,
    mode: ModeName = None,
    config: DeskFile = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Show what the fills came to: profit, volume, fees, rates and markouts, in USD.

    total = realized + unrealized = spread + inventory + funding + fees, where fees that were paid
    are below zero. "Spread" is what fills earned against the mark of their moment, "inventory" what
    held positions earned as the mark moved; realized is net of fees. Fill rate: fills per order
    that reached the venue. Win rate: share of the fills and deliveries that closed something and
    earned more than their fee. Markouts: what the fills were worth 1, 10 and 60 s later, before
    fees. USD at the last known index; what the account's coins earned by their own price is not in
    here.

    --check looks at whole accounts, whatever --since and --until say, and ends with exit code 1
    when something does not agree.

    --json: numbers, of which fees are positive where they were paid; in "currencies" and in the
    findings of --check they are exact, as text.
    """
    what = one_of(By, by, "grouping", "--by")
    asked = wanted(since, until, instrument, run, mode, config, store)
    pages = gathered(asked, what, check)
    if not json and not check:
        asked.refuse_nothing(any(page.lines for page in pages.values()))
    if json:
        print_json([_object(page, what, check) for page in pages.values()], exact=True)
    else:
        for page in pages.values():
            show_page(page, what, check)
        if not any(page.lines for page in pages.values()):
            print(f"no fill in {asked.names}", file=sys.stderr)
    if not check:
        asked.refuse_nothing(any(page.lines for page in pages.values()))
    if any(finding.agrees is False for page in pages.values() for finding in page.findings):
        raise typer.Exit(ExitCode.CHECK_FAILED)


def _object(page: Page, by: By, check: bool) -> dict[str, Any]:
    lines = [_line_object(line, by is By.INSTRUMENT) for line in page.lines.values()]
    said: dict[str, Any] = {
        "mode": page.mode,
        "by": by,
        "lines": lines,
        "total": _line_object(page.total(), False),
    }
    if check:
        said["check"] = {
            "ok": all(finding.agrees is not False for finding in page.findings),
            "findings": [asdict(finding) for finding in page.findings],
        }
    return said


def _line_object(line: Line, one_instrument: bool) -> dict[str, Any]:
    from mmbot.research.fills_report import HORIZONS_S

    said: dict[str, Any] = {
        "name": line.name,
        "fills": line.count(lambda t: t.fills),
        "not_ours": line.count(lambda t: t.not_ours),
        "orders": line.count(lambda t: t.orders),
        "volume_usd": line.usd_volume(),
        "usd": {name: line.usd(of) for name, of in PARTS.items()},
        "fill_rate": line.rate(lambda t: t.fills - t.not_ours, lambda t: t.orders),
        "win_rate": line.rate(lambda t: t.wins, lambda t: t.closings),
        "markouts_usd": {str(seconds): _markout_object(line, seconds) for seconds in HORIZONS_S},
        "currencies": {name: asdict(tally.pnl) for name, tally in line.sums.items()},
    }
    if one_instrument:
        (tally,) = line.sums.values()
        said |= {
            "volume": float(tally.volume),
            "max_position": float(tally.max_inventory),
            "at_max_s": tally.at_max_s,
            "at_max_share": tally.at_max_share,
        }
    return said


def _markout_object(line: Line, horizon_s: int) -> dict[str, Any]:
    return {
        "total": line.usd(lambda t: t.markouts[horizon_s].money),
        "fills": line.count(lambda t: t.markouts[horizon_s].fills),
    }
