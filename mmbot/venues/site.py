"""Where a venue of a run is, and what it is called there."""

from dataclasses import dataclass

from mmbot.config import Config, MmpSettings, Mode


@dataclass(frozen=True, slots=True)
class Site:
    """One venue of a run. Its `name` is ours: that of its table, with which the ids of its
    instruments and the variables of its keys begin. Its `kind` says which plug-in speaks to it."""

    mode: Mode
    name: str
    kind: str
    url: str = ""
    """Its REST address; empty: where the mode's own venue is, or no simulated one yet."""
    mmp: MmpSettings | None = None
    """The market-maker protection that is wanted there."""


def sites_of(config: Config) -> list[Site]:
    """The venues of a configuration, in the order of its file."""
    mode = config.run.mode
    return [
        Site(mode, venue.name, venue.kind, (venue.url or "") if mode is Mode.SIM else "", venue.mmp)
        for venue in config.venues
    ]


def site_of(config: Config) -> Site:
    """The venue of a configuration that has one."""
    name = config.lone_venue.name
    return next(site for site in sites_of(config) if site.name == name)
