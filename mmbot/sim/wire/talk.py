"""What is said on one connection, as a protocol said it; other manners say it in another way."""

from __future__ import annotations

from collections.abc import Iterable

from mmbot.sim.wire.frame import Frame


class Talk:
    """One connection's frames, as they are."""

    def frames(self, frame: Frame, _about: str | None) -> Iterable[Frame]:
        """What is sent in place of a frame.

        The second argument is the method it answers, or its channel; other manners go by it.
        """
        return (frame,)
