"""The best prices that a trade met: those of the last book before it.

A book that is stamped as the trade is, or later, shows what the trade has left of it. Books come
conflated, and on another channel than trades, so that only the venue's stamps tell which was first.
Where the book before is not known any more, nothing is: a guess would be another trade's distance.
"""

from math import inf

from mmbot.core.events import BookChanged

_NEWEST, _BEFORE = ("bid", "ask", "since_ms"), ("old_bid", "old_ask", "old_ms")


def see(numbers: dict[str, int | float], book: BookChanged) -> bool:
    """Keep the best prices of a newer book and those before; returns whether there are two."""
    if book.bids and book.asks:
        bid, ask = book.bids[0][0], book.asks[0][0]
        if numbers.get("ask") == ask and numbers.get("bid") == bid:
            return True
        if bid < ask < inf:  # false for NaN
            _set_aside(numbers)
            numbers["bid"], numbers["ask"], numbers["since_ms"] = bid, ask, book.venue_ms
            return True
    _set_aside(numbers)
    numbers["since_ms"] = book.venue_ms
    return False


def lose(numbers: dict[str, int | float]) -> None:
    """Nothing is known of the book any more."""
    for name in (*_NEWEST, *_BEFORE):
        numbers.pop(name, None)


def met(numbers: dict[str, int | float], venue_ms: int) -> tuple[float, float] | None:
    """Middle and half-spread of the book that a trade of that moment met; None: not known."""
    since_ms = numbers.get("since_ms")
    if since_ms is None:
        return None
    if venue_ms > since_ms:
        bid, ask = numbers.get("bid"), numbers.get("ask")
    elif venue_ms > numbers.get("old_ms", inf):
        bid, ask = numbers.get("old_bid"), numbers.get("old_ask")
    else:
        return None
    if bid is None or ask is None:
        return None
    return (bid + ask) / 2, (ask - bid) / 2


def _set_aside(numbers: dict[str, int | float]) -> None:
    """What was the newest is the one before."""
    if "bid" in numbers:
        for new, old in zip(_NEWEST, _BEFORE, strict=True):
            numbers[old] = numbers.pop(new)
