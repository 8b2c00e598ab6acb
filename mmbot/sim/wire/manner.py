"""How a venue says what it says, in general; what that means in a protocol is the protocol's."""

from enum import Enum
from random import Random


class Manner(Enum):
    """The values are the words of `--manners`."""

    PLAIN = "plain"
    THIN = "thin"
    ODD = "odd"

    @staticmethod
    def drawn(seed: int) -> "Manner":
        """The manner of a seed: in half of them plain."""
        draw = Random(f"manner {seed}").random()
        return Manner.PLAIN if draw < 0.5 else Manner.THIN if draw < 0.75 else Manner.ODD
