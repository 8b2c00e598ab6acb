"""`mmbot explain`: how the present quotes of one instrument came about, term by term."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mmbot.cli.names import goes_by
from mmbot.cli.pages import print_json
from mmbot.cli.wanted import DeskFile, Json, ModeName, StoreUrl, one_of, stores
from mmbot.config import Mode
from mmbot.core.sizes import plain
from mmbot.errors import ConfigError, NothingFound
from mmbot.store.moments import moment

if TYPE_CHECKING:
    from mmbot.core.types import Nanos
    from mmbot.store.locations import Location

STALE_S = 3.0
"""An engine publishes once a second; older words are of one that is gone or hangs."""


def explain(
    instrument: Annotated[
        str, typer.Argument(metavar="INSTRUMENT", help="By the venue's name or ccxt's symbol.")
    ],
    mode: ModeName = None,
    config: DeskFile = None,
    store: StoreUrl = None,
    json: Json = False,
) -> None:
    """Show every term of an instrument's present bid and ask, and which bound had the last word.

    The answer is what the engine last published, so it needs no connection and disturbs nobody. The
    terms add up to the model's price; the venue's grid rounds it away from the market; the desk's
    rules may then make it smaller or refuse it, which is what "why" says.
    """
    only = one_of(Mode, mode, "mode", "--mode") if mode is not None else None
    said = list(_published(stores(config, store, only), only))
    found = [
        one
        for one in said
        if goes_by(instrument, one.row["instrument"], one.row.get("venue"), one.row.get("symbol"))
    ]
    if not found:
        if not said:
            raise ConfigError(
                "no engine has said anything yet: start one with `mmbot quote`, then ask again in "
                "another terminal"
            )
        raise NothingFound(_unknown(instrument, said))
    # Engines of the past have their last words on file too: they count where nobody lives.
    newest = min(found, key=lambda one: one.age_s)
    shown = [one for one in found if one.age_s <= STALE_S and one.stopped_s is None] or [newest]
    if json:
        print_json([_object(one) for one in shown])
        return
    for one in shown:
        _show(one)


@dataclass(frozen=True, slots=True)
class _Said:
    """One line of what an engine published, and how long ago."""

    frame: Mapping[str, Any]
    row: Mapping[str, Any]
    age_s: float
    stopped_ns: "Nanos | None"
    """When the engine stopped (wall time); None while it has not said so."""
    stopped_s: float | None
    """How long ago that is."""
    dead: bool
    """Whether its process ended without a word."""
    emptied_ns: "Nanos | None"
    """When, after that, nothing of ours was found to be open (wall time)."""


def _published(places: "list[Location]", only: Mode | None) -> Iterator[_Said]:
    from mmbot.clock import Clock
    from mmbot.store.queries import Reader

    now_ns = Clock().wall_ns()
    for place in places:
        for engine in Reader(place).engines():
            if engine.status is None or engine.status_ns is None:
                continue
            if only not in (None, engine.run.account_key.mode):
                continue
            # What is held and not quoted has no quotes to explain, and that can be said.
            for row in (*engine.status["rows"], *engine.status.get("held", ())):
                age_s = max(0.0, (now_ns - engine.status_ns) / 1e9)
                stopped_ns = engine.run.stopped_ns
                stopped_s = None if stopped_ns is None else max(0.0, (now_ns - stopped_ns) / 1e9)
                dead = engine.lease is not None and engine.lease.process.provably_dead
                emptied_ns = engine.emptied_ns
                if emptied_ns is not None and emptied_ns < (stopped_ns or engine.status_ns):
                    emptied_ns = None
                yield _Said(engine.status, row, age_s, stopped_ns, stopped_s, dead, emptied_ns)


def _unknown(instrument: str, said: list[_Said]) -> str:
    names = sorted({one.row["instrument"] for one in said})
    near = get_close_matches(instrument.upper(), names, n=1)
    hint = f"did you mean {near[0]}? " if near else ""
    shown = ", ".join(names[:8]) + (" ..." if len(names) > 8 else "")
    if all(one.stopped_ns is not None or one.dead for one in said):
        return f"no engine runs any more, and none quoted {instrument}; {hint}there was {shown}"
    return f"{instrument} is not quoted by any engine; {hint}there is {shown}"


def _show(one: _Said) -> None:
    frame, row = one.frame, one.row
    name = _which(frame, row)
    if one.stopped_s is not None and one.stopped_ns is not None:
        print(f"{name}, stopped at {moment(one.stopped_ns)} with position {_text(row['position'])}")
        print(
            f"mmbot: this engine stopped {one.stopped_s:.0f} s ago "
            f"({frame.get('ended') or 'it did not say why'}): it quotes nothing any more",
            file=sys.stderr,
        )
        return
    print(f"{name}, {one.age_s:.1f} s ago")
    if one.dead:
        left = "orders may be open, `mmbot cancel-all` takes them back"
        if one.emptied_ns is not None:
            left = f"`mmbot cancel-all` found nothing of ours open at {moment(one.emptied_ns)}"
        print(
            f"mmbot: this engine's process is gone, these were its last words: {left}",
            file=sys.stderr,
        )
    elif one.age_s > STALE_S:
        print(
            f"mmbot: these are the last words of an engine that has been silent for "
            f"{one.age_s:.0f} s",
            file=sys.stderr,
        )
    if not row.get("quoted", True):
        print(
            f"  position {_text(row['position'])}, mark {_text(row.get('mark'))}: held on the "
            "account, and no desk of this engine quotes it"
        )
        return
    digits = _digits(row)
    print(
        f"  market   {_price(row['market_bid'], digits)} / {_price(row['market_ask'], digits)}, "
        f"mark {_text(row.get('mark'))}, index {_text(row.get('index'))}, "
        f"position {_text(row['position'])}"
    )
    if row.get("fair") is not None and row.get("pricer"):
        _show_fair(row, digits)
    _show_fees(row, digits)
    if row.get("book"):
        print(f"  book     {row['book']}")
    for reference in row.get("references", ()):
        print(f"  {reference['source']:<8} {_reference(reference)}")
    _show_signals(row)
    for side, resting, size in (
        ("buy", "our_bid", "our_bid_size"),
        ("sell", "our_ask", "our_ask_size"),
    ):
        _show_side(row, side, row[resting], row[size])


def _show_fair(row: Mapping[str, Any], digits: int) -> None:
    """What it is worth, by which model, and every input with its age."""
    said = f"  fair     {row['fair']:.{digits + 2}f}, by the pricer {row['pricer']}"
    by = row.get("fair_by")
    if not by:
        print(said)
        return
    if by["model"]:
        said += f": {by['model']}"
    print(f"{said} ({by['why']})" if by["why"] else said)
    for one in by["inputs"]:
        value = "" if one["value"] is None else f"{one['value']:,.{_places(one['unit'], digits)}f}"
        age = "" if one["age_s"] is None else f"{one['age_s']:.1f} s ago"
        print(f"           {one['name']:<24} {value:>14} {one['unit']:<10} {age}".rstrip())


def _places(unit: str, digits: int) -> int:
    """Digits behind the point of a number that is counted in this."""
    return {"USD": 2, "%": 2, "bps": 1, "vol points": 2, "quotes": 0}.get(unit, digits)


def _show_fees(row: Mapping[str, Any], digits: int) -> None:
    """What a fill costs, where that is more than a rate."""
    if Decimal(str(row.get("base_fee") or 0)) and row.get("maker_fee") is not None:
        print(
            f"  fees     premiums and fees in {row['settlement']}; floor "
            f"{row['maker_fee']:.{digits + 2}f} a side as maker, and a base fee of "
            f"{_text(row['base_fee'])} for an order that takes"
        )


def _show_signals(row: Mapping[str, Any]) -> None:
    """What the desk's signals say, each with its unit."""
    units, head = row.get("signal_units", {}), "signals"
    for name, value in row.get("signals", {}).items():
        said = "not known" if value is None else f"{value:.5g}"
        unit = units.get(name, "") if value is not None else ""
        print(f"  {head:<8} {name:<24} {said:>14} {unit}".rstrip())
        head = ""


