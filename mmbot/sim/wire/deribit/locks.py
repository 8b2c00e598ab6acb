"""What keeps people from trading without any news on the instruments' own channels: locks.

The venue locks a currency (by its price index) or the whole platform, goes into maintenance, locks
one account, or closes an instrument before its time. A venue that ends opens everything again.
"""

from __future__ import annotations

from typing import Final

from mmbot.sim.exchange.listing import Listing
from mmbot.sim.wire.deribit.errors import invalid_params, locked_by_admin, system_maintenance
from mmbot.sim.wire.deribit.floor import Floor
from mmbot.sim.wire.deribit.shapes import Json

ALL: Final = "ALL"
"""How `user.lock` calls every currency."""


class Locks:
    """What is locked at present; what is closed or locked is in `Exchange.halted` too."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._indices: dict[str, None] = {}
        self._of_account: dict[str, dict[str, None]] = {}  # account -> currencies, or ALL
        self._maintenance = False
        self.strangers = True  # public requests are answered without a login

    def lock(self, index: str | None, *, maintenance: bool) -> None:
        """Lock what that price index prices, or with None the platform."""
        self._maintenance = self._maintenance or maintenance
        self._set(index, locked=True)

    def unlock(self, index: str | None) -> None:
        """Undo `lock`, maintenance included; with None everywhere."""
        self._maintenance = False
        self._set(index, locked=False)

    def lock_account(self, account: str, currency: str | None, *, locked: bool) -> None:
        """Lock or unlock an account in that currency, or with None in all of them."""
        word = currency or ALL
        of_it = self._of_account.setdefault(account, {})
        if locked:
            of_it[word] = None
        elif currency is None:
            of_it.clear()
        else:
            of_it.pop(word, None)
        self._tell("user.lock", {"locked": locked, "currency": word}, account)

    def let_strangers(self, allowed: bool) -> None:
        """Whether public requests need no login from now on."""
        self.strangers = allowed
        state = {"allow_unauthenticated_public_requests": allowed}
        self._tell("platform_state.public_methods_state", state)

    def status(self) -> Json:
        """The answer of public/status."""
        known = self._floor.index_names()
        locked = [name for name in known if name in self._indices]
        word = "true" if len(locked) == len(known) else "partial" if locked else "false"
        return {"locked": word, "locked_indices": locked}

    def of_account(self, account: str) -> list[Json]:
        """The answer of private/get_user_locks."""
        locked = self._of_account.get(account, {})
        return [
            {"currency": one, "enabled": one in locked or ALL in locked}
            for one in self._floor.currencies()
        ]

    def check(self, account: str, listing: Listing) -> None:
        """Raise what an order of that account in that instrument is refused with, if it is."""
        self.check_maintenance()
        locked = self._of_account.get(account, {})
        if listing.index_name in self._indices or locked.keys() & {listing.settlement, ALL}:
            raise locked_by_admin()
        if listing.name in self._floor.exchange.halted:
            raise invalid_params("instrument is not open", "instrument_name")

    def check_maintenance(self) -> None:
        """Raise what every request to the matching engine is refused with in maintenance."""
        if self._maintenance:
            raise system_maintenance()

    def _set(self, index: str | None, *, locked: bool) -> None:
        known = self._floor.index_names()
        assert index is None or index in known, f"{index} is no price index here"
        for name in known if index is None else [index]:
            if locked:
                self._indices[name] = None
                self._floor.exchange.halted.add(name)
            else:
                self._indices.pop(name, None)
                self._floor.exchange.halted.discard(name)
            self._tell("platform_state", {"price_index": name, "locked": locked})

    def _tell(self, channel: str, state: Json, account: str | None = None) -> None:
        """What is told to one account has a channel for each."""
        for one in self._floor.hub.everything():
            if one.name != channel:
                continue
            if account is None or any(s.account == account for s in one.subscribers):
                one.publish(state)
