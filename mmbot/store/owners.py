"""Which account of a run a record belongs to: the one at the venue that the record names."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from mmbot.store.records import AccountKey, OfAccount

R = TypeVar("R", bound=OfAccount)


class Owners:
    """The accounts of a run, one for each of its venues."""

    def __init__(self, account_keys: Sequence[AccountKey]) -> None:
        self._only = account_keys[0] if len(account_keys) == 1 else None
        self._at = {account_key.venue: account_key for account_key in account_keys}
        assert len(self._at) == len(account_keys), "two accounts at venues of one name"

    def of(self, record: OfAccount) -> AccountKey:
        """The account of a record; everything belongs to the only one. Raises KeyError, before
        anything is lost, for a record of none of several."""
        return self._only or self._at[record.venue]

    def sorted(self, records: Iterable[R]) -> dict[AccountKey, list[R]]:
        """The records of each account, in their order."""
        found: dict[AccountKey, list[R]] = {}
        for record in records:
            found.setdefault(self.of(record), []).append(record)
        return found
