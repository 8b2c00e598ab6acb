"""mmbot: a market maker is a function from events to intents.

Four verbs name the zones; arrows point down only (`tests/house` proves it).

asks      cli/          one file a command
          research/     many histories, dry runs, reports and reconciliation from the store
acts      venues/       a plug-in a kind: a venue's client made safe, its frames made events
          engine/       the members of a run, the runner of turns, its supervision, its status,
                        cancel-all
          tape/         the journal of turns: recorded, verified, shown
          store/        labels, orders, fills, the latch and the lease; one writer thread
          ops/          log lines and samples
pretends  sim/exchange/ accounts, books, matching, margin, settlement
          sim/market/   one latent price a coin, makers and takers: it can hurt
          sim/models/   what can go wrong, and rate credits
          sim/wire/     the same behind a venue's real protocol on 127.0.0.1
          sim/virtual/  the same behind a line full of faults, in virtual time
decides   core/         the mind: pure
          pricing/      what an instrument is worth: one pricer a file, and Black-76
          signals/      what is remembered of a market, one signal a file
          strategies/   a view of one market in, quotes out
          risk/         one rule or guard a file
words     config/ plugins/ errors.py clock.py

To read it: core/events.py, core/intents.py, core/turn.py, core/diff.py and
strategies/simple_spread.py; then core/order_life.py and core/state.py; then assemble.py, which puts
everything together; then sim/virtual/world.py, which tries to break it.
"""

__version__ = "0.1.0"
