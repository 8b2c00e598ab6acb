"""The configuration of one run: flags over file over defaults, each value knowing where it is from.

A file looks like this; every key has a default, and `--config FILE` loads it:

    plugins = ["my.module"]        # modules that register plug-ins of your own

    [desk]                         # what is quoted, where
    venue = "deribit"
    expiry = 2025-06-06
    strikes = [2800, 2900]

    [strategy.improve_top]         # the strategy and its settings
    improvement = 0.1

    [risk.max_position]            # settings of a rule; those that are not named hold all the same,
    limit = 10                     # and only `off = true` switches one off

    [risk.my_rule]                 # one's own are added

    [guards.session_loss]          # what trips the kill switch; all of them always watch
    limit_usd = 1000

    [sim]                          # the simulated world
    seed = 1

    [store]                        # where runs, orders and fills are kept
    url = "sqlite:////var/lib/mmbot/desk.db"

    [tape]                         # the journal of every turn
    total_mb = 256

Several venues and desks each have a table of their own instead of [desk] and [strategy.*]:

    [run]                          # what all desks share
    duration_s = 3600

    [venues.deribit]               # an account; the name decides which key pair is read
    [venues.hedge]
    kind = "deribit"

    [desks.options]
    venue = "deribit"
    expiry = 2025-06-06
    strikes = [2800, 2900]
    [desks.options.strategy.improve_top]
    [desks.options.risk.max_order] # a rule of this desk; [risk.*] judges the quotes of all desks
    limit = 1

    [desks.perp]
    venue = "hedge"
    symbols = ["ETH-PERPETUAL"]

Flags are put into the same tables before anything is checked, so a flag and a file are refused
for the same reasons in the same words. Secrets are never read from a file of this kind.
"""

from mmbot.config.dates import day, moment
from mmbot.config.file import FILE_MAX_BYTES, toml_of
from mmbot.config.flags import DEFAULT_STRATEGY, KNOWN_FLAGS, Flags, number
from mmbot.config.load import load_config, load_venue, load_venues
from mmbot.config.model import (
    SIM_SEED,
    SIM_START,
    Config,
    DeskConfig,
    DeskSettings,
    LoneDeskSettings,
    MmpSettings,
    Mode,
    PluginTable,
    RunSettings,
    SimSettings,
    StoreSettings,
    TapeSettings,
    VenueConfig,
    VenueSettings,
)
from mmbot.config.rules import DEFAULT_RULES

__all__ = [
    "DEFAULT_RULES",
    "DEFAULT_STRATEGY",
    "FILE_MAX_BYTES",
    "KNOWN_FLAGS",
    "SIM_SEED",
    "SIM_START",
    "Config",
    "DeskConfig",
    "DeskSettings",
    "Flags",
    "LoneDeskSettings",
    "MmpSettings",
    "Mode",
    "PluginTable",
    "RunSettings",
    "SimSettings",
    "StoreSettings",
    "TapeSettings",
    "VenueConfig",
    "VenueSettings",
    "day",
    "load_config",
    "load_venue",
    "load_venues",
    "moment",
    "number",
    "toml_of",
]
