"""What stands above the tables of `mmbot quote` and `mmbot status`: profit, account, exposure.

A header is made of phrases. Lines are broken between phrases and never cut, so that a narrow
terminal has more lines and no less to say.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from rich.console import Console
from rich.text import Text

from mmbot.cli import cells
from mmbot.cli.sums import apportioned, digits_for, rounded
from mmbot.core.capabilities import DeadMan
from mmbot.engine.status import DeskFrame, Limit, StatusFrame, VenueFrame
from mmbot.store.moments import moment

_GAP = "  "
_MARGIN_HIGH = 0.5
_WALLET_WIDE = "COD wallet-wide"
"""Cancel-on-disconnect takes the orders of others on the wallet along."""
_CONSOLE = Console()
"""For breaking lines; nothing is printed on it."""


def flowing(groups: Iterable[Sequence[Text]], width: int) -> Text:
    """Phrases one after the other, each group on a line of its own or, where that is too narrow,
    on several. Only a phrase that is longer than a line is broken itself, between words."""
    lines: list[Text] = []
    for group in groups:
        line = Text()
        for phrase in group:
            if line and line.cell_len + len(_GAP) + phrase.cell_len > width:
                lines.append(line)
                line = Text()
            before = "" if phrase.plain.startswith(" ") else " "  # a badge has its own
            line.append(_GAP if line else before).append_text(phrase)
            if line.cell_len > width:
                *whole, line = line.wrap(_CONSOLE, width)
                lines += whole
        if line:
            lines.append(line)
    return Text("\n").join(lines)


def digits_of(frame: StatusFrame) -> int:
    """How many decimals the money of a frame is shown with, everywhere."""
    pnl, rows = frame.pnl, (row.pnl_usd or 0.0 for row in frame.every_row)
    parts = (pnl.total_usd, pnl.spread_usd, pnl.inventory_usd, pnl.fees_usd, pnl.funding_usd)
    return digits_for(*parts, pnl.open_usd, pnl.revaluation_usd, *rows)


def row_profits(frame: StatusFrame) -> dict[str, Decimal | None]:
    """What each row earned, by its name, so that what is shown adds up to the total as shown; None
    where nobody knows."""
    known = [row for row in frame.every_row if row.pnl_usd is not None]
    amounts = [row.pnl_usd for row in known] + [row.pnl_usd for row in frame.settled]
    parts = [usd for usd in amounts if usd is not None]
    shown = apportioned(parts, frame.pnl.total_usd, digits_of(frame))
    said = {row.instrument: earned for row, earned in zip(known, shown, strict=False)}
    return {row.instrument: said.get(row.instrument) for row in frame.every_row}


def money(frame: StatusFrame) -> list[Text]:
    """Profit and its parts, a cost below zero, so that they add up as they are shown."""
    pnl, digits = frame.pnl, digits_of(frame)
    parts = {
        "spread": pnl.spread_usd,
        "inventory": pnl.inventory_usd,
        "fees": -pnl.fees_usd,
        "funding": pnl.funding_usd,
    }
    shown = apportioned(list(parts.values()), pnl.total_usd, digits)
    said = [_said("PnL", rounded(pnl.total_usd, digits), "bold").append(" USD", "dim")]
    before = "= "
    for name, amount in zip(parts, shown, strict=True):
        if name != "funding" or amount:
            said.append(Text(before).append_text(_said(name, amount)))
            before = ""
    unknown = sum(1 for row in frame.every_row if row.pnl_usd is None and row.position)
    if unknown:
        positions = "1 position" if unknown == 1 else f"{unknown} positions"
        said.append(Text(f"without {positions} of unknown worth", "yellow"))
    return said


def parts(frame: StatusFrame, *, up: bool = True) -> list[list[Text]]:
    """Of several venues and desks, a line about each venue and one about the desks. `up`: whether
    the engine runs, so that its connections are worth a word."""
    groups = [_venue(one, up) for one in frame.venues] if len(frame.venues) > 1 else []
    if len(frame.desks) > 1:
        groups.append([_desk(one) for one in frame.desks])
    return groups


def _venue(venue: VenueFrame, up: bool) -> list[Text]:
    said = [Text(venue.name, "bold").append(f" {venue.account}", "not bold")]
    if up:
        style = "green" if venue.link.ok else "bold red"
        said.append(Text("link ").append(venue.link.text, style))
        said += map(_limit, venue.limits[:1])
        said += map(_limit, _worth_saying(venue))
        if _is_wallet_wide(venue):
            said.append(Text(_WALLET_WIDE, "yellow"))
        said.append(Text(f"open {venue.open_orders}"))
    if venue.equity:
        said.append(Text(f"equity {_held(venue.equity)}"))
    return said


def scarce(frame: StatusFrame) -> list[Text]:
    """Limits beside the one of orders: all where they are what decides how much can be quoted,
    else those of which little is left; and whom the end of our connection takes along."""
    said = [Text(_WALLET_WIDE, "yellow")] if any(map(_is_wallet_wide, frame.venues)) else []
    limits = [one for venue in frame.venues for one in _worth_saying(venue)]
    return said + ([Text("requests left", "dim"), *map(_limit, limits)] if limits else [])


def _worth_saying(venue: VenueFrame) -> list[Limit]:
    by_instrument = any(one.scope == "instrument" for one in venue.limits)
    return [one for one in venue.limits[1:] if by_instrument or _is_scarce(one)]


def _is_wallet_wide(venue: VenueFrame) -> bool:
    return venue.dead_man == DeadMan.WALLET.value


def _is_scarce(limit: Limit) -> bool:
    return limit.left < limit.full / 4


def _limit(limit: Limit) -> Text:
    style = "green" if limit.left >= limit.full / 2 else "yellow"
    return Text(f"{limit.name} ").append(f"{limit.left:.0f}/{limit.full:.0f}", style)


def _desk(desk: DeskFrame) -> Text:
    """What a desk did, in one phrase."""
    orders = "order" if desk.open_orders == 1 else "orders"
    said = Text(desk.name, "bold")
    said.append(f" {desk.open_orders} {orders}, {desk.fills} fills", "not bold")
    if desk.quoted_share is not None:
        said.append(f", quoted {100 * desk.quoted_share:.1f} %", "not bold")
    if desk.watched:
        said.append(f", {desk.watched} watched", "not bold")
    return said


def beside(frame: StatusFrame) -> list[Text]:
    """What of the profit is not realized, and what is none of it."""
    digits = digits_of(frame)
    return [
        _said("of it unrealized", rounded(frame.pnl.open_usd, digits), "dim"),
        _said("beside it coin moved", rounded(frame.pnl.revaluation_usd, digits), "dim"),
    ]


def account(frame: StatusFrame) -> list[Text]:
    """Equity, delta, margin and open orders, as far as they are known."""
    said = [_equity(frame)] if frame.equity else []
    said += [_delta(coin, frame) for coin in frame.delta]
    if frame.margin_use:
        currency, use = max(frame.margin_use.items(), key=lambda one: one[1])
        style = "bold red" if use >= _MARGIN_HIGH else ""
        said.append(Text("margin ").append(f"{100 * use:.1f} %", style))
        if use:
            said[-1].append(f" of {currency}")
    return said


def open_orders(frame: StatusFrame) -> Text:
    """How many of ours rest or may."""
    count = frame.open_orders
    return Text(f"{count} open order{'' if count == 1 else 's'}", "" if count else "dim")


def small_print(frame: StatusFrame) -> list[Text]:
    """What sizes are counted in, and the moment of a simulated world: elsewhere desk time is
    everybody's."""
    worth = {row.unit: row.unit_usd for row in frame.rows if row.unit}
    told = [
        unit if usd is None or unit == "USD" else f"{unit} (1 = {cells.dollars(usd)} USD)"
        for unit, usd in worth.items()
    ]
    said = [Text(f"sizes in {', '.join(told)}", "dim")] if told else []
    if frame.mode == "sim" and frame.at_ns:
        said.append(Text(desk_time(frame), "dim"))
    return said


