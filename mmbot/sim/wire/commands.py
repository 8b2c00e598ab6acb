"""The faults of single messages that a test can command, before or beside what a plan draws."""

from __future__ import annotations

from mmbot.sim.wire.faces import Face
from mmbot.sim.wire.faults import Fate, FaultInjector, Kind, Stage


class Commands:
    """A method is named as on the wire ("private/buy"), over WebSocket and REST alike; a channel by
    its beginning ("user.", "book.ETH-PERPETUAL"). `count`: that many, from the next one on."""

    trouble: FaultInjector
    face: Face

    def lose_request(self, method: str, count: int = 1) -> None:
        """Requests of that method never arrive."""
        self.trouble.command(Stage.REQUEST, "lost_request", method, Fate(Kind.LOST), count)

    def delay_request(self, method: str, seconds: float, count: int = 1) -> None:
        """Requests of that method arrive late, even those whose line has broken meanwhile."""
        fate = Fate(Kind.LATE, seconds=seconds)
        self.trouble.command(Stage.REQUEST, "late_request", method, fate, count)

    def drop_reply(self, method: str, count: int = 1) -> None:
        """Requests of that method are carried out, but not answered."""
        self.trouble.command(Stage.REPLY, "lost_reply", method, Fate(Kind.LOST), count)

    def delay_reply(self, method: str, seconds: float, count: int = 1) -> None:
        """Requests of that method are carried out at once and answered late."""
        fate = Fate(Kind.LATE, seconds=seconds)
        self.trouble.command(Stage.REPLY, "late_reply", method, fate, count)

    def cut_on(self, method: str, *, before: bool, count: int = 1) -> None:
        """A request of that method breaks its connection, before or after it is carried out."""
        fate = Fate(Kind.CUT_BEFORE if before else Kind.CUT_AFTER)
        self.trouble.command(Stage.REQUEST, "cut_mid_order", method, fate, count)

    def answer(self, method: str, code: int, count: int = 1, *, carried_out: bool = False) -> None:
        """Requests of that method are answered with that error, `carried_out` or not; where being
        told of too many ends sessions, it does."""
        limited = code == self.face.dialect.too_many_requests
        fault = "rate_limited" if limited else "refused"
        kind = Kind.ERROR_AFTER if carried_out else Kind.ERROR
        self.trouble.command(Stage.REQUEST, fault, method, Fate(kind, code=code), count)

    def answer_http(
        self, method: str, status: int, count: int = 1, *, carried_out: bool = False
    ) -> None:
        """REST requests of that method get that HTTP status, `carried_out` or not."""
        fate = Fate(Kind.STATUS_AFTER if carried_out else Kind.STATUS, code=status)
        fault = "http_429" if status == 429 else "http_5xx"
        self.trouble.command(Stage.REQUEST, fault, method, fate, count)

    def lose_push(self, channel: str, count: int = 1) -> None:
        """Messages of that channel are not sent."""
        self._on_push("lost_push", channel, Fate(Kind.LOST), count)

    def delay_push(self, channel: str, seconds: float, count: int = 1) -> None:
        """Messages of that channel are sent late, the ones behind them are not."""
        self._on_push("late_private", channel, Fate(Kind.LATE, seconds=seconds), count)

    def duplicate_push(self, channel: str, count: int = 1) -> None:
        """Messages of that channel are sent twice."""
        self._on_push("duplicate_private", channel, Fate(Kind.TWICE), count)

    def reorder_push(self, channel: str, count: int = 1) -> None:
        """Messages of that channel are sent after the one behind them."""
        self._on_push("reordered_private", channel, Fate(Kind.BEHIND), count)

    def skip_book_change(self, name: str, count: int = 1) -> None:
        """Changes of that instrument's books are not sent: the ones behind them leave a gap."""
        self._on_push("book_gap", f"{self.face.dialect.books}{name}.", Fate(Kind.LOST), count)

    def garble(self, count: int = 1, about: str = "") -> None:
        """Replies and messages (of methods and channels that begin so) come as something that
        means nothing: words, half of the message, bytes, in turn."""
        for number in range(count):
            fate = Fate(Kind.GARBLED, share=number % 3 / 3)
            self.trouble.command(Stage.OUT, "garbage", about, fate, 1, whole_word=False)

    def _on_push(self, fault: str, channel: str, fate: Fate, count: int) -> None:
        self.trouble.command(Stage.PUSH, fault, channel, fate, count, whole_word=False)
