"""How far a venue's refusal reaches, and therefore what it may stop: never more than that."""

from enum import Enum


class ErrorScope(Enum):
    """From the narrowest to the widest."""

    REQUEST = "request"
    """This one request, at this moment; the same one may pass right after."""
    ORDER = "order"
    """This order as it is: gone, or not as the venue will have it."""
    SIDE = "side"
    """More risk on this side: no funds, or a limit of the venue's. The other side is well."""
    INSTRUMENT = "instrument"
    """Trading in this instrument, until it opens."""
    PLATFORM = "platform"
    """Trading in a currency or on the whole venue, for a while."""
    SESSION = "session"
    """The connection: it is not signed in any more."""
    ACCOUNT = "account"
    """The account: blocked, or not permitted to trade."""
    US = "us"
    """Our request was wrong; sending it again is wrong again."""
