"""The entry point of the `mmbot` command."""

import signal
import sys
from contextlib import suppress

ENDINGS = (signal.SIGHUP, signal.SIGQUIT)
"""The window was closed, and Ctrl+backslash: they end a command like Ctrl+C."""


def main() -> None:
    """Run the command line."""
    try:
        for ending in ENDINGS:
            if signal.getsignal(ending) is signal.SIG_DFL:  # nohup has it ignored
                signal.signal(ending, signal.default_int_handler)
        from mmbot.cli.app import run

        run()
    except KeyboardInterrupt:  # while it was still importing
        with suppress(OSError):
            print("mmbot: interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
