"""A simulated venue whose rules say that orders end by themselves."""

from dataclasses import replace

from tests.wire.test_sim_deribit import Stepped
from tests.wire.venue import OPTION

LIVES_S = 20.0


class Expiring(Stepped):
    """Stepped, with orders that live so long."""

    def __init__(self, lives_s: float | None) -> None:
        super().__init__()
        self.venue.rules = replace(self.venue.rules, orders_expire_s=lives_s)
        self.began_ms = self.now_ms
        self.login()

    def bid(self, price: float, **more: object) -> str:
        terms = {"instrument_name": OPTION, "amount": 1, "price": price} | more
        order_id: str = self.ask("private/buy", **terms)["order"]["order_id"]
        return order_id

    def open_at(self, seconds: float) -> list[str]:
        """What rests so long after the beginning."""
        self.pass_s(self.began_ms / 1_000 + seconds - self.now_ms / 1_000)
        return [order["order_id"] for order in self.ask("private/get_open_orders")]


def test_an_order_ends_by_itself_so_long_after_its_last_move() -> None:
    venue = Expiring(LIVES_S)
    stays, moved = venue.bid(0.01), venue.bid(0.0105)
    later = venue.bid(0.011, valid_until=venue.now_ms + 4_000)
    assert venue.open_at(19.9) == [stays, moved, later]
    venue.ask("private/edit", order_id=moved, amount=1, price=0.0105)
    assert venue.open_at(20.1) == [moved, later]
    state = venue.ask("private/get_order_state", order_id=stays)
    assert (state["order_state"], state["cancel_reason"]) == ("cancelled", "expired")
    assert venue.open_at(23.9) == [moved, later], "counted from when its request was valid"
    assert venue.open_at(24.1) == [moved]
    assert venue.open_at(39.8) == [moved]
    assert venue.open_at(40.0) == []


def test_deribits_own_orders_stay() -> None:
    venue = Expiring(None)
    order_id = venue.bid(0.01)
    assert venue.open_at(500.0) == [order_id]
