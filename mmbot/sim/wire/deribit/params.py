"""A request's parameters, read with types: JSON values over WebSocket, text in a query string."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import Enum
from typing import Any, TypeVar

import orjson

from mmbot.sim.wire.deribit.errors import invalid_params

EnumT = TypeVar("EnumT", bound=Enum)


class Params:
    """Every reader raises the venue's "Invalid params", naming the parameter."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw

    def text(self, name: str) -> str:
        """A required text."""
        found = self.text_or(name, None)
        if found is None:
            raise invalid_params("value required", name)
        return found

    def text_or(self, name: str, default: str | None) -> str | None:
        """An optional text."""
        found = self.raw.get(name)
        if found is None:
            return default
        return found if isinstance(found, str) else str(found)

    def decimal_or_none(self, name: str) -> Decimal | None:
        """An optional number, digit by digit as it was sent."""
        found = self.raw.get(name)
        if found is None or isinstance(found, bool):
            return None
        try:
            # repr of a float is the shortest text that reads back the same: the digits sent.
            number = Decimal(found if isinstance(found, str) else repr(found))
        except InvalidOperation:
            raise invalid_params("must be a number", name) from None
        if not number.is_finite():
            raise invalid_params("must be a number", name)
        return number

    def integer_or(self, name: str, default: int) -> int:
        """An optional integer; digits behind the point are cut off."""
        found = self.decimal_or_none(name)
        return default if found is None else int(found)

    def integer_or_none(self, name: str) -> int | None:
        """The same without a default."""
        found = self.decimal_or_none(name)
        return None if found is None else int(found)

    def flag(self, name: str) -> bool:
        """An optional boolean, false where it is not given."""
        return self.flag_or_none(name) or False

    def flag_or_none(self, name: str) -> bool | None:
        """A boolean, as JSON or as text."""
        found = self.raw.get(name)
        if found is None or isinstance(found, bool):
            return found
        if found in ("true", "false"):
            return bool(found == "true")
        raise invalid_params("must be a boolean", name)

    def choice(self, name: str, kind: type[EnumT], default: EnumT) -> EnumT:
        """One of an enumeration's values."""
        found = self.text_or(name, None)
        if found is None:
            return default
        try:
            return kind(found)
        except ValueError:
            known = ", ".join(str(member.value) for member in kind)
            raise invalid_params(f"must be one of {known}", name) from None

    def texts(self, name: str) -> list[str]:
        """A required array of texts (a JSON array also in a query string)."""
        found = self.raw.get(name)
        if isinstance(found, str):
            try:
                found = orjson.loads(found)
            except orjson.JSONDecodeError:
                raise invalid_params("must be an array", name) from None
        if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
            raise invalid_params("must be an array of strings", name)
        return found
