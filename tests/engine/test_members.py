"""The venues of a run: whose accounts they are."""

from collections.abc import Sequence
from typing import cast

import pytest

from mmbot.clock import Clock
from mmbot.config import Mode
from mmbot.engine.members import Member, find_accounts
from mmbot.errors import ConfigError
from mmbot.venues.arrival import Arrival
from mmbot.venues.base import Venue
from mmbot.venues.plugin import plugin_of
from mmbot.venues.site import Site


class Owned:
    """Of a venue, what tells whose account our keys open."""

    def __init__(self, endpoint: str, owner: str) -> None:
        self.endpoint, self._owner = endpoint, owner

    async def account(self) -> str:
        return self._owner


def members(*owned: Owned) -> Sequence[Member]:
    """Deribit by several names."""
    names, capabilities = ("deribit", "hedge", "third"), plugin_of("deribit").capabilities()
    return [
        Member(
            Site(Mode.LIVE, name, "deribit", ""),
            cast(Venue, one),
            Arrival(cast(Venue, one), Clock(), 1.0, tell=False),
            capabilities,
            [],
        )
        for name, one in zip(names, owned, strict=False)
    ]


async def test_two_venues_whose_keys_open_one_account_are_refused() -> None:
    ann, again = Owned("https://x.example", "ann"), Owned("https://x.example", "ann")
    with pytest.raises(ConfigError) as error:
        await find_accounts(members(ann, Owned("https://x.example", "bob"), again))
    assert str(error.value) == (
        "venues deribit and third are the same account, ann: give each keys of its own, or leave "
        "one of them out"
    )


async def test_accounts_of_one_name_at_two_places_are_two() -> None:
    found = members(Owned("http://127.0.0.1:1", "ann"), Owned("http://127.0.0.1:2", "ann"))
    await find_accounts(found)
    assert [(one.site.name, one.account) for one in found] == [("deribit", "ann"), ("hedge", "ann")]
