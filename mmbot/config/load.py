"""The configuration of one run from its flags and its file: put together, then checked."""

from pathlib import Path

from mmbot.config.file import Scope, Written, plugin_modules, read_desk
from mmbot.config.flags import KNOWN_FLAGS, Flags, choose_strategy, desk_of_flags, put_flags
from mmbot.config.model import Config, DeskConfig, DeskSettings, Mode, RunSettings
from mmbot.config.rules import (
    check_plugins,
    hedger_of,
    inherit,
    inherit_position,
    plugin,
    pricer_of,
    refuse_flags_of,
    rules_of,
    selector_of,
    signals_of,
    strategy_of,
    with_defaults,
)
from mmbot.config.tables import (
    at_running,
    desk_settings,
    lone_settings,
    refuse_shared_symbols,
    refuse_sim_flags,
    refuse_twice,
    run_settings,
    scopes_of,
    sim_settings,
    store_settings,
    tape_settings,
    venue_configs,
)
from mmbot.errors import ConfigError
from mmbot.plugins.registry import Family, load_plugins
from mmbot.plugins.settings import unknown


def load_config(flags: Flags, path: Path | None = None) -> Config:
    """Build the configuration from the flags given and a file. Raises ConfigError."""
    return _built(read_desk(path) if path else Written({}, {}), flags, path)


def load_venue(flags: Flags, path: Path | None = None) -> Config:
    """The configuration of a command that asks one venue: of a file with several desks,
    `--exchange` says on which of its venues. Raises ConfigError."""
    configs = load_venues(flags, path)
    if len(configs) > 1:
        names = ", ".join(config.lone_venue.name for config in configs)
        raise ConfigError(f"{path}: there are several venues: add --exchange NAME, one of {names}")
    return configs[0]


def load_venues(flags: Flags, path: Path | None = None) -> list[Config]:
    """The same for a command that asks every venue of a file, or the one of `--exchange`: a
    configuration each. Raises ConfigError."""
    written = read_desk(path) if path else Written({}, {})
    if not written.tables["desks"]:
        return [_built(written, flags, path)]
    wanted = flags.get("--exchange")
    config = _built(written, {f: given for f, given in flags.items() if f != "--exchange"}, path)
    names = [venue.name for venue in config.venues]
    if wanted is None:
        return [config.at(name) for name in names]
    if wanted not in names:
        raise ConfigError(f"--exchange: {unknown('venue', str(wanted), names)}")
    return [config.at(str(wanted))]


def _built(written: Written, flags: Flags, path: Path | None) -> Config:
    assert flags.keys() <= KNOWN_FLAGS, flags
    plugins = plugin_modules(written)
    folders = _plugin_folders(path) if plugins else ()
    load_plugins(plugins, written.origins.get("plugins", ""), folders)
    scopes = scopes_of(written)
    refuse_twice(written)
    flagged = desk_of_flags(scopes, flags)
    for scope in scopes:
        choose_strategy(written, scope, flags if scope == flagged else {})
    names = with_defaults(written, scopes)
    put_flags(written, flagged, flags)
    refuse_flags_of(names.off, written)
    for scope in scopes:
        inherit(written, scope)
    inherit_position(written, scopes)

    run, settings = _settings(written, scopes)
    sim = sim_settings(written)
    venues = venue_configs(written, settings, run.mode, sim)
    sim = at_running(written, sim, venues)
    refuse_shared_symbols(written, settings)
    if run.mode is not Mode.SIM:
        refuse_sim_flags(written, run.mode)
    store = store_settings(written)
    tape = tape_settings(written)
    desks = tuple(
        DeskConfig(
            scope.name,
            desk,
            selector_of(written, scope),
            strategy_of(written, scope),
            pricer_of(written, scope),
            signals_of(written, scope),
            hedger_of(written, scope),
            rules_of(written, scope, names),
            scope.path,
        )
        for scope, desk in settings.items()
    )
    guards = tuple(
        plugin(written, Family.GUARD, f"guards.{name}") for name in written.tables["guards"]
    )
    sinks = tuple(plugin(written, Family.SINK, f"sink.{name}") for name in written.tables["sink"])
    off = tuple(plugin(written, Family.RULE, rule) for rule in names.off)
    check_plugins(desks, (*off, *guards, *sinks))
    return Config(
        run=run,
        venues=venues,
        desks=desks,
        sim=sim,
        store=store,
        tape=tape,
        off=off,
        guards=guards,
        sinks=sinks,
        plugins=plugins,
        plugin_folders=folders,
        path=path,
        origins=dict(written.origins),
    )


def _settings(
    written: Written, scopes: tuple[Scope, ...]
) -> tuple[RunSettings, dict[Scope, DeskSettings]]:
    """The settings of the run, and of each desk."""
    if scopes[0].lone:
        run, desk = lone_settings(written)
        return run, {scopes[0]: desk}
    return run_settings(written), {s: desk_settings(written, s.path) for s in scopes}


def _plugin_folders(path: Path | None) -> tuple[Path, ...]:
    """Where plug-ins are looked for: beside the desk file, then in the current folder."""
    beside = [path.resolve().parent] if path else []
    return tuple(dict.fromkeys((*beside, Path.cwd())))
