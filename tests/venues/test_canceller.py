"""What a list of open orders says, to whoever knows some of them by their ids alone."""

from mmbot.venues.canceller import Look
from tests.core.bot import a_foreign_order


def test_orders_known_by_their_ids_are_ours_whatever_their_labels_say() -> None:
    ours, known, strange = (a_foreign_order(name, label=None) for name in ("1", "2", "3"))
    look = Look((ours,), (known, strange), unread=1)
    assert look.with_known({"2"}) == Look((ours, known), (strange,), unread=1)
    assert look.with_known(()) == look
