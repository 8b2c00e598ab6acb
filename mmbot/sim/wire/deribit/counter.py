"""Where the holder of one account is let in: a key pair, and how the venue deals with who comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from mmbot.sim.models.credits import Credits
from mmbot.sim.wire.deribit.auth import Gatekeeper
from mmbot.sim.wire.deribit.manners import Manners


@dataclass(eq=False, slots=True)
class Counter:
    """One of a venue's. `keeps_orders` is asked when a line breaks: True leaves the orders it
    should take along."""

    gatekeeper: Gatekeeper
    keeps_orders: Callable[[], bool]
    manners: Manners
    strangers: Credits
    """Who has not signed in: they all call from one address."""

    @property
    def account(self) -> str:
        """The account behind its key pair."""
        return self.gatekeeper.account
