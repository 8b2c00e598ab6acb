"""Checks before trading that read the same at every venue: what is listed, how far away it is, and
how much of the margin is in use.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from decimal import Decimal
from statistics import median

from mmbot.clock import Clock
from mmbot.config import Mode
from mmbot.core.contracts import Instrument
from mmbot.core.sizes import plain
from mmbot.core.statements import Equity
from mmbot.venues.checks import Check, Result

SKEW_WARN_MS, SKEW_FAIL_MS = 200, 1000
"""Orders carry the moment after which they must die, 4 s from now by our clock."""

LATENCY_WARN_MS = 250
ROUND_TRIPS = 10
MARGIN_WARN, MARGIN_FAIL = 0.5, 0.8
"""Maintenance margin as a share of the equity, or with cross margin of the portfolio's margin
balance; at 1 the venue liquidates."""

FEE_MOST = Decimal("0.01")


def cancel_on_disconnect(confirmed: bool) -> Check:
    """Whether the venue has confirmed it."""
    if confirmed:
        return Check("cancel on disconnect", Result.PASS, "confirmed by the venue")
    return Check(
        "cancel on disconnect",
        Result.FAIL,
        "not confirmed by the venue",
        "start is refused without it; ask the venue why",
    )


def rate_limits(rate_per_s: float, burst: float) -> Check:
    """Of orders."""
    said = f"{rate_per_s:g} order requests a second, {burst:g} at once"
    if rate_per_s < 1 or burst < 4:
        return Check("rate limits", Result.WARN, said, "quote few instruments")
    return Check("rate limits", Result.PASS, said)


async def round_trips(
    ask_ms: Callable[[], Awaitable[float]], clock: Clock, mode: Mode
) -> list[Check]:
    """Latency on the connection that orders use, and the clocks compared at the fastest trip.
    `ask_ms` asks for the venue's clock there."""
    trips: list[tuple[float, float]] = []
    for _ in range(ROUND_TRIPS):
        before_s, before_ms = clock.monotonic_s(), clock.now_ns() / 1e6
        venue_ms = await ask_ms()
        took_ms = (clock.monotonic_s() - before_s) * 1000
        trips.append((took_ms, venue_ms - (before_ms + took_ms / 2)))
    middle_ms, worst_ms = median(trip[0] for trip in trips), max(trip[0] for trip in trips)
    said = f"{middle_ms:.1f} ms there and back, {worst_ms:.1f} ms at worst"
    slow = middle_ms > LATENCY_WARN_MS
    latency = Check(
        "latency",
        Result.WARN if slow else Result.PASS,
        said,
        "run nearer to the venue: quotes will be late" if slow else "",
    )
    skew_ms = abs(min(trips)[1])
    if mode is Mode.SIM:
        return [Check("clock", Result.PASS, "the simulated venue's own date is used"), latency]
    result = (
        Result.FAIL
        if skew_ms > SKEW_FAIL_MS
        else Result.WARN
        if skew_ms > SKEW_WARN_MS
        else Result.PASS
    )
    do = "" if result is Result.PASS else "synchronize this machine's clock (NTP)"
    return [Check("clock", result, f"{skew_ms:.0f} ms from the venue's", do), latency]


def ticks(listed: Sequence[Instrument]) -> Check:
    """Whether every grid makes sense: what we send is snapped to it."""
    for one in listed:
        grid = one.grid
        bounds = [step.above for step in grid.tick_steps]
        ticks = [grid.tick, *(step.tick for step in grid.tick_steps)]
        sound = (
            min(ticks) > 0
            and bounds == sorted(set(bounds))
            and grid.min_amount > 0
            and grid.min_amount % grid.amount_step == 0
            and one.contract_size > 0
        )
        if not sound:
            return Check(
                "tick rules",
                Result.FAIL,
                f"{one.name}: tick {plain(grid.tick)}, {len(bounds)} steps, minimum "
                f"{plain(grid.min_amount)} make no sense",
                "leave it out and report it",
            )
    ladders = sum(1 for one in listed if one.grid.tick_steps)
    return Check("tick rules", Result.PASS, f"{len(listed)} grids, {ladders} with steps")


def fees(listed: Sequence[Instrument]) -> Check:
    """Whether every fee can be right."""
    by_kind: dict[str, list[tuple[Decimal, Decimal]]] = {}
    for one in listed:
        by_kind.setdefault(one.kind.value, []).append((one.fees.maker, one.fees.taker))
        if abs(one.fees.maker) > FEE_MOST or abs(one.fees.taker) > FEE_MOST:
            return Check(
                "fees",
                Result.FAIL,
                f"{one.name}: maker {_percent(one.fees.maker)}, taker {_percent(one.fees.taker)}",
                "that cannot be right: do not trade it",
            )
    said = [
        f"{kind} {_range(maker for maker, _ in fees)} / {_range(taker for _, taker in fees)}"
        for kind, fees in by_kind.items()
    ]
    return Check("fees", Result.PASS, f"maker / taker: {', '.join(said)}")


def _range(rates: Iterator[Decimal]) -> str:
    known = sorted(set(rates))
    return (
        _percent(known[0]) if len(known) == 1 else f"{plain(known[0] * 100)}..{_percent(known[-1])}"
    )


def _percent(rate: Decimal) -> str:
    return f"{plain(rate * 100)} %"


def margin(stated: Sequence[Equity]) -> Check:
    """How much of it is in use. With cross margin the portfolio's margin balance stands for what
    one currency is worth."""
    held = [one for one in stated if one.equity]
    if not held:
        return Check("margin", Result.WARN, "the account is empty", "move money there to trade")
    shares = [_share(one) for one in held]
    said = ", ".join(
        f"{one.currency} {float(one.equity):g}"
        + (" (margin not stated)" if share is None else f" ({share:.1%} used)")
        for one, share in zip(held, shares, strict=True)
    )
    if any(one.cross for one in held):
        said = f"cross margin, each figure the whole portfolio's: {said}"
    worst = max((share for share in shares if share is not None), default=0.0)
    if worst >= MARGIN_FAIL:
        return Check("margin", Result.FAIL, said, "reduce positions: liquidation is near")
    if worst >= MARGIN_WARN:
        return Check("margin", Result.WARN, said, "reduce positions or add money")
    return Check("margin", Result.PASS, said)


def _share(stated: Equity) -> float | None:
    """How much of what counts against liquidation is in use; None where it is not stated."""
    has = stated.margin_balance if stated.cross else stated.equity
    used = stated.maintenance_margin
    if has is None or used is None:
        return None
    return float(used) / float(has) if has > 0 else 1.0
