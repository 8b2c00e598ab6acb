"""What a configuration consists of: settings, chosen plug-ins, and where each was given."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Le, doc

from mmbot.plugins.registry import Family, load
from mmbot.plugins.settings import check, settings_class

SIM_SEED = 1
SIM_START = datetime(2025, 6, 2, 12, tzinfo=UTC)


class Mode(Enum):
    """Where the quoting goes. Real money needs an explicit choice; SIM needs nothing."""

    SIM = "sim"
    PAPER = "paper"
    TESTNET = "testnet"
    LIVE = "live"


_Mode = Annotated[Mode, doc("where the quoting goes")]
_Duration = Annotated[float | None, Ge(0.1), doc("stop by itself after this time")]
_StopFile = Annotated[
    str | None,
    doc("a file that trips the kill switch when it appears; MODE.stop in $MMBOT_HOME otherwise"),
]
_Underlying = Annotated[
    str, doc("what the options are on, as their names begin: ETH; ETH_USDC for those in USDC")
]
_Expiry = Annotated[date | None, doc("expiry of the options")]
_Strikes = Annotated[tuple[Decimal, ...], doc("strikes; the call and the put of each")]
_AllStrikes = Annotated[bool, doc("every strike listed for the expiry")]
_Symbols = Annotated[tuple[str, ...], doc("instruments by the venue's own names")]
_Watch = Annotated[
    tuple[str, ...],
    doc(
        "looked at besides: `expiry` (options, future and perpetual of the expiries quoted), "
        "`chain` (all on the coin), `desk` (nothing), or instruments by name"
    ),
]
_Refresh = Annotated[float, Ge(0.1), Le(3600), doc("longest time between two looks at a market")]

DEFAULT_VENUE = "deribit"


@settings_class
@dataclass(frozen=True, slots=True)
class RunSettings:
    """What all desks of a run share: where the quoting goes, and for how long."""

    mode: _Mode = Mode.SIM
    duration_s: _Duration = None
    stop_file: _StopFile = None
    require_dead_man: Annotated[
        bool, doc("no start at a venue that would leave orders open if this engine were gone")
    ] = True


@settings_class
@dataclass(frozen=True, slots=True)
class VenueSettings:
    """An account at an exchange. NAME decides which key pair is read: HEDGE_API_KEY and
    HEDGE_API_SECRET for `[venues.hedge]`."""

    kind: Annotated[str | None, doc("the exchange; NAME itself otherwise")] = None
    url: Annotated[str | None, doc("address of a running `mmbot sim serve` for this venue")] = None
    require_dead_man: Annotated[
        bool | None,
        doc("no start where orders would stay open if this engine were gone; as for the run"),
    ] = None


@settings_class
@dataclass(frozen=True, slots=True)
class MmpSettings:
    """Market-maker protection, where a venue has it, for each coin: more than `amount` or `delta`
    traded within the interval, and the venue cancels our quotes. A limit of 0 is none."""

    interval_ms: Annotated[int, Ge(1000), Le(86_400_000), doc("the interval that is looked at")]
    frozen_ms: Annotated[
        int, Ge(0), Le(86_400_000), doc("so long no quotes are taken then; 0: until it is reset")
    ]
    amount: Annotated[Decimal, Ge(0), doc("in coin, most that may trade")] = Decimal(0)
    delta: Annotated[Decimal, Ge(0), doc("in coin, most delta that may trade")] = Decimal(0)
    auto_reset_s: Annotated[
        float | None, Ge(1), Le(86_400), doc("we reset it after this time; else a person does")
    ] = None


@settings_class
@dataclass(frozen=True, slots=True)
class DeskSettings:
    """What a desk quotes, and on which venue of the file."""

    venue: Annotated[str, doc("NAME of its [venues.NAME]; may be left out where there is one")] = (
        DEFAULT_VENUE
    )
    underlying: _Underlying = "ETH"
    expiry: _Expiry = None
    strikes: _Strikes = ()
    all_strikes: _AllStrikes = False
    symbols: _Symbols = ()
    watch: _Watch = ("expiry",)
    refresh_s: _Refresh = 1.0


@settings_class
@dataclass(frozen=True, slots=True)
class LoneDeskSettings:
    """What is quoted, where, and for how long: one venue and one desk in one table."""

    mode: _Mode = Mode.SIM
    venue: Annotated[str, doc("the exchange")] = DEFAULT_VENUE
    underlying: _Underlying = "ETH"
    expiry: _Expiry = None
    strikes: _Strikes = ()
    all_strikes: _AllStrikes = False
    symbols: _Symbols = ()
    watch: _Watch = ("expiry",)
    refresh_s: _Refresh = 1.0
    duration_s: _Duration = None
    stop_file: _StopFile = None


@settings_class
@dataclass(frozen=True, slots=True)
class SimSettings:
    """The simulated world: one that runs already (`url`), or a seed and a moment for a new one."""

    url: Annotated[str | None, doc("address of a running `mmbot sim serve`")] = None
    seed: Annotated[int, Ge(0), Le(2**63 - 1), doc("one seed, one world")] = SIM_SEED
    at: Annotated[datetime, doc("moment at which the world starts")] = SIM_START


@settings_class
@dataclass(frozen=True, slots=True)
class StoreSettings:
    """The database, where it is not the mode's own file under $MMBOT_HOME."""

    url: Annotated[
        str | None, doc("sqlite:///FILE or postgresql://HOST/NAME; MMBOT_DATABASE_URL wins")
    ] = None


