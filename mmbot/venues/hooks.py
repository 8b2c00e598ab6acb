"""Whom a connection tells. Each is set by its owner; what one raises is told to `on_fault`."""

from collections.abc import Callable, Mapping
from typing import Any

from mmbot.core.events import Link
from mmbot.venues.requests import Reply


class Hooks:
    """Called from within the entry in which something happens, so none may call an entry."""

    on_book: Callable[[Any], None] | None = None
    """A book, of the venue's own kind, has changed, for better or worse."""
    on_ticker: Callable[[str, dict[str, Any]], None] | None = None
    on_trades: Callable[[str, list[dict[str, Any]]], None] | None = None
    on_index: Callable[[str, dict[str, Any]], None] | None = None
    on_user: Callable[[str, Any], None] | None = None
    on_channel: Callable[[str, Any], None] | None = None
    """Any other channel."""
    on_push: Callable[[Link, str, Mapping[str, Any]], None] | None = None
    """Every message of a channel as it came, before it is handled."""
    on_link: Callable[[Link, bool, str], None] | None = None
    """A link came up or went down, and why."""
    on_started: Callable[[Link, Exception | None], None] | None = None
    """The first attempt since `start` has ended: the link is up, or not tried any more."""
    on_late_reply: Callable[[Reply], None] | None = None
    """A reply to a request that had already ended, as UNKNOWN or by an earlier copy."""
    on_unreadable: Callable[[Link], None] | None = None
    """A frame could not be taken in; what it said is not known. `on_fault` tells why."""
    on_fault: Callable[[Exception, Any], None] | None = None
    """(what went wrong, the frame it went wrong with)."""
