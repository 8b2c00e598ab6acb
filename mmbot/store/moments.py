"""Moments as people read them."""

from datetime import UTC, datetime

from mmbot.core.types import SECOND, Nanos


def moment(at_ns: Nanos) -> str:
    """Wall time to the second, in UTC."""
    return f"{datetime.fromtimestamp(at_ns // SECOND, UTC):%Y-%m-%d %H:%M:%S} UTC"
