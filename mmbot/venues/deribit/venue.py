"""Deribit for the engine, over real sockets: what anybody may see, and one account."""

from mmbot.clock import Clock
from mmbot.venues.account_venue import AccountVenue
from mmbot.venues.deribit.client import Deribit
from mmbot.venues.deribit.public import PublicSession
from mmbot.venues.deribit.session import DeribitSession
from mmbot.venues.market import SocketMarket


class DeribitMarket(SocketMarket):
    """One Deribit, looked at. `client` may have no key, and is ours to close."""

    def __init__(self, name: str, client: Deribit, clock: Clock) -> None:
        session = PublicSession(name, clock.now_ns(), client.timing)
        super().__init__("deribit", client, clock, session)


class DeribitVenue(AccountVenue):
    """One Deribit account. `name` is ours for it; `client` has the keys, and is ours to close."""

    asks_for_account = "get_account_summaries"

    def __init__(self, name: str, client: Deribit, clock: Clock) -> None:
        keys = (client.apiKey, client.secret)
        session = DeribitSession(name, keys, clock.now_ns(), client.timing)
        super().__init__("deribit", client, clock, session)
