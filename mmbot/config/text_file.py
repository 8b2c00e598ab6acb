"""Text that a person wrote with whatever editor was at hand: read, or refused with what to change.

Editors and web pages put things into a file that nobody sees: a byte order mark, no-break spaces,
curly quotes, characters without a width. The mark is taken off; the others are named by place.
"""

import codecs
import unicodedata
from pathlib import Path

from mmbot.errors import ConfigError

_BYTE_ORDER_MARK = "\ufeff"
_INSTEAD = (
    ("\u201c\u201d\u201e\u201f\u00ab\u00bb", 'replace it with a plain "'),
    ("\u2018\u2019\u201a\u201b\u00b4\u2032", "replace it with a plain '"),
    ("\u2010\u2011\u2012\u2013\u2014\u2212", "replace it with a plain -"),
)
_GAPS = frozenset({"Zs"})
_UNSEEN = frozenset({"Zs", "Zl", "Zp", "Cf", "Cc"})
"""Unicode's categories of what shows as a gap, or not at all."""


def read_text(path: Path, most_bytes: int, kind: str, give: str = "") -> str:
    """The text of a file, without a byte order mark. `kind` of file, and what to `give` instead.

    Raises ConfigError for a file that cannot be read, is larger than `most_bytes` or not UTF-8.
    """
    advice = f"give {give}" if give else ""
    try:
        with path.open("rb") as file:
            read = file.read(most_bytes + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    if len(read) > most_bytes:
        raise ConfigError(f"{path}: larger than any {kind}{advice and ': '}{advice}")
    if _is_utf16(read):
        raise ConfigError(f"{path}: cannot be read: it is UTF-16 text; save it as UTF-8")
    try:
        return read.decode().removeprefix(_BYTE_ORDER_MARK)
    except UnicodeDecodeError as error:
        reason = f"not UTF-8 text{advice and '; '}{advice}"
        raise ConfigError(f"{path}: cannot be read: {reason}") from error


def _is_utf16(read: bytes) -> bool:
    """Whether a text of plain letters begins like this: every other byte is zero."""
    start = read.removeprefix(codecs.BOM_UTF16_LE).removeprefix(codecs.BOM_UTF16_BE)[:64]
    return len(start) > 1 and any(start) and not (any(start[::2]) and any(start[1::2]))


def stray_letter(text: str, *, valid: bool) -> str | None:
    """The first character of a TOML text that cannot be meant, with its line; None: there is none.

    That is one which cannot be seen, also within a value; in a text that is not `valid`, anything
    beyond ASCII outside of quotes too. Comments may hold what they like.
    """
    for row, line in enumerate(text.split("\n"), 1):
        quote, escaped = "", False
        for column, letter in enumerate(line, 1):
            if unseen(letter) or not (valid or quote or letter.isascii()):
                return f"line {row}: {said_of(letter, column)}"
            if escaped:
                escaped = False
            elif quote:
                escaped = quote == '"' and letter == "\\"
                quote = "" if letter == quote else quote
            elif letter == "#":
                break
            elif letter in "\"'":
                quote = letter
    return None


def unseen(letter: str) -> bool:
    """Whether a character beyond ASCII shows as a gap, or not at all."""
    return not letter.isascii() and unicodedata.category(letter) in _UNSEEN


def said_of(letter: str, column: int) -> str:
    """What a character beyond ASCII is, where it stands, and what to do about it."""
    name = unicodedata.name(letter, "control character").lower()
    article = "an" if name[0] in "aeiou" else "a"
    return f"{article} {name} (U+{ord(letter):04X}) in column {column}: {_instead(letter)}"


def _instead(letter: str) -> str:
    for letters, advice in _INSTEAD:
        if letter in letters:
            return advice
    if unicodedata.category(letter) in _GAPS:
        return "replace it with a plain space"
    return "remove it" if unseen(letter) else "put it into quotes, or remove it"