@settings_class
@dataclass(frozen=True, slots=True)
class TapeSettings:
    """The journal of every turn, for looking back and for proving what was decided."""

    on: Annotated[bool, doc("whether turns are recorded")] = True
    directory: Annotated[str | None, doc("where to; tapes/MODE in $MMBOT_HOME otherwise")] = None
    file_mb: Annotated[int, Ge(1), Le(1024), doc("a file that large is ended")] = 16
    total_mb: Annotated[
        int, Ge(1), Le(1_000_000), doc("all tapes of the directory; the oldest make room")
    ] = 256


@dataclass(frozen=True, slots=True)
class PluginTable:
    """A plug-in chosen by name, with the settings that were given for it."""

    family: Family
    name: str
    table: Mapping[str, object]
    origins: Mapping[str, str]
    """Key -> where it was given; "" -> where the plug-in was chosen."""
    path: str
    """The table it stands in: "risk.max_order", or a desk's "desks.perp.risk.max_order"."""

    def build(self) -> object:
        """The plug-in itself. Raises ConfigError."""
        cls = load(self.family, self.name, self.where(""))
        return check(cls, self.table, f"[{self.path}]", self.where)

    def where(self, key: str) -> str:
        """Where a setting was given; for a default, where the plug-in was chosen."""
        return self.origins.get(key, self.origins[""])


@dataclass(frozen=True, slots=True)
class VenueConfig:
    """An account at an exchange, under the name that the file gives it."""

    name: str
    kind: str
    url: str | None
    """Of a simulated venue that runs already."""
    origin: str
    """Where it was named."""
    require_dead_man: bool | None = None
    """None: as the run says."""
    mmp: MmpSettings | None = None


@dataclass(frozen=True, slots=True)
class DeskConfig:
    """A desk: what it quotes, with which strategy, under which rules."""

    name: str
    settings: DeskSettings
    selector: PluginTable | None
    """None: the settings say what is traded."""
    strategy: PluginTable
    pricer: PluginTable
    signals: tuple[PluginTable, ...]
    hedger: PluginTable | None
    rules: tuple[PluginTable, ...]
    """The desk's own, then the account book's, in the order they are asked."""
    path: str
    """The table it stands in: "desk", or "desks.NAME"."""

    def own(self, plugin: PluginTable) -> bool:
        """Whether a plug-in was chosen for this desk alone."""
        return self.path == LONE or plugin.path.startswith(f"{self.path}.")


LONE = "desk"
"""The table, and the name, of a desk that is alone in its file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything a run needs to know before it starts, checked."""

    run: RunSettings
    venues: tuple[VenueConfig, ...]
    desks: tuple[DeskConfig, ...]
    sim: SimSettings
    store: StoreSettings
    tape: TapeSettings
    off: tuple[PluginTable, ...]
    """The rules that the file switches off."""
    guards: tuple[PluginTable, ...]
    sinks: tuple[PluginTable, ...]
    """Where fills go besides the store."""
    plugins: tuple[str, ...]
    plugin_folders: tuple[Path, ...]
    """Where those are looked for besides where Python looks."""
    path: Path | None
    """The file it came from, if any."""
    origins: Mapping[str, str]
    """Dotted key, such as "risk.max_position.limit" -> its place, such as "desk.toml:7"."""

    @property
    def lone(self) -> DeskConfig:
        """The desk of a run that has one."""
        (desk,) = self.desks
        return desk

    @property
    def lone_venue(self) -> VenueConfig:
        """The venue of a run that has one."""
        used = {desk.settings.venue for desk in self.desks}
        (venue,) = (v for v in self.venues if len(self.venues) == 1 or v.name in used)
        return venue

    def venue(self, name: str) -> VenueConfig:
        """The venue of that name."""
        return next(venue for venue in self.venues if venue.name == name)

    def at(self, name: str) -> "Config":
        """The part of the configuration that one venue and its desks have."""
        venue = self.venue(name)
        desks = tuple(desk for desk in self.desks if desk.settings.venue == name)
        sim = replace(self.sim, url=venue.url)
        return replace(self, venues=(venue,), desks=desks, sim=sim)

    def origin(self, key: str) -> str:
        """Where a value was given: a flag, a file and line, or "default"."""
        return self.origins.get(key, "default")

    def explicit(self, key: str) -> bool:
        """Whether a person gave this value."""
        return key in self.origins
