"""Which faces a simulated world is to have, as one word says: `KIND,KIND:NAME`."""

import re
from collections.abc import Collection

from mmbot.errors import ConfigError
from mmbot.plugins.settings import unknown

PORT_MAX = 65_535
_NAME = re.compile(r"[A-Za-z0-9_-]+")


def faces_of(text: str, kinds: Collection[str]) -> dict[str, str]:
    """Name -> kind, in the order given; KIND alone is its own name. Raises ConfigError."""
    found: dict[str, str] = {}
    usual = next(iter(kinds))
    for part in text.split(","):
        kind, colon, name = part.strip().partition(":")
        if kind not in kinds and (kind or colon or "," not in text):
            raise ConfigError(f"--exchange: {unknown('exchange', kind[:60], kinds)}")
        if not kind:
            raise ConfigError(
                f"--exchange: {text[:60]!r} has an empty part: write it like {usual},{usual}:hedge"
            )
        name = name if colon else kind
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"--exchange: {part.strip()[:60]!r} has no name of letters, digits, - and _ after "
                f"the colon: write it like {kind}:hedge"
            )
        if name in found:
            raise ConfigError(
                f"--exchange: two of them are called {name}: give each a name of its own, like "
                f"{kind}:hedge"
            )
        found[name] = kind
    return found


def ports(first: int, count: int) -> list[int]:
    """One for each, from the first on; 0: any free one for each. Raises ConfigError."""
    if first and first + count - 1 > PORT_MAX:
        raise ConfigError(
            f"--port: {count} ports from {first} on go beyond {PORT_MAX}: begin with a lower one"
        )
    return [first + number if first else 0 for number in range(count)]
