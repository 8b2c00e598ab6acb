"""The checks of the tables that are no plug-ins: run, venues, desks, sim, store, tape."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from urllib.parse import urlsplit

from mmbot.config.dates import day, moment
from mmbot.config.file import PLUGINS_OF_A_DESK, Scope, Written
from mmbot.config.flags import RUN_KEYS, number
from mmbot.config.model import (
    LONE,
    DeskSettings,
    LoneDeskSettings,
    MmpSettings,
    Mode,
    RunSettings,
    SimSettings,
    StoreSettings,
    TapeSettings,
    VenueConfig,
    VenueSettings,
)
from mmbot.config.watch import watch_names
from mmbot.errors import ConfigError
from mmbot.plugins.registry import Family, names
from mmbot.plugins.settings import check, manual, unknown

STRIKE_MAX = Decimal(10**9)

_NAME = re.compile(r"[A-Za-z0-9_-]+")


# The desks and the venues -------------------------------------------------------------------------


def scopes_of(written: Written) -> tuple[Scope, ...]:
    """The desks that a file has tables of; a lone one where it has none. Raises ConfigError."""
    desks, origins = written.tables["desks"], written.origins
    for name in (*desks, *written.tables["venues"]):
        family = "desks" if name in desks else "venues"
        if not _NAME.fullmatch(name):
            raise ConfigError(
                f"{origins.get(f'{family}.{name}', family)}: {name!r} is no name of "
                f"{'a desk' if family == 'desks' else 'a venue'}: letters, digits, - and _ make one"
            )
    if not desks:
        return (Scope(LONE, LONE),)
    for table, instead in (
        ("desk", "desks.NAME"),
        ("strategy", "desks.NAME.strategy.NAME"),
        ("pricer", "desks.NAME.pricer.NAME"),
        ("signal", "desks.NAME.signal.NAME"),
        ("selector", "desks.NAME.selector.NAME"),
        ("hedge", "desks.NAME.hedge.NAME"),
    ):
        if table in origins:
            raise ConfigError(
                f"{origins[table]}: [{table}] is for a desk that is alone, and [desks.*] is there "
                f"({origins['desks']}): write [{instead}]"
            )
    for name in desks:
        _check_shape(written, f"desks.{name}")
    return tuple(Scope(name, f"desks.{name}") for name in desks)


def _check_shape(written: Written, path: str) -> None:
    """The tables within [desks.NAME] are those a desk has, and the keys no other table's."""
    table, origins = written.table(path), written.origins
    for key in table:
        where = origins[f"{path}.{key}"]
        if key == "guards":
            raise ConfigError(
                f"{where}: [{path}] guards: guards watch the account, not a desk: write "
                "[guards.NAME]"
            )
        if key in RUN_KEYS:
            raise ConfigError(
                f"{where}: [{path}] {key} is the same for all desks: write it into [run]"
            )
    for family in PLUGINS_OF_A_DESK:
        plugins = table.setdefault(family, {})
        if not isinstance(plugins, dict):
            raise ConfigError(
                f"{origins[f'{path}.{family}']}: expected a table such as [{path}.{family}.NAME]"
            )
        for name, inner in plugins.items():
            if not isinstance(inner, dict):
                raise ConfigError(
                    f"{origins[f'{path}.{family}.{name}']}: expected a table such as "
                    f"[{path}.{family}.NAME]"
                )


def venue_configs(
    written: Written, desks: Mapping[Scope, DeskSettings], mode: Mode, sim: SimSettings
) -> tuple[VenueConfig, ...]:
    """The venues of the file, or else those that desks name by their kind. Raises ConfigError."""
    declared = [_venue(written, name) for name in written.tables["venues"]]
    if not declared:
        used = {desk.venue: written.where(scope.path)("venue") for scope, desk in desks.items()}
        declared = [VenueConfig(name, name, None, origin) for name, origin in used.items()]
    if sim.url is not None:
        where = written.where("sim")("url")
        if len(declared) > 1:
            raise ConfigError(
                f"{where}: one address, and the venues are {', '.join(v.name for v in declared)}: "
                "give each its own, [venues.NAME] url"
            )
        if declared[0].url is not None and not where.startswith("--"):
            raise ConfigError(
                f"{where} and {written.where(f'venues.{declared[0].name}')('url')} contradict "
                "each other: give one"
            )
        declared = [replace(declared[0], url=sim.url)]
    if mode is Mode.SIM:
        _check_addresses(written, declared)
    return tuple(declared)