def _which(frame: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """The instrument, where it is quoted, and by whom: the desk where there are several."""
    venue, plain = frame["venue"], row["instrument"]
    if len(frame.get("venues", ())) > 1:
        venue, plain = row["venue"], plain.rpartition(":")[2]
    name = f"{frame['mode'].upper()} {venue} {plain}, run {frame['run_id']}"
    if len(frame.get("desks", ())) > 1 and row.get("desk"):
        name += f", desk {row['desk']}"
    return name


def _reference(reference: Mapping[str, Any]) -> str:
    stamp_s = reference["source_age_s"]
    stamped = "" if stamp_s is None else f", stamped {stamp_s:.1f} s ago"
    return f"{_text(reference['price'])}, received {reference['age_s']:.1f} s ago{stamped}"


def _show_side(row: Mapping[str, Any], side: str, price: str | None, size: str | None) -> None:
    word = "bid" if side == "buy" else "ask"
    digits = _digits(row)
    rests = f"{_text(size)} @ {_price(price, digits)} rests" if price is not None else "none"
    why = row.get("reasons", {}).get(side, "starting")
    print(f"\n  {word:<8} {rests}; why: {why}")
    quotes = [quote for quote in row.get("quotes", ()) if quote["side"] == side]
    waits = row.get("held_back", {}).get(side)
    if quotes and price is not None and waits:
        print(f"           not at the price below: {waits}")
    if not quotes:
        print("           no quote is wanted, so there are no terms")
    for quote in quotes:
        level = f" (level {quote['level']})" if quote["level"] else ""
        for place, (name, value) in enumerate(quote["terms"]):
            sign = " " if place == 0 else "-" if value < 0 else "+"
            print(f"    {sign} {name:<24} {abs(value):>14.{digits + 2}f}")
        print(f"    = {'model price' + level:<24} {quote['price']:>14.{digits + 2}f}")
        print(f"      {'on the grid':<24} {_price(quote['grid'], digits):>14}")
        print(f"      {'size wanted':<24} {_text(quote['size']):>14}")
        clamp = quote["clamp"] or "none"
        print(f"      {'bound that decided':<24} {clamp:>14}")


def _digits(row: Mapping[str, Any]) -> int:
    """Of the grid: as many as any price of the instrument has, four at least for coin premiums."""
    prices = [row[name] for name in ("our_bid", "our_ask", "market_bid", "market_ask")]
    prices += [quote["grid"] for quote in row.get("quotes", ())]
    shown = [Decimal(str(price)) for price in prices if price is not None]
    least = 4 if shown and all(price < 1 for price in shown) else 0
    return max([least, *(len(plain(price).partition(".")[2]) for price in shown)])


def _price(value: object, digits: int) -> str:
    return "-" if value is None else f"{Decimal(str(value)):.{digits}f}"


def _text(value: object) -> str:
    if value is None:
        return "-"
    return plain(Decimal(str(value)))


def _object(one: _Said) -> dict[str, Any]:
    keys = ("mode", "venue", "run_id")
    age = {
        "age_s": one.age_s,
        "stopped": one.stopped_ns is not None,
        "stopped_at": moment(one.stopped_ns) if one.stopped_ns is not None else None,
        "ended": one.frame.get("ended") or None,
    }
    row = {name: _number(value) if name in _NUMBERS else value for name, value in one.row.items()}
    row["quotes"] = [
        {name: _number(value) if name == "grid" else value for name, value in quote.items()}
        for quote in one.row.get("quotes", ())
    ]
    if not row.get("references"):
        row.pop("references", None)
    return {key: one.frame[key] for key in keys} | age | row


_NUMBERS = frozenset(
    {
        "market_bid",
        "market_ask",
        "our_bid",
        "our_bid_size",
        "our_ask",
        "our_ask_size",
        "position",
        "average",
        "min_amount",
        "amount_step",
        "base_fee",
    }
)
"""What the store keeps as text, digit for digit."""


def _number(value: object) -> float | None:
    return None if value is None else float(str(value))
