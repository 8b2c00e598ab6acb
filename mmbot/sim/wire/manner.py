"""How a venue says what it says, in general; what that means in a protocol is the protocol's."""

from enum import Enum


class Manner(Enum):
    """The values are the words of `--manners`."""

    PLAIN = "plain"
    THIN = "thin"
    ODD = "odd"
