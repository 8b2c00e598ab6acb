"""Dates and moments as people write them, the same wherever one is taken; all of them UTC."""

import re
from datetime import UTC, date, datetime, time

from mmbot.errors import ConfigError

YEARS = range(2000, 2100)
"""Moments outside these are slips."""

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_ISO = re.compile(r"(\d{4})-?(\d\d)-?(\d\d)")
_VENUES = re.compile(r"(\d{1,2})([A-Z]{3})(\d\d)")

_SHOWN_MAX = 40


def day(value: object, where: str) -> date:
    """The date in `20250606`, `2025-06-06` or `6JUN25`, in capitals or not. Raises ConfigError."""
    found = _day(value)
    if found is None:
        raise ConfigError(
            f"{where}: {_shown(value)} is not a date: write it like 20250606, 2025-06-06 or 6JUN25"
        )
    return found


def moment(value: object, where: str) -> datetime:
    """A moment in UTC from its text, for instance 2025-06-02T12:00:00Z; of a date, its midnight.
    Raises ConfigError."""
    on = _day(value)
    if on is not None:
        when: datetime | None = datetime.combine(on, time(), UTC)
    else:
        try:
            when = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        except ValueError:
            when = None
    if when is None or when.tzinfo is None or when.year not in YEARS:
        raise ConfigError(
            f"{where}: {_shown(value)} is neither a date nor a moment in UTC: write it like "
            "2025-06-02 or 2025-06-02T12:00:00Z"
        )
    return when.astimezone(UTC)


def _day(value: object) -> date | None:
    if isinstance(value, datetime):
        return None
    if isinstance(value, date):
        return value
    text = str(value).strip().upper()
    iso, venues = _ISO.fullmatch(text), _VENUES.fullmatch(text)
    try:
        if iso is not None:
            return date(int(iso[1]), int(iso[2]), int(iso[3]))
        if venues is not None:
            return date(2000 + int(venues[3]), _MONTHS.index(venues[2]) + 1, int(venues[1]))
    except ValueError:
        pass
    return None


def _shown(value: object) -> str:
    text = str(value)
    return repr(text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}...")
