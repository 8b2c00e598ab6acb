"""`mmbot resume`: a person looked at it, and allows quoting again."""

import sys
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Annotated

import typer

from mmbot.cli.wanted import DeskFile, RunName, StoreUrl, known_stores, run_number
from mmbot.config import Mode
from mmbot.errors import ConfigError, StoreError
from mmbot.plugins.settings import unknown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mmbot.store.known import Stores
    from mmbot.store.locations import Location
    from mmbot.store.records import AccountKey, LatchState

_SHOWN_MAX = 8


def resume(
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="What happened and what was done about it.")
    ],
    mode: Annotated[
        str | None,
        typer.Option(metavar="MODE", help="One of live, testnet, paper, sim. (default: all)"),
    ] = None,
    venue: Annotated[
        str | None, typer.Option(metavar="NAME", help="One venue. (default: all)")
    ] = None,
    run: RunName = None,
    config: DeskFile = None,
    store: StoreUrl = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Re-arm the kill switch of every account where it is tripped, so that engines may start.

    With --run, of every account that this run has, at whichever venues. Who, when and why is kept.
    An engine that was running when it was tripped stays stopped: end it and start it again.
    """
    reason = " ".join(reason.split())
    if not reason:
        raise ConfigError("--reason: say what happened and what was done about it")
    only = _Only(_mode(mode), venue, run_number(run))
    unread: list[str] = []
    rearmed = _rearm_all(reason, known_stores(config, store), only, unread)
    if rearmed or json or not unread:
        _print(reason, rearmed, json)
    if unread:
        raise StoreError(f"not everything could be re-armed: {'; '.join(unread)}")


def _print(reason: str, rearmed: "list[tuple[AccountKey, LatchState]]", json: bool) -> None:
    if json:
        import orjson

        print(
            orjson.dumps({"reason": reason, "rearmed": [_object(*one) for one in rearmed]}).decode()
        )
        return
    if not rearmed:
        print("No kill switch is tripped: there is nothing to re-arm.")
        return
    for account_key, state in rearmed[:_SHOWN_MAX]:
        print(_line(account_key, state))
    if len(rearmed) > _SHOWN_MAX:
        print(f"... and {len(rearmed) - _SHOWN_MAX} more.")
    print("Engines may be started again; one that is still up stays stopped until it is restarted.")


def _mode(text: str | None) -> Mode | None:
    if text is None:
        return None
    try:
        return Mode(text)
    except ValueError:
        raise ConfigError(f"--mode: {unknown('mode', text, [m.value for m in Mode])}") from None


@dataclass(frozen=True, slots=True)
class _Only:
    """Which accounts are meant; None: no matter."""

    mode: Mode | None
    venue: str | None
    run: int | None

    def chosen(self, account_keys: "Iterable[AccountKey]") -> "list[AccountKey]":
        """Those in the mode and at the venue that are meant."""
        return [
            key
            for key in account_keys
            if self.mode in (None, key.mode) and self.venue in (None, key.venue)
        ]

    @property
    def flags(self) -> str:
        """What to leave out to mean every account."""
        return "--mode and --venue" if self.run is None else "--run, --mode and --venue"


def _rearm_all(
    reason: str, stores: "Stores", only: _Only, unread: list[str]
) -> "list[tuple[AccountKey, LatchState]]":
    """The accounts that were tripped, as they were; stores that cannot be read go into `unread`.

    Raises StoreError and ConfigError.
    """
    from mmbot.clock import Clock
    from mmbot.store import latch
    from mmbot.store.commands import whoami

    now_ns, who = Clock().wall_ns(), whoami()
    rearmed: list[tuple[AccountKey, LatchState]] = []
    unread += stores.problems
    for note in stores.notes:
        print(f"mmbot: {note}", file=sys.stderr)
    _require_known(only, stores)
    for place in stores.places:
        try:
            tripped, others = _tripped(place, only)
        except StoreError as error:
            unread.append(str(error))
            continue
        if others and place.latch_file.exists():
            raise ConfigError(
                f"{place.latch_file} stands for every account of {place.name}: leave {only.flags} "
                "out"
            )
        for account_key, state in tripped:
            latch.rearm(place, account_key, reason, who, now_ns)
            rearmed.append((account_key, state))
    for place in stores.gone:  # its file stands for all its accounts; what else was in it is gone
        account_keys = [used.account_key for used in stores.used[place]]
        meant = only.run is None and only.chosen(account_keys) == account_keys
        was = latch.rearm_gone(place) if meant else None
        rearmed += [
            (account_key, was) for account_key in dict.fromkeys(account_keys) if was is not None
        ]
    return rearmed


def _require_known(only: _Only, stores: "Stores") -> None:
    """A name nobody has traded under would re-arm nothing, and look like success."""
    from mmbot.core.labels import base36
    from mmbot.store.queries import Reader

    if only.venue is None and only.run is None:
        return
    known = {used.account_key.venue for uses in stores.used.values() for used in uses}
    runs: dict[int, None] = {}
    for place in stores.places:
        with suppress(StoreError):  # told by whoever re-arms
            for run in Reader(place).runs():
                known |= {account_key.venue for account_key in run.account_keys}
                runs[run.run] = None
    if only.venue is not None and only.venue not in known:
        raise ConfigError(f"--venue: {unknown('venue', only.venue, sorted(known))}")
    if only.run is not None and only.run not in runs:
        name, names = base36(only.run), [base36(run) for run in runs]
        near = get_close_matches(name, names, n=_SHOWN_MAX, cutoff=0.0)
        raise ConfigError(f"--run: {unknown('run', name, near)}")


def _tripped(place: "Location", only: _Only) -> "tuple[list[tuple[AccountKey, LatchState]], bool]":
    """The accounts that are meant and tripped, and whether the store has others."""
    from mmbot.store.queries import Reader
    from mmbot.store.records import AccountKey

    reader = Reader(place)
    runs = reader.runs()
    account_keys = list(dict.fromkeys(key for run in runs for key in run.account_keys))
    if not account_keys and place.latch_file.exists():
        anywhere = AccountKey(only.mode or Mode.SIM, only.venue or "any venue", "any account")
        account_keys = [anywhere]
    its = {key for run in runs if run.run == only.run for key in run.account_keys}
    meant = only.chosen(key for key in account_keys if only.run is None or key in its)
    states = [(account_key, reader.latch(account_key)) for account_key in meant]
    tripped = [
        (account_key, state) for account_key, state in states if state is not None and state.tripped
    ]
    return tripped, len(meant) < len(account_keys)


def _line(account_key: "AccountKey", state: "LatchState") -> str:
    from mmbot.store.moments import moment

    detail = f": {state.detail}" if state.detail else ""
    return (
        f"{account_key.mode.value.upper():<8} {account_key.venue} {account_key.account}: re-armed "
        f"(tripped {moment(state.at_ns)} by {state.who}, {state.why.value}{detail})"
    )


def _object(account_key: "AccountKey", state: "LatchState") -> dict[str, object]:
    from mmbot.store.moments import moment

    return {
        "mode": account_key.mode.value,
        "venue": account_key.venue,
        "account": account_key.account,
        "tripped_at": moment(state.at_ns),
        "tripped_by": state.who,
        "why": state.why.value,
        "detail": state.detail,
    }
