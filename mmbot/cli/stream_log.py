"""Log lines on a stream that may have no reader."""

import logging
import sys
from typing import TextIO

from mmbot.cli.streams import nobody_reads


class StreamLog(logging.StreamHandler[TextIO]):
    """Log lines on a stream; those that nobody reads are lost without a word."""

    def handleError(self, record: logging.LogRecord) -> None:
        """Called while the exception is being handled."""
        error = sys.exc_info()[1]
        if error is None or not nobody_reads(error):
            super().handleError(record)