def _venue(written: Written, name: str) -> VenueConfig:
    path = f"venues.{name}"
    where = written.where(path)
    table = dict(written.table(path))
    mmp = _mmp(written, f"{path}.mmp", table.pop("mmp", None))
    settings = check(VenueSettings, table, f"[{path}]", where)
    kinds = names(Family.VENUE)
    if settings.kind is None and name not in kinds:
        raise ConfigError(
            f"{where('')}: [{path}] needs a kind, since {name} is no exchange: add kind = one of "
            f"{', '.join(kinds)}"
        )
    if settings.kind is not None and settings.kind not in kinds:
        raise ConfigError(
            f"{where('kind')}: [{path}] kind: {unknown('exchange', settings.kind, kinds)}"
        )
    if settings.url is not None:
        _check_loopback(settings.url, _place(path, "url", where))
    kind, required = settings.kind or name, settings.require_dead_man
    return VenueConfig(name, kind, settings.url, where(""), required, mmp)


def _mmp(written: Written, path: str, table: object) -> MmpSettings | None:
    where = written.where(path)
    if table is None:
        return None
    if not isinstance(table, dict):
        raise ConfigError(f"{where('')}: expected a table [{path}]")
    settings = check(MmpSettings, table, f"[{path}]", where)
    if not settings.amount and not settings.delta:
        raise ConfigError(f"{where('')}: [{path}] limits nothing: give it an amount or a delta")
    return settings


def _check_addresses(written: Written, venues: Sequence[VenueConfig]) -> None:
    """Two venues at one address would be one account."""
    at: dict[tuple[str, int | None], str] = {}
    for venue in venues:
        if venue.url is None:
            continue
        parts = urlsplit(venue.url)
        address = ("127.0.0.1", parts.port)
        if address in at:
            raise ConfigError(
                f"{written.where(f'venues.{venue.name}')('url')}: [venues.{venue.name}] url: "
                f"[venues.{at[address]}] is at that address already, and two venues are two "
                "accounts: give each a world of its own"
            )
        at[address] = venue.name


# What is quoted -----------------------------------------------------------------------------------


def lone_settings(written: Written) -> tuple[RunSettings, DeskSettings]:
    """The settings of the run and of its one desk, from [desk] and [run]. Raises ConfigError."""
    table, where = _selection(written, LONE)
    both = check(LoneDeskSettings, table, "[desk]", where)
    written_run = written.tables["run"]
    run = check(RunSettings, written_run, "[run]", written.where("run"))
    run = replace(run, **{key: getattr(both, key) for key in RUN_KEYS if key not in written_run})
    for key in RUN_KEYS:
        one, other = ("desk", "run") if key not in written_run else ("run", "desk")
        if f"{one}.{key}" in written.origins:
            written.origins[f"{other}.{key}"] = written.origins[f"{one}.{key}"]
    of_desk = [setting.name for setting in manual(DeskSettings)]
    desk = DeskSettings(**{key: getattr(both, key) for key in of_desk})
    desk = replace(desk, venue=_venue_of(written, LONE, desk))
    _refuse_paper(written, run)
    _check_selection(table, where, desk, _selector(written, LONE))
    return run, desk


def run_settings(written: Written) -> RunSettings:
    """The settings of a run with several desks. Raises ConfigError."""
    run = check(RunSettings, written.tables["run"], "[run]", written.where("run"))
    _refuse_paper(written, run)
    return run


def desk_settings(written: Written, path: str) -> DeskSettings:
    """The settings of one desk among several. Raises ConfigError."""
    table, where = _selection(written, path)
    desk = check(DeskSettings, table, f"[{path}]", where)
    desk = replace(desk, venue=_venue_of(written, path, desk))
    _check_selection(table, where, desk, _selector(written, path), path)
    return desk


def refuse_twice(written: Written) -> None:
    """A setting of the run stands in [run] or in a lone [desk]. Raises ConfigError."""
    for key in RUN_KEYS:
        if key in written.tables["run"] and key in written.tables["desk"]:
            raise ConfigError(
                f"{written.origins[f'run.{key}']} and {written.origins[f'desk.{key}']} "
                f"both give {key}: keep one"
            )


