"""A message on its way out: the object that it is, and the text that it becomes on a socket."""

from __future__ import annotations

from typing import Any

import orjson


class Frame:
    """A JSON object of texts, numbers, lists and objects, as reading its text would give it.

    It has one text, however many hear it, and none where only objects pass. Whoever is handed it
    changes nothing in it.
    """

    __slots__ = ("_text", "message")

    def __init__(self, message: dict[str, Any]) -> None:
        self.message = message
        self._text: bytes | None = None

    @property
    def text(self) -> bytes:
        """As it goes over a socket."""
        if self._text is None:
            self._text = orjson.dumps(self.message)
        return self._text
