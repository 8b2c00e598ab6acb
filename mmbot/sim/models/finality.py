"""When the fills of a simulated venue stand."""

from enum import Enum


class Finality(Enum):
    """Whether a fill, once told, is sure to stand."""

    FINAL = "final"
    LATE = "late"
    """It is provisional for some seconds, and then confirmed or voided."""