def _refuse_paper(written: Written, run: RunSettings) -> None:
    if run.mode is Mode.PAPER:
        raise ConfigError(
            f"{written.origins['run.mode']}: mode paper is not available in this version; "
            "leave it out to trade on the simulated venue"
        )


def _selection(written: Written, path: str) -> tuple[dict[str, object], Callable[[str], str]]:
    """A desk's own keys, dates and numbers read as people write them."""
    where = written.where(path)
    table = {
        k: v for k, v in written.table(path).items() if k not in PLUGINS_OF_A_DESK or path == LONE
    }
    if "expiry" in table:
        table["expiry"] = day(table["expiry"], _place(path, "expiry", where))
    if "strikes" in table:
        table["strikes"] = _strikes(table["strikes"], _place(path, "strikes", where))
    if "watch" in table:
        table["watch"] = watch_names(table["watch"], _place(path, "watch", where))
    if isinstance(table.get("underlying"), str):
        table["underlying"] = str(table["underlying"]).upper()
    return table, where


def _venue_of(written: Written, path: str, desk: DeskSettings) -> str:
    """The name of a desk's venue: the one it gives, or the file's only one. Raises ConfigError."""
    declared, where = written.tables["venues"], written.where(path)("venue")
    given = f"{path}.venue" in written.origins
    if not given and len(declared) > 1:
        where = written.origins.get(path, "--exchange")
        raise ConfigError(f"{where}: [{path}] needs a venue, one of {', '.join(declared)}")
    if not given and declared:
        (name,) = declared
        written.origins[f"{path}.venue"] = written.origins[f"venues.{name}"]
        return name
    if declared and desk.venue not in declared:
        raise ConfigError(f"{where}: {unknown('venue', desk.venue, declared)}")
    kinds = names(Family.VENUE)
    if not declared and desk.venue not in kinds:
        hint = "" if path == LONE else f"; another name needs a table [venues.{desk.venue}]"
        raise ConfigError(f"{where}: {unknown('exchange', desk.venue, kinds)}{hint}")
    return desk.venue


def _selector(written: Written, path: str) -> str | None:
    """Where a desk names a selector; None where its own keys say what is traded."""
    table = "selector" if path == LONE else f"{path}.selector"
    return next((written.origins[f"{table}.{name}"] for name in written.table(table)), None)


def _check_selection(
    table: Mapping[str, object],
    where: Callable[[str], str],
    desk: DeskSettings,
    selector: str | None,
    path: str = LONE,
) -> None:
    """Contradictions, in the order they are told. `selector`: where the desk names one."""
    if desk.strikes and desk.all_strikes:
        raise ConfigError(
            f"{where('strikes')} and {where('all_strikes')} contradict each other: give one"
        )
    if (desk.strikes or desk.all_strikes) and desk.expiry is None:
        given = where("strikes" if desk.strikes else "all_strikes")
        raise ConfigError(f"{given}: needs an expiry: add --expiry YYYYMMDD")
    if desk.expiry is not None and not (desk.strikes or desk.all_strikes):
        raise ConfigError(
            f"{where('expiry')}: needs strikes: add --strikes 2800,2900 or --all-strikes"
        )
    if "symbols" in table and not desk.symbols:
        raise ConfigError(
            f"{where('symbols')}: no symbol given: write them like BTC-PERPETUAL,ETH-PERPETUAL"
        )
    if selector is not None:
        for key in ("underlying", "expiry", "symbols"):
            if key in table:
                raise ConfigError(
                    f"{where(key)} and {selector} contradict each other: a selector says what is "
                    "traded; give one"
                )
    elif not desk.symbols and desk.expiry is None:
        here = "" if path == LONE else f"{where('')}: [{path}]: "
        raise ConfigError(
            f"{here}nothing to quote: give --expiry YYYYMMDD with --strikes or --all-strikes, or "
            "--symbols"
        )


def refuse_shared_symbols(written: Written, desks: Mapping[Scope, DeskSettings]) -> None:
    """An instrument of a venue has one desk, as far as names tell. Raises ConfigError."""
    taken: dict[tuple[str, str], Scope] = {}
    for scope, desk in desks.items():
        for symbol in desk.symbols:
            other = taken.setdefault((desk.venue, symbol.upper()), scope)
            if other is not scope:
                raise ConfigError(
                    f"{written.where(scope.path)('symbols')}: desk {scope.name} quotes {symbol} on "
                    f"{desk.venue}, and so does desk {other.name} "
                    f"({written.where(other.path)('symbols')}): an instrument has one desk"
                )


