"""Both links to Derive: one logged in, with the orders, and one that anybody may have.

See `venues/connection.py`. The end of the first takes every order of the wallet along.
"""

from mmbot.core.events import Link
from mmbot.core.types import Nanos
from mmbot.venues import connection
from mmbot.venues.derive.dialect import DERIVE, Pool
from mmbot.venues.derive.frames import Frames
from mmbot.venues.derive.limits import READS, Limits
from mmbot.venues.derive.pings import Pings
from mmbot.venues.derive.signin import SignIn
from mmbot.venues.derive.signing import Signer
from mmbot.venues.recipe import Recipe
from mmbot.venues.requests import Done
from mmbot.venues.timing import Timing


class Connection(connection.Connection):
    """`name` is ours for the venue; without a `signer` nothing private is asked. `arms`: whether
    cancel-on-disconnect is switched on."""

    def __init__(
        self,
        name: str,
        signer: Signer | None,
        timing: Timing,
        start_ns: Nanos,
        *,
        arms: bool = True,
    ) -> None:
        super().__init__(DERIVE, timing, start_ns)
        self._pings = Pings(self._calls)
        self._entry = SignIn(self._calls, self._pings, signer, arms=arms)
        self._hear(Frames(name, self._calls, self._entry, self._pings, self, timing))

    @property
    def signer(self) -> Signer | None:
        """What is signed with."""
        return self._entry.signer

    @property
    def cod_enabled(self) -> bool:
        """Whether the venue has confirmed that the end of TRADING cancels the wallet's orders."""
        return self._entry.cod_enabled

    @property
    def limits(self) -> Limits:
        """The account's limits as last read; the least before that."""
        return self._entry.limits

    def reads_left(self) -> dict[str, float]:
        """What is left of the limits beside orders, by the names of their gates."""
        left = self._calls.pools.left(self.now_s)
        return {READS: left[Pool.PRIVATE]}

    def read_public_limits(self) -> Recipe[None]:
        """Ask over REST what anybody may ask from here."""
        yield from self._entry.read_public_limits()

    def read_limits(self) -> Recipe[None]:
        """Ask for the limits again, on a link that is up. Raises NoAnswer."""
        yield from self._entry.read_limits(self.links[Link.TRADING])

    def ping(self, link: Link, done: Done, timeout_s: float) -> None:
        """A round trip that costs nothing; `done` is told the end of it, later."""
        self._pings.ask(self.links[link], done, timeout_s)
