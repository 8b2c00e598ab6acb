"""Surfaces are fitted in a thread beside the turns; the core asks, and hears of it as an event."""

import asyncio
import logging
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from mmbot.core.chains import FitSurface, Fitted
from mmbot.venues.base import Sink

if TYPE_CHECKING:
    from mmbot.pricing.chain_fit import ChainFitter

_log = logging.getLogger(__name__)

SWITCH_S = 0.0002
"""A fit lets a turn have the interpreter after that, instead of after 5 ms."""


class SurfaceWorker:
    """Carries `FitSurface` out, one at a time. `sink` hears the answer, in the loop's thread."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._loop = asyncio.get_running_loop()
        self._thread: ThreadPoolExecutor | None = None

    @cached_property
    def _fitter(self) -> "ChainFitter":
        from mmbot.pricing.chain_fit import ChainFitter  # scipy, which takes a while: in its thread

        return ChainFitter()

    def ask(self, wanted: FitSurface) -> None:
        """Begin it; the answer comes as an event."""
        if self._thread is None:
            sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_S))
            self._thread = ThreadPoolExecutor(1, "surface")
        self._thread.submit(self._fit, wanted)

    def close(self) -> None:
        """No more of it."""
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
            self._thread = None

    def _fit(self, wanted: FitSurface) -> None:
        try:
            fitted = self._fitter.fitted(wanted)
        except Exception as error:  # noqa: BLE001  # a bug: options go by the venue's volatility
            fitted = Fitted(wanted.chain, wanted.at_ns, (), f"{type(error).__name__}: {error}")
            _log.error("bug in a fit: %s", fitted.trouble, exc_info=error)
        with suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._sink, fitted)
