"""Run drawn seeds by hand: `python -m tests.simulation FIRST [COUNT] [mild|harsh|none]`, and after
that how orders live at the venue: `[same_id|replace|none] [label|none] [final|late] [SECONDS]`, the
last of which is how long: they expire. In place of all that, `derive`: the venue is that one."""

import sys
import time
from dataclasses import replace

from mmbot.core.capabilities import Capabilities, DeadMan, Move
from mmbot.core.types import SECOND
from mmbot.sim.models.faults import Harshness
from tests.simulation.drawn import drawn_on_derive, drawn_world


def main() -> None:
    """Print a line a seed, and what did not hold."""
    first = int(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    harshness = Harshness(sys.argv[3]) if len(sys.argv) > 3 else Harshness.HARSH
    on_derive = sys.argv[4:] == ["derive"]
    move = Move[sys.argv[4].upper()] if len(sys.argv) > 4 and not on_derive else Move.SAME_ID
    can = Capabilities(
        move=move,
        label_echoed=sys.argv[5:6] != ["none"],
        fills_final=sys.argv[6:7] != ["late"],
    )
    if len(sys.argv) > 7:
        life_ns = int(float(sys.argv[7]) * SECOND)
        can = replace(can, dead_man=DeadMan.ORDER_EXPIRY, orders_expire_ns=life_ns)
    began_s, turns, failed = time.process_time(), 0, 0
    for seed in range(first, first + count):
        world = drawn_on_derive(seed, harshness) if on_derive else None
        found = (world or drawn_world(seed, harshness, can=can)).run()
        turns += found.turns
        print(
            f"{seed:6} {found.turns:5} turns {found.seconds:5.1f} s {found.fills:3} fills "
            f"{found.crashes} crashes {found.tripped or '-':20} settled {found.settled_s:5.1f} s "
            f"{found.hash[:8]}",
            flush=True,
        )
        if found.violation is not None:
            failed += 1
            print(f"       {found.violation.check}: {found.violation.detail}")
            print(f"       turn {found.violation.turn}: {found.violation.event[:600]}")
    cpu_s = time.process_time() - began_s
    print(f"{failed} of {count} failed; {cpu_s / count:.2f} s a seed, {turns / cpu_s:.0f} turns/s")


main()
