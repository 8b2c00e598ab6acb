"""A request's parameters, read with types, each as the venue insists on it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from mmbot.sim.wire.derive.errors import invalid_params
from mmbot.sim.wire.derive.signatures import DIGITS

FOREVER_MS: Final = 2**63 - 1
WHOLE: Final = re.compile(r"-?[0-9]{1,78}")  # as long as what fits into a word
PAGE_SIZE: Final = 100
PAGE_SIZE_MAX: Final = 1_000


class Params:
    """Every reader raises the venue's "Invalid params", naming the parameter."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw

    def text(self, name: str) -> str:
        """A required text."""
        found = self.raw.get(name)
        if found is None:
            raise invalid_params(f"missing field `{name}`")
        if not isinstance(found, str):
            raise invalid_params(f"{name}: expected a string")
        return found

    def text_or(self, name: str, default: str) -> str:
        """An optional text."""
        return default if self.raw.get(name) is None else self.text(name)

    def integer(self, name: str) -> int:
        """A required number without a fraction: no text is taken for one."""
        found = self.raw.get(name)
        if found is None:
            raise invalid_params(f"missing field `{name}`")
        if isinstance(found, bool) or not isinstance(found, int):
            raise invalid_params(f"{name}: expected i64")
        return found

    def integer_or(self, name: str, default: int) -> int:
        """An optional one."""
        return default if self.raw.get(name) is None else self.integer(name)

    def loose_integer_or(self, name: str, default: int | None) -> int | None:
        """An optional one that may be written as a text."""
        found = self.raw.get(name)
        if found is None:
            return default
        if isinstance(found, str) and WHOLE.fullmatch(found):
            return int(found)
        return self.integer(name)

    def decimal(self, name: str) -> Decimal:
        """A required decimal: a text, or a number digit by digit as it was sent."""
        found = self.raw.get(name)
        if found is None:
            raise invalid_params(f"missing field `{name}`")
        if isinstance(found, bool) or not isinstance(found, str | int | float):
            raise invalid_params(f"{name}: expected a decimal string")
        try:
            number = Decimal(found if isinstance(found, str) else repr(found))
        except InvalidOperation:
            raise invalid_params(f"{name}: expected a decimal string") from None
        if not number.is_finite() or abs(number) >= 10**15 or number != round(number, DIGITS):
            raise invalid_params(f"{name}: at most {DIGITS} fractional digits")
        return number

    def decimal_or(self, name: str, default: Decimal) -> Decimal:
        """An optional one."""
        return default if self.raw.get(name) is None else self.decimal(name)

    def flag(self, name: str, default: bool = False) -> bool:
        """An optional boolean."""
        found = self.raw.get(name)
        if found is None:
            return default
        if not isinstance(found, bool):
            raise invalid_params(f"{name}: expected a boolean")
        return found

    def choice(self, name: str, known: tuple[str, ...], default: str | None = None) -> str:
        """One of the venue's words; without a default it is required."""
        found = self.raw.get(name, default)
        if found is None and default is not None:
            return default
        if found not in known:
            raise invalid_params(f"{name}: expected one of {', '.join(known)}")
        return str(found)

    def span(self, first: str, last: str) -> tuple[int, int]:
        """(from, to) in milliseconds, both included; without them all of time."""
        to_ms = self.loose_integer_or(last, None)
        return self.loose_integer_or(first, 0) or 0, FOREVER_MS if to_ms is None else to_ms

    def page(self) -> tuple[int, int]:
        """(page, from 1 on; rows a page)."""
        page, size = self.integer_or("page", 1), self.integer_or("page_size", PAGE_SIZE)
        if page < 1:
            raise invalid_params("page: must be at least 1")
        if not 1 <= size <= PAGE_SIZE_MAX:
            raise invalid_params(f"page_size: must be between 1 and {PAGE_SIZE_MAX}")
        return page, size