def _place(table: str, key: str, where: Callable[[str], str]) -> str:
    """Where a value was given and, where that is not a flag of the same name, which it is."""
    given = where(key)
    return given if given.startswith("--") else f"{given}: [{table}] {key}"


def _strikes(value: object, where: str) -> tuple[Decimal, ...]:
    parts = value if isinstance(value, list) else [value]
    strikes = []
    for part in parts:
        strike = number(part) if isinstance(part, str) else part
        if isinstance(strike, int) and not isinstance(strike, bool):
            strike = Decimal(strike)
        if not isinstance(strike, Decimal) or not strike.is_finite() or not 0 < strike < STRIKE_MAX:
            raise ConfigError(
                f"{where}: strike {str(part)[:40]!r} is not a number greater than 0: "
                "write them like 2800,2900"
            )
        strikes.append(strike)
    if not strikes:
        raise ConfigError(f"{where}: no strike given: write them like 2800,2900")
    return tuple(dict.fromkeys(strikes))


# The rest of the run ------------------------------------------------------------------------------


def sim_settings(written: Written) -> SimSettings:
    """The simulated world. Raises ConfigError."""
    table, where = written.tables["sim"], written.where("sim")
    if "at" in table:
        table["at"] = moment(table["at"], _place("sim", "at", where))
    if "url" in table:
        _refuse_seed_and_date(written, where("url"))
    sim = check(SimSettings, table, "[sim]", where)
    if sim.url is not None:
        _check_loopback(sim.url, _place("sim", "url", where))
    return sim


def _refuse_seed_and_date(written: Written, running: str) -> None:
    """A world that runs has them already. `running`: where its address was given."""
    for key in ("seed", "at"):
        if key in written.tables["sim"]:
            raise ConfigError(
                f"{written.where('sim')(key)}: the world at {running} runs already with a seed and "
                f"a date of its own: drop {key}"
            )


def at_running(written: Written, sim: SimSettings, venues: Sequence[VenueConfig]) -> SimSettings:
    """The simulated world where every venue runs already. Raises ConfigError."""
    if sim.url is not None or any(venue.url is None for venue in venues):
        return sim
    running = written.where(f"venues.{venues[0].name}")("url")
    _refuse_seed_and_date(written, running)
    if len(venues) > 1:
        return sim
    written.origins["sim.url"] = running
    return replace(sim, url=venues[0].url)


_HAS_PASSWORD = re.compile(r"//[^/@]*:[^/@]*@|[?&]password=")


def refuse_sim_flags(written: Written, mode: Mode) -> None:
    """A file may hold the settings of several modes; a flag says what is wanted now."""
    for key in ("url", "seed", "at"):
        given = written.origins.get(f"sim.{key}", "")
        if given.startswith("--"):
            raise ConfigError(
                f"{given} is for the simulated venue, but {written.origins['run.mode']} says "
                f"{mode.value}: drop one of them"
            )


def store_settings(written: Written) -> StoreSettings:
    """The database. Raises ConfigError."""
    where = written.where("store")
    store = check(StoreSettings, written.tables["store"], "[store]", where)
    if store.url is not None and _HAS_PASSWORD.search(store.url):
        raise ConfigError(
            f"{where('url')}: [store] url has a password in it; passwords are read from the "
            "environment only: set MMBOT_DATABASE_URL instead"
        )
    return store


def tape_settings(written: Written) -> TapeSettings:
    """The journal. Raises ConfigError."""
    where = written.where("tape")
    tape = check(TapeSettings, written.tables["tape"], "[tape]", where)
    if tape.total_mb < tape.file_mb:
        key = "total_mb" if "tape.total_mb" in written.origins else "file_mb"
        raise ConfigError(
            f"{where(key)}: [tape] total_mb = {tape.total_mb} has no room for one file of file_mb "
            f"= {tape.file_mb}: raise the first or lower the second"
        )
    return tape


def _check_loopback(url: str, where: str) -> None:
    """The simulator is spoken to on this machine only; a real venue must not slip in here."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme == "http" and parts.port is not None
    except ValueError:
        fits = False
    if not fits or parts.hostname not in ("127.0.0.1", "localhost"):
        raise ConfigError(
            f"{where}: {url!r} is not the address of a simulator on this machine: "
            "write it like http://127.0.0.1:8800"
        )
