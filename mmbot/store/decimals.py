"""Decimals kept exactly: as the text a person would write, never as a float, never with an E."""

from decimal import Decimal

from sqlalchemy import Dialect, Text
from sqlalchemy.types import TypeDecorator


class Exact(TypeDecorator[Decimal]):
    """A finite Decimal as TEXT ("0.0130", "-12", "1000"): equal when read again, digit for digit
    what was given except that 1E+3 becomes 1000 and -0 becomes 0."""

    impl = Text
    cache_ok = True

    def process_bind_param(
        self,
        value: Decimal | None,
        dialect: Dialect,  # noqa: ARG002  # SQLAlchemy's signature
    ) -> str | None:
        """Decimal -> text."""
        if value is None:
            return None
        assert isinstance(value, Decimal), f"not a Decimal: {value!r}"
        assert value.is_finite(), f"not a number one can own: {value}"
        return f"{value or value.copy_abs():f}"

    def process_result_value(
        self,
        value: str | None,
        dialect: Dialect,  # noqa: ARG002  # SQLAlchemy's signature
    ) -> Decimal | None:
        """Text -> Decimal."""
        return None if value is None else Decimal(value)
