"""The simulator's numbers come from `math` alone, so that a history is one on every machine."""

import subprocess
import sys


def test_the_simulated_venue_loads_no_numpy() -> None:
    program = (
        "import sys, mmbot.sim.market.market, mmbot.sim.wire.server\n"
        "sys.exit('numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
