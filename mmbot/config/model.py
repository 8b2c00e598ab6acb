"""What a configuration consists of: settings, chosen plug-ins, and where each was given."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated

from annotated_types import Ge, Le, doc

from mmbot.plugins.registry import Family, build
from mmbot.plugins.settings import settings_class

SIM_SEED = 1
SIM_START = datetime(2025, 6, 2, 12, tzinfo=UTC)


class Mode(Enum):
    """Where the quoting goes. Real money needs an explicit choice; SIM needs nothing."""

    SIM = "sim"
    PAPER = "paper"
    TESTNET = "testnet"
    LIVE = "live"


@settings_class
@dataclass(frozen=True, slots=True)
class DeskSettings:
    """What is quoted, where, and for how long."""

    mode: Annotated[Mode, doc("where the quoting goes")] = Mode.SIM
    venue: Annotated[str, doc("the exchange")] = "deribit"
    underlying: Annotated[
        str, doc("what the options are on, as their names begin: ETH; ETH_USDC for those in USDC")
    ] = "ETH"
    expiry: Annotated[date | None, doc("expiry of the options")] = None
    strikes: Annotated[tuple[Decimal, ...], doc("strikes; the call and the put of each")] = ()
    all_strikes: Annotated[bool, doc("every strike listed for the expiry")] = False
    symbols: Annotated[tuple[str, ...], doc("instruments by the venue's own names")] = ()
    refresh_s: Annotated[
        float, Ge(0.1), Le(3600), doc("longest time between two looks at a market")
    ] = 1.0
    duration_s: Annotated[float | None, Ge(0.1), doc("stop by itself after this time")] = None
    stop_file: Annotated[
        str | None,
        doc(
            "a file that trips the kill switch when it appears; MODE.stop in $MMBOT_HOME otherwise"
        ),
    ] = None


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

    def build(self) -> object:
        """The plug-in itself. Raises ConfigError."""
        return build(self.family, self.name, self.table, self.where)

    def where(self, key: str) -> str:
        """Where a setting was given; for a default, where the plug-in was chosen."""
        return self.origins.get(key, self.origins[""])


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Everything a run needs to know before it starts, checked."""

    desk: DeskSettings
    sim: SimSettings
    store: StoreSettings
    tape: TapeSettings
    selector: PluginTable | None
    """None: the keys of `desk` say what is traded."""
    strategy: PluginTable
    pricer: PluginTable
    signals: tuple[PluginTable, ...]
    hedger: PluginTable | None
    rules: tuple[PluginTable, ...]
    """The defaults and one's own, in the order they are asked."""
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

    def origin(self, key: str) -> str:
        """Where a value was given: a flag, a file and line, or "default"."""
        return self.origins.get(key, "default")

    def explicit(self, key: str) -> bool:
        """Whether a person gave this value."""
        return key in self.origins
