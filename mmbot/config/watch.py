"""The setting that says what a desk looks at besides: a word, or names (config.watched)."""

from difflib import get_close_matches
from enum import Enum
from typing import Final

from mmbot.errors import ConfigError


class Watch(Enum):
    """The words for what is watched; anything else is names."""

    DESK = "desk"
    EXPIRY = "expiry"
    CHAIN = "chain"


WORDS: Final = tuple(word.value for word in Watch)


def watch_names(value: object, where: str) -> list[str]:
    """The setting as it is written: a word, or names in a list. Raises ConfigError."""
    parts = value if isinstance(value, list) else [value]
    expected = f"expected one of {', '.join(WORDS)}, or a list of instruments"
    for part in parts:
        if not isinstance(part, str) or not part.strip():
            raise ConfigError(f"{where}: {str(part)[:40]!r}: {expected}")
    named = list(dict.fromkeys(map(str, parts)))
    if not named:
        raise ConfigError(f"{where}: nothing named: {expected} (desk: nothing besides)")
    words = [name for name in named if name in WORDS]
    if words and len(named) > 1:
        raise ConfigError(f"{where}: {words[0]} stands alone: {expected}")
    first, *others = named
    # Names of instruments have a -, and stand in a list even where there is one.
    if not others and first not in WORDS and (first.isalpha() or not isinstance(value, list)):
        near = get_close_matches(first.lower(), WORDS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ConfigError(f"{where}: {first[:40]!r}: {expected}{hint}")
    return named
