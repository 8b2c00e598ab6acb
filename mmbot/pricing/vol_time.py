"""Time as variance sees it: weekends pass more slowly, announcements take a while in no time.

Volatilities are quoted in calendar time, vol^2 T = vol_v^2 T_v; vol time enters only where total
variance is carried from one moment or one expiry to another, and there only as a ratio.
"""

from dataclasses import dataclass

_DAY_NS = 86_400_000_000_000
_WEEK_DAYS = 7
_MONDAY_DAYS = 4
"""1970-01-01 was a Thursday: the first Monday came four days later."""
_WORKDAYS = 5


@dataclass(frozen=True, slots=True)
class Event:
    """Something whose moment is known beforehand and that will move the price."""

    at_ns: int
    days: float
    """Of ordinary variance that it adds."""


@dataclass(frozen=True, slots=True)
class VolTime:
    """A calendar of variance, in UTC."""

    weekend_weight: float = 0.7
    """Of a Saturday or Sunday, beside a working day's 1."""
    events: tuple[Event, ...] = ()

    def days(self, start_ns: int, end_ns: int) -> float:
        """Days of ordinary variance from one moment to a later one."""
        passed = self._clock(end_ns) - self._clock(start_ns)
        return passed + sum(one.days for one in self.events if start_ns < one.at_ns <= end_ns)

    def left(self, then_ns: int, now_ns: int, expiry_ns: int) -> float:
        """What is left now of the variance there was then until an expiry: 1 to 0."""
        whole = self.days(then_ns, expiry_ns)
        return max(self.days(now_ns, expiry_ns), 0.0) / whole if whole > 0.0 else 0.0

    def _clock(self, at_ns: int) -> float:
        """Weighted days since the first Monday of 1970."""
        weeks, into = divmod(at_ns - _MONDAY_DAYS * _DAY_NS, _WEEK_DAYS * _DAY_NS)
        days = into / _DAY_NS
        working = min(days, _WORKDAYS)
        a_week = _WORKDAYS + (_WEEK_DAYS - _WORKDAYS) * self.weekend_weight
        return weeks * a_week + working + (days - working) * self.weekend_weight
