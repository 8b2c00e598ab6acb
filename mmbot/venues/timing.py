"""How patient a venue's client is with its links, in seconds of its clock."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """When a link is given up, and when it is dialed again."""

    probe_timeout_s: float = 1.5
    """A link on which neither the answer nor anything else comes for that long is dead: it is cut,
    so that nothing more is trusted to it. With the time between probes that is within 3 s."""
    backoff_max_s: float = 1.5
    """The longest wait before dialing again for the line's sake. With half a second for dialing and
    signing in, a line that is well again is up within 2 s."""


USUAL = Timing()
