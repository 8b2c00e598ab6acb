"""What every log line begins with: date, time, zone, mode and weight.

    2026-11-27 01:02:03Z SIM INFO    link up

The time is the machine's, in UTC, whatever the mode: a simulated world's own time is marked `sim`
where it is shown.
"""

import logging
from datetime import UTC, datetime


class Stamp(logging.Formatter):
    """Formats the lines of an engine in one mode."""

    def __init__(self, mode: str) -> None:
        super().__init__(f"%(asctime)s {mode.upper()} %(levelname)-7s %(message)s")

    def formatTime(
        self,
        record: logging.LogRecord,
        datefmt: str | None = None,  # noqa: ARG002  # logging's signature
    ) -> str:
        """To the second."""
        return f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%d %H:%M:%S}Z"
