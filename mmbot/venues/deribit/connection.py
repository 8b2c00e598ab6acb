"""Both links to Deribit, signed in (`venues/connection.py`).

Beside the rules of every connection: too many requests (10028) is a disconnect. The venue ends the
session, so we do, and we wait before coming back. A private request that is refused for want of a
session (13009 and its like) is one too: the connection is signed in in name only.
"""

from mmbot.core.types import Nanos
from mmbot.venues import connection
from mmbot.venues.deribit.dialect import DERIBIT
from mmbot.venues.deribit.frames import Frames
from mmbot.venues.deribit.limits import Limits
from mmbot.venues.deribit.pools import Pools
from mmbot.venues.deribit.signin import Keys, SignIn
from mmbot.venues.rates import Bucket
from mmbot.venues.timing import Timing


class Connection(connection.Connection):
    """Both links. `name` is how the venue is called in what is said of it; without `keys` nothing
    private is asked. `cod_enabled` tells whether cancel-on-disconnect is confirmed."""

    def __init__(self, name: str, keys: Keys | None, timing: Timing, start_ns: Nanos) -> None:
        super().__init__(DERIBIT, timing, start_ns)
        self._entry = SignIn(self._calls, keys)
        self._hear(Frames(name, self._calls, self._entry, self, timing))

    @property
    def has_credentials(self) -> bool:
        """Whether private calls are possible at all."""
        return self._entry.keys is not None

    @property
    def keys(self) -> Keys | None:
        """What is signed in with from the next time on."""
        return self._entry.keys

    @keys.setter
    def keys(self, keys: Keys | None) -> None:
        self._entry.keys = keys

    @property
    def interval(self) -> str:
        """The fastest interval that may be subscribed to: raw needs signing in."""
        return "raw" if self.has_credentials else "100ms"

    @property
    def cod_enabled(self) -> bool:
        """Whether the venue has confirmed that it cancels our orders when TRADING breaks."""
        return self._entry.cod_enabled

    @property
    def rate_limits(self) -> Limits:
        """The account's rate limits as read at sign-in; the lowest tier before that."""
        return self._entry.limits or Limits()

    def reads_left(self) -> dict[str, float]:
        """What is left of the limits of requests beside orders, by the names of their gates."""
        pools = self._calls.pools
        assert isinstance(pools, Pools)
        return pools.named(self.now_s)

    @property
    def bucket(self) -> Bucket | None:
        """Of requests to the matching engine made by hand; None before TRADING was ever up."""
        return self._entry.bucket
