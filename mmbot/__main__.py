"""The entry point of the `mmbot` command."""

import os
import signal
import sys
from contextlib import suppress
from types import FrameType

ENDINGS = (signal.SIGHUP, signal.SIGQUIT)
"""The window was closed, and Ctrl+backslash: they end a command like Ctrl+C."""

_AGAIN_S = 0.01
"""By then the destructor is over."""


def main() -> None:
    """Run the command line."""
    sys.unraisablehook = _not_lost
    try:
        for ending in ENDINGS:
            if signal.getsignal(ending) is signal.SIG_DFL:  # nohup has it ignored
                signal.signal(ending, _like_ctrl_c)
        from mmbot.plugins.importing import importing

        with importing():
            from mmbot.cli.app import run

        run()
    except KeyboardInterrupt:  # while it was still importing
        with suppress(OSError):
            print("mmbot: interrupted", file=sys.stderr)
        sys.exit(130)


def _like_ctrl_c(number: int, frame: FrameType | None) -> None:
    """What Ctrl+C does at this moment: a running event loop cancels what it waits for, where an
    exception out of nowhere would tear it and leave coroutines that were never awaited."""
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):  # Ctrl+C is ignored, as for a job in the background
        handler = signal.default_int_handler
    handler(number, frame)


def _not_lost(failed: "sys.UnraisableHookArgs") -> None:
    """Ctrl+C that came while a destructor ran, where nothing can be raised, comes once more."""
    if not issubclass(failed.exc_type, KeyboardInterrupt):
        sys.__unraisablehook__(failed)
        return
    from threading import Timer

    again = Timer(_AGAIN_S, os.kill, (os.getpid(), signal.SIGINT))
    again.daemon = True
    again.start()


if __name__ == "__main__":
    main()
