"""Lists that come in pages, asked for to their end: a recipe.

Pages are counted from one. The list may grow or shrink while it is read, so that a row is seen
twice or not at all: what is on two pages the reader must tell by its id, and where fewer rows came
than the venue counts, the list is not whole.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mmbot.venues.derive.messages import Pagination
from mmbot.venues.reading import Unread, Unreadable, fields_of, read
from mmbot.venues.recipe import Recipe

AskFor = Callable[[str, Mapping[str, Any]], Recipe[Any]]
"""A method and its parameters to a recipe of its result."""

PAGE_SIZE: Final = 1000
"""The most the venue takes."""

PAGES_MAX: Final = 200
"""Where a venue counts without end, somebody else's error must not become a flood of ours."""


@dataclass(frozen=True, slots=True)
class Pages:
    """All rows that came; `whole`: as many as the venue counts."""

    rows: list[object]
    whole: bool


def everything(
    ask: AskFor, method: str, params: Mapping[str, Any], key: str, unread: Unread
) -> Recipe[Pages]:
    """Every row under `key` of the answers. Raises Unreadable where a page has no list, and what
    `ask` raises."""
    rows: list[object] = []
    for page in range(1, PAGES_MAX + 1):
        result = yield from ask(method, {**params, "page": page, "page_size": PAGE_SIZE})
        fields = fields_of(result, method)
        found = fields.get(key)
        if not isinstance(found, list):
            raise Unreadable(f"{method}: no list of {key}")
        rows += found
        stated = _pagination(fields.get("pagination"), unread)
        if not found or (len(found) < PAGE_SIZE and stated.num_pages is None):
            return Pages(rows, whole=stated.count is None or len(rows) >= stated.count)
        if stated.num_pages is not None and page >= stated.num_pages:
            return Pages(rows, whole=stated.count is None or len(rows) >= stated.count)
    return Pages(rows, whole=False)


def _pagination(data: object, unread: Unread) -> Pagination:
    if data is None:
        return Pagination()
    try:
        return read(Pagination, data, unread, "pagination")
    except Unreadable as error:
        unread.note("pagination", error)
        return Pagination()
