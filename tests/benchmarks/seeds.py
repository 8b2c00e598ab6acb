"""What a simulated history costs: the CPU time of `mmbot simulate --faults harsh`, seed by seed.

The command itself is run, so that any commit can be asked; it is in a process that has imported
everything, so that what is measured is the history and not the start.
"""

import io
import sys
import time
from contextlib import redirect_stdout

CONFIG = "configs/deribit-eth-options.toml"


def seed_cpu_ns(seed: int) -> int:
    """CPU time (ns) of one seed. Raises RuntimeError if the command did not end well."""
    from mmbot.__main__ import main

    how = ["--faults", "harsh", "--seeds", "1", "--from", str(seed), "--json"]
    sys.argv = ["mmbot", "simulate", CONFIG, *how]
    code: int | str | None = 0
    began_ns = time.process_time_ns()
    try:
        with redirect_stdout(io.StringIO()):
            main()
    except SystemExit as left:
        code = left.code
    if code:
        raise RuntimeError(f"mmbot simulate ended with exit code {code} in seed {seed}")
    return time.process_time_ns() - began_ns
