"""The entry point of the `mmbot` command."""


def main() -> None:
    """Run the command line."""
    from mmbot.cli.app import run

    run()


if __name__ == "__main__":
    main()