def desk_time(frame: StatusFrame) -> str:
    """The moment a frame tells of, by the venue's calendar: marked where that is simulated."""
    if frame.mode != "sim":
        return moment(frame.at_ns)
    return f"sim {moment(frame.at_ns).removesuffix(' UTC')}"


def trip(frame: StatusFrame) -> Text:
    """Why the kill switch was tripped, all of it."""
    return Text(f"KILL SWITCH: {frame.trip}", "bold red")


def _said(name: str, amount: Decimal, style: str = "") -> Text:
    return Text(f"{name} ", "dim" if style == "dim" else "").append_text(cells.cash(amount, style))


def _equity(frame: StatusFrame) -> Text:
    held = _held(frame.equity)
    if frame.equity_usd is None:
        return Text(f"equity {held}")
    worth = f"equity {cells.dollars(frame.equity_usd)} USD"
    return Text(worth if list(frame.equity) == ["USD"] else f"{worth} = {held}")


def _held(equity: Mapping[str, Decimal]) -> str:
    return " + ".join(f"{cells.holding(value)} {name}" for name, value in equity.items())


def _delta(coin: str, frame: StatusFrame) -> Text:
    exposure = frame.delta[coin]
    text = Text("delta ").append_text(cells.delta(exposure.net))
    text.append(f" {coin}")
    if exposure.gross:
        text.append(f" net, {exposure.gross:.2f} gross")
    return text if exposure.complete else text.append(" (of what is known)", "yellow")
