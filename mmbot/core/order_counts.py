"""What became of our requests, counted."""

from dataclasses import dataclass


@dataclass(slots=True)
class OrderCounts:
    """What became of our requests, for people."""

    placed: int = 0
    amended: int = 0
    cancelled: int = 0
    rejected: int = 0

    def __add__(self, other: "OrderCounts") -> "OrderCounts":
        return OrderCounts(
            self.placed + other.placed,
            self.amended + other.amended,
            self.cancelled + other.cancelled,
            self.rejected + other.rejected,
        )
