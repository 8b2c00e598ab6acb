"""A quote under construction: every step on the way to its price is kept as a term."""

from msgspec import Struct

from mmbot.core.types import Quote, Side, Term
from mmbot.core.why import Why


class QuoteBuilder(Struct):
    """One side's price in the making (price units). The terms always add up to the price."""

    side: Side
    price: float
    why: Why
    terms: list[Term] = []
    clamp: Why | None = None
    """The bound that had the last word so far."""

    @staticmethod
    def start(side: Side, name: str, price: float, why: Why) -> "QuoteBuilder":
        """A quote whose first term is `price`, called `name`."""
        return QuoteBuilder(side, price, why, [Term(name, price)])

    def shift(self, name: str, by: float) -> None:
        """Move the price by `by`; a step of nothing leaves no term."""
        if by:
            self.price += by
            self.terms.append(Term(name, by))

    def hold(self, name: str, bound: float, clamp: Why) -> None:
        """Be no more aggressive than `bound`: a bid at most that, an ask at least that."""
        if (self.price - bound) * self.side.sign > 0:
            self.shift(name, bound - self.price)
            self.price = bound
            self.clamp = clamp

    def quote(
        self, *, size: float, fair: float, follow: tuple[float, float], level: int = 0
    ) -> Quote:
        """The finished quote; fields as in `Quote`, `follow` is (requote threshold, danger)."""
        requote_threshold, danger = follow
        return Quote(
            side=self.side,
            price=self.price,
            size=size,
            fair=fair,
            why=self.why,
            level=level,
            requote_threshold=requote_threshold,
            danger=danger,
            terms=tuple(self.terms),
            clamp=self.clamp,
        )
