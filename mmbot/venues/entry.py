"""Being let in on a connection, and staying there: what links ask of a venue's own sign-in."""

from typing import Final, Protocol

from mmbot.venues.link import LinkState
from mmbot.venues.recipe import Recipe

LOGIN_DEADLINE_S: Final = 5.0
HELLO_S: Final = 1.5
"""The first request is easy to answer: a connection that leads nowhere is given up soon."""


class Entry(Protocol):
    """One venue's way in."""

    def greet(self, link: LinkState) -> Recipe[None]:
        """The first word on a fresh connection. Raises Trouble."""
        ...

    def enter(self, link: LinkState) -> Recipe[None]:
        """Sign in, and make sure of all that orders need. Raises Trouble."""
        ...

    def renew(self, link: LinkState) -> Recipe[None]:
        """Stay signed in on a link that is up. Raises Trouble."""
        ...

    def prove_alive(self, link: LinkState) -> None:
        """Answer the venue's question, or ask it ours."""
        ...

    def left(self, link: LinkState) -> None:
        """A connection is over, and with it what was so on it alone."""
        ...
