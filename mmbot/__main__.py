"""The entry point of the `mmbot` command."""

import sys


def main() -> None:
    """Run the command line."""
    try:
        from mmbot.cli.app import run

        run()
    except KeyboardInterrupt:  # while it was still importing
        print("mmbot: interrupted", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
