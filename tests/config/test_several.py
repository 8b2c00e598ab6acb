"""Several venues and desks in one file: whose each setting is, and one line for what is wrong."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mmbot.config import Config, DeskConfig, Flags, Mode, load_config, load_venue
from mmbot.config.desks import trading_desk
from mmbot.config.effective import effective, off_lines
from mmbot.config.select import check_disjoint, choose
from mmbot.core.sizes import LOTS, Size
from mmbot.errors import ConfigError
from mmbot.risk.max_position import MaxPosition
from mmbot.strategies.improve_top import ImproveTop
from mmbot.strategies.simple_spread import SimpleSpread
from tests.builders import a_perpetual, an_option

EXAMPLE = Path(__file__).parents[2] / "configs" / "two-accounts.toml"

SYMBOL = 'symbols = ["ETH-PERPETUAL"]\n'
VENUES = '[venues.deribit]\n[venues.hedge]\nkind = "deribit"\n'  # lines 1 to 3
OPTIONS = '[desks.options]\nvenue = "deribit"\nexpiry = 2025-06-06\nstrikes = [2800]\n'  # 4 to 7
PERP = '[desks.perp]\nvenue = "hedge"\nsymbols = ["ETH-PERPETUAL"]\n'  # lines 8 to 10
TWO = VENUES + OPTIONS + PERP  # and what a test adds begins on line 11

DEFAULTS = [
    "stale_market",
    "price_band",
    "min_spread",
    "cost_floor",
    "max_order",
    "max_position",
    "max_exposure",
]


def refusal(path: Path, flags: Flags | None = None) -> str:
    with pytest.raises(ConfigError) as error:
        load_config(flags or {}, path)
    message = str(error.value)
    assert "\n" not in message
    return message.replace(f"{path}:", "desk.toml:")


def desk(config: Config, name: str) -> DeskConfig:
    return next(one for one in config.desks if one.name == name)


def rule(config: Config, of: str, name: str) -> Any:
    return next(r.build() for r in desk(config, of).rules if r.name == name)


# --- what a file with several desks comes to --------------------------------------------------


def test_the_file_of_two_accounts_is_two_desks_on_two_venues_of_one_kind() -> None:
    config = load_config({}, EXAMPLE)
    assert config.run.mode is Mode.SIM
    assert [(v.name, v.kind, v.url) for v in config.venues] == [
        ("deribit", "deribit", None),
        ("hedge", "deribit", None),
    ]
    options, perp = config.desks
    assert (options.name, options.settings.venue) == ("options", "deribit")
    assert options.settings.expiry == date(2025, 6, 6)
    assert options.settings.strikes == (Decimal(2800), Decimal(2900))
    assert isinstance(options.strategy.build(), ImproveTop)
    assert (perp.name, perp.settings.venue) == ("perp", "hedge")
    assert perp.settings.symbols == ("ETH-PERPETUAL",)
    assert isinstance(perp.strategy.build(), SimpleSpread)
    assert rule(config, "options", "max_position") == MaxPosition(limit=Size(Decimal(10), "ETH"))
    assert rule(config, "perp", "max_position") == MaxPosition(limit=Size(Decimal(10000), "USD"))


def test_each_desk_of_it_can_choose_and_decide() -> None:
    config = load_config({}, EXAMPLE)
    options, perp = config.desks
    listed = [
        an_option(strike=Decimal(2800)),
        an_option(id="deribit:ETH-6JUN25-2900-C", name="ETH-6JUN25-2900-C", strike=Decimal(2900)),
        a_perpetual(),
    ]
    chosen = {one.name: choose(listed, one, config, prices={"ETH": 2850.0}) for one in config.desks}
    assert [i.name for i in chosen["options"]] == ["ETH-6JUN25-2800-C", "ETH-6JUN25-2900-C"]
    assert [i.name for i in chosen["perp"]] == ["ETH-PERPETUAL"]
    check_disjoint(chosen)
    assert [trading_desk(one).name for one in (options, perp)] == ["options", "perp"]
    assert [trading_desk(one).venue for one in (options, perp)] == ["deribit", "hedge"]


def test_every_setting_of_it_is_shown_once_with_its_place() -> None:
    config = load_config({"--duration": "90", "--desk": "perp", "--size": "3000 USD"}, EXAMPLE)
    shown = {entry.key: (entry.text, entry.origin) for entry in effective(config)}
    assert len(shown) == len(effective(config))
    assert shown["run.duration_s"] == ("90.0", "--duration")
    assert shown["venues.hedge.kind"] == ("deribit", f"{EXAMPLE}:13")
    assert shown["desks.options.strikes"] == ("2800, 2900", f"{EXAMPLE}:19")
    assert shown["desks.options.strategy.improve_top.size"] == ("1 ETH", f"{EXAMPLE}:22")
    assert shown["desks.perp.strategy.simple_spread.size"] == ("3000 USD", "--size")
    assert shown["desks.perp.risk.max_position.limit"] == ("10000 USD", f"{EXAMPLE}:37")
    assert shown["risk.max_exposure.limit"] == ("50", f"{EXAMPLE}:45")
    assert shown["risk.stale_market.after_s"] == ("3.0", "default")
    assert not [key for key in shown if key.startswith(("desk.", "strategy."))]


def test_what_of_the_run_is_in_no_lone_desk_is_shown_where_it_is_given(desk_file: Any) -> None:
    text = "[desk]\nsymbols = ['ETH-PERPETUAL']\n[run]\nrequire_dead_man = false\n"
    config = load_config({}, path := desk_file(text))
    assert config.run.require_dead_man is False
    (shown,) = (entry for entry in effective(config) if "dead_man" in entry.key)
    assert (shown.key, shown.value, shown.origin) == ("run.require_dead_man", False, f"{path}:4")
    plain = effective(load_config({}, desk_file("[desk]\nsymbols = ['ETH-PERPETUAL']\n")))
    assert not any("dead_man" in entry.key for entry in plain)
    two = [entry.key for entry in effective(load_config({}, EXAMPLE))]
    assert "run.require_dead_man" in two


def test_a_venue_may_have_another_word_on_its_dead_man_than_the_run(desk_file: Any) -> None:
    text = "[desk]\nsymbols = ['ETH-PERPETUAL']\n[venues.deribit]\nrequire_dead_man = false\n"
    config = load_config({}, path := desk_file(text))
    assert (config.run.require_dead_man, config.lone_venue.require_dead_man) == (True, False)
    (shown,) = (entry for entry in effective(config) if "dead_man" in entry.key)
    assert (shown.key, shown.value) == ("venues.deribit.require_dead_man", False)
    assert shown.origin == f"{path}:4"


def test_market_maker_protection_is_shown_where_a_venue_has_it(desk_file: Any) -> None:
    text = "[desk]\nsymbols = ['ETH-PERP']\n[venues.derive.mmp]\ninterval_ms = 5000\n"
    config = load_config({}, path := desk_file(f"{text}frozen_ms = 0\ndelta = 2.5\n"))
    shown = {e.key: (e.text, e.origin) for e in effective(config) if ".mmp." in e.key}
    assert shown == {
        "venues.derive.mmp.interval_ms": ("5000", f"{path}:4"),
        "venues.derive.mmp.frozen_ms": ("0", f"{path}:5"),
        "venues.derive.mmp.amount": ("0", "default"),
        "venues.derive.mmp.delta": ("2.5", f"{path}:6"),
        "venues.derive.mmp.auto_reset_s": ("-", "default"),
    }


def test_what_is_shown_of_a_lone_desk_has_the_keys_it_always_had(desk_file: Any) -> None:
    text = "[desk]\nsymbols = ['ETH-PERPETUAL']\n"
    alone = [entry.key for entry in effective(load_config({}, desk_file(text)))]
    assert alone[:12] == [
        "desk.mode",
        "desk.venue",
        "desk.underlying",
        "desk.expiry",
        "desk.strikes",
        "desk.all_strikes",
        "desk.symbols",
        "desk.watch",
        "desk.refresh_s",
        "desk.duration_s",
        "desk.stop_file",
        "strategy.improve_top.improvement",
    ]
    assert not [key for key in alone if key.startswith(("run.", "venues."))]
    run = desk_file(text + "[run]\nduration_s = 5\n")
    shown = {entry.key: entry for entry in effective(load_config({}, run))}
    assert [*shown] == alone
    assert (shown["desk.duration_s"].value, shown["desk.duration_s"].origin) == (5.0, f"{run}:4")


def test_a_lone_desk_is_one_venue_and_one_desk() -> None:
    config = load_config({"--symbols": "ETH-PERPETUAL", "--sim-url": "http://127.0.0.1:8800"})
    assert (config.lone.name, config.lone.path) == ("desk", "desk")
    (venue,) = config.venues
    assert (venue.name, venue.kind, venue.url) == ("deribit", "deribit", "http://127.0.0.1:8800")
    assert config.lone_venue is config.venue("deribit") is venue


def test_a_lone_desk_may_trade_on_a_named_venue(desk_file: Any) -> None:
    path = desk_file('[venues.hedge]\nkind = "deribit"\n[desk]\nsymbols = ["ETH-PERPETUAL"]\n')
    config = load_config({}, path)
    assert config.lone.settings.venue == "hedge"
    assert config.lone_venue.kind == "deribit"
    assert "unknown venue 'deribit'; there is: hedge" in refusal(path, {"--exchange": "deribit"})


@pytest.mark.parametrize("table", ["", "[run]\n"])
def test_what_belongs_to_the_run_stands_in_its_table_or_in_a_lone_desks(
    desk_file: Any, table: str
) -> None:
    of_run = "mode = 'testnet'\nduration_s = 9\nstop_file = '/tmp/stop'\n"
    path = desk_file("[desk]\n" + SYMBOL + table + of_run)
    run = load_config({}, path).run
    assert (run.mode, run.duration_s, run.stop_file) == (Mode.TESTNET, 9.0, "/tmp/stop")
    flagged = load_config({"--sim": True, "--duration": "3"}, path)
    assert (flagged.run.mode, flagged.run.duration_s) == (Mode.SIM, 3.0)
    assert flagged.origin("run.mode") == flagged.origin("desk.mode") == "--sim"


def test_a_lone_desk_of_flags_alone_says_where_it_trades(desk_file: Any) -> None:
    said = refusal(desk_file(VENUES), {"--symbols": "ETH-PERPETUAL"})
    assert said == "--exchange: [desk] needs a venue, one of deribit, hedge"


def test_with_one_venue_a_desk_need_not_name_it(desk_file: Any) -> None:
    config = load_config({}, desk_file('[venues.hedge]\nkind = "deribit"\n[desks.a]\n' + SYMBOL))
    assert desk(config, "a").settings.venue == "hedge"


def test_without_venues_a_desk_trades_on_the_exchange_it_names(desk_file: Any) -> None:
    config = load_config({}, desk_file("[desks.a]\n" + SYMBOL))
    assert [(v.name, v.kind) for v in config.venues] == [("deribit", "deribit")]


# --- whose a rule is --------------------------------------------------------------------------


def test_a_desks_own_rules_come_first_then_the_books_then_the_defaults(desk_file: Any) -> None:
    config = load_config(
        {}, desk_file(TWO + "[risk.max_order]\n[desks.perp.risk.max_exposure]\nlimit = 5\n")
    )
    perp = [(r.name, r.path) for r in desk(config, "perp").rules]
    assert perp[:2] == [
        ("max_exposure", "desks.perp.risk.max_exposure"),
        ("max_order", "risk.max_order"),
    ]
    assert [r.name for r in desk(config, "options").rules] == [
        "max_order",
        *(name for name in DEFAULTS if name != "max_order"),
    ]


def test_a_rule_that_both_name_judges_twice(desk_file: Any) -> None:
    config = load_config(
        {},
        desk_file(
            TWO + "[risk.max_exposure]\nlimit = 50\n[desks.perp.risk.max_exposure]\nlimit = 90\n"
        ),
    )
    limits = [r.build() for r in desk(config, "perp").rules if r.name == "max_exposure"]
    assert [limit.limit for limit in limits] == [90, 50]  # type: ignore[attr-defined]


def test_a_default_that_a_desk_has_a_table_of_is_its_own(desk_file: Any) -> None:
    """Otherwise a limit above the default would never be in force."""
    config = load_config({}, desk_file(TWO + "[desks.perp.risk.max_exposure]\nlimit = 900\n"))
    assert sorted(r.name for r in desk(config, "perp").rules) == sorted(DEFAULTS)
    assert rule(config, "perp", "max_exposure").limit == 900
    assert rule(config, "options", "max_exposure").limit == 100


def test_a_desk_switches_a_default_off_for_itself_alone(desk_file: Any) -> None:
    path = desk_file(TWO + "[desks.perp.risk.cost_floor]\noff = true\n")
    config = load_config({}, path)
    assert "cost_floor" not in [r.name for r in desk(config, "perp").rules]
    assert "cost_floor" in [r.name for r in desk(config, "options").rules]
    assert off_lines(config) == [f"[desks.perp.risk.cost_floor] is switched off ({path}:12)"]


def test_a_rule_that_the_book_switches_off_is_off_for_all(desk_file: Any) -> None:
    config = load_config({}, desk_file(TWO + "[risk.cost_floor]\noff = true\n"))
    assert not [r for d in config.desks for r in d.rules if r.name == "cost_floor"]


def test_a_strategy_scales_by_its_desks_limit_or_else_by_the_books(desk_file: Any) -> None:
    config = load_config(
        {},
        desk_file(
            TWO + "[risk.max_position]\nlimit = '8 lots'\n"
            "[desks.perp.risk.max_position]\nlimit = '4 lots'\n"
        ),
    )
    assert desk(config, "perp").strategy.table["max_position"] == "4 lots"
    assert desk(config, "options").strategy.table["max_position"] == "8 lots"


def guarded(config: Config) -> Size:
    guard = next(g.build() for g in config.guards if g.name == "position")
    return guard.limit  # type: ignore[attr-defined, no-any-return]


def test_the_guard_of_positions_stands_at_twice_the_largest_limit_of_the_desks(
    desk_file: Any,
) -> None:
    assert guarded(load_config({}, desk_file(TWO))) == Size(Decimal(20), LOTS)
    perp = "[desks.perp.risk.max_position]\nlimit = '50 lots'\n"
    assert guarded(load_config({}, desk_file(TWO + perp))) == Size(Decimal(100), LOTS)
    less = perp.replace("50", "5")
    assert guarded(load_config({}, desk_file(TWO + less))) == Size(Decimal(20), LOTS)


@pytest.mark.parametrize("limit", ["'50 ETH'", "50"])
def test_limits_that_cannot_be_compared_need_a_guard_with_a_limit(
    desk_file: Any, limit: str
) -> None:
    text = TWO + f"[desks.perp.risk.max_position]\nlimit = {limit}\n"
    said = refusal(desk_file(text))
    assert said.startswith("desk.toml:12: the desks have limits of their position that cannot be")
    assert said.endswith("give the guard its own, [guards.position] limit")
    config = load_config({}, desk_file(text + "[guards.position]\nlimit = '70 ETH'\n"))
    assert guarded(config) == Size(Decimal(70), "ETH")


def test_what_the_book_says_of_perpetuals_is_no_mistake_of_a_desk_with_options(
    desk_file: Any,
) -> None:
    listed = [an_option(strike=Decimal(2800))]
    book = load_config({}, desk_file(TWO + "[risk.min_spread]\nbps = 5\n"))
    assert choose(listed, desk(book, "options"), book)
    own = load_config({}, desk_file(TWO + "[desks.options.risk.min_spread]\nbps = 5\n"))
    with pytest.raises(ConfigError, match=r"desks\.options\..* applies to perpetuals"):
        choose(listed, desk(own, "options"), own)


# --- flags ------------------------------------------------------------------------------------


def test_a_flag_about_a_desk_changes_the_desk_it_names(desk_file: Any) -> None:
    path = desk_file(TWO)
    flags = {"--desk": "perp", "--max-position": "4 lots", "--refresh": "2", "--aggression": "0.5"}
    config = load_config(flags, path)
    assert rule(config, "perp", "max_position").limit == Size(Decimal(4), LOTS)
    assert rule(config, "options", "max_position").limit == Size(Decimal(10), LOTS)
    assert [d.settings.refresh_s for d in config.desks] == [1.0, 2.0]
    assert desk(config, "perp").strategy.table["aggression"] == Decimal("0.5")
    assert "aggression" not in desk(config, "options").strategy.table
    assert config.origin("desks.perp.risk.max_position.limit") == "--max-position"


def test_a_desk_on_its_own_needs_no_name(desk_file: Any) -> None:
    alone = load_config({"--size": "2 lots"}, desk_file(VENUES + OPTIONS))
    assert alone.lone.strategy.table["size"] == "2 lots"
    named = load_config({"--symbols": "X", "--desk": "desk", "--size": "2 lots"})
    assert named.lone.strategy.table["size"] == "2 lots"


def test_flags_about_the_run_need_no_desk(desk_file: Any) -> None:
    config = load_config({"--testnet": True, "--duration": "5", "--no-tape": True}, desk_file(TWO))
    assert (config.run.mode, config.run.duration_s, config.tape.on) == (Mode.TESTNET, 5.0, False)
    assert config.origin("run.mode") == "--testnet"


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"--strikes": "2900"}, "--strikes: there are several desks: add --desk NAME, one of opti"),
        ({"--strategy": "improve_top"}, "--strategy: there are several desks: add --desk NAME"),
        ({"--max-position": "5"}, "--max-position: there are several desks"),
        ({"--exchange": "hedge"}, "--exchange: there are several desks"),
        ({"--desk": "prep", "--size": "1"}, "--desk: unknown desk 'prep'; did you mean 'perp'?"),
        ({"--desk": "perp"}, "--desk: says which desk a flag such as --size or --strikes is about"),
        (
            {"--desk": "perp", "--strikes": "2800"},
            "--strikes and desk.toml:10 contradict each other: desk perp quotes symbols",
        ),
        (
            {"--desk": "perp", "--expiry": "20250606", "--all-strikes": True},
            "--expiry and desk.toml:10 contradict each other: desk perp quotes symbols",
        ),
        (
            {"--desk": "options", "--symbols": "ETH-PERPETUAL"},
            "--symbols and desk.toml:6 contradict each other: desk options quotes the options of",
        ),
        (
            {"--desk": "perp", "--strategy": "simple_spread", "--aggression": "1"},
            "--aggression: strategy simple_spread has no such setting; it has center",
        ),
        ({"--desk": "perp", "--exchange": "deribt"}, "--exchange: unknown venue 'deribt'; did you"),
        ({"--desk": "perp", "--size": "-1"}, "--size: [desks.perp.strategy.improve_top] size = -1"),
        ({"--duration": "-1"}, "--duration: [run] duration_s = -1: expected a number at least 0.1"),
        (
            {"--sim-url": "http://127.0.0.1:8800"},
            "--sim-url: one address, and the venues are deribit, hedge: give each its own",
        ),
        ({"--paper": True}, "--paper: mode paper is not available in this version"),
        (
            {"--live": True, "--seed": "3"},
            "--seed is for the simulated venue, but --live says live",
        ),
    ],
)
def test_a_flag_that_does_not_fit_several_desks_is_one_line(
    desk_file: Any, flags: Flags, said: str
) -> None:
    assert said in refusal(desk_file(TWO), flags)


def test_a_desk_that_is_alone_has_a_name_too() -> None:
    with pytest.raises(ConfigError, match="--desk: unknown desk 'perp'; there is: desk"):
        load_config({"--symbols": "X", "--desk": "perp", "--size": "1"})


# --- what is refused in a file ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            '[venues.hedge]\nkind = "derbit"\n[desks.a]\n' + SYMBOL,
            "desk.toml:2: [venues.hedge] kind: unknown exchange 'derbit'; did you mean 'deribit'?",
        ),
        (
            "[venues.hedge]\n[desks.a]\n" + SYMBOL,
            "desk.toml:1: [venues.hedge] needs a kind, since hedge is no exchange: add kind = one",
        ),
        ("[venues]\nhedge = 'deribit'\n", "desk.toml:2: expected a table such as [venues.NAME]"),
        (
            VENUES + PERP.replace('"hedge"', '"hegde"'),
            "desk.toml:5: unknown venue 'hegde'; did you mean 'hedge'? There is: deribit, hedge",
        ),
        (
            PERP,
            "desk.toml:2: unknown exchange 'hedge'; there is: deribit, derive; another name needs "
            "a table",
        ),
        (
            VENUES + "[desks.perp]\n" + SYMBOL,
            "desk.toml:4: [desks.perp] needs a venue, one of deribit, hedge",
        ),
        (VENUES + "[desk]\n" + SYMBOL, "desk.toml:4: [desk] needs a venue, one of deribit, hedge"),
        (
            TWO + "[desk]\n",
            "desk.toml:11: [desk] is for a desk that is alone, and [desks.*] is there (desk.toml:4)"
            ": write [desks.NAME]",
        ),
        (
            TWO + "[strategy.improve_top]\n",
            "desk.toml:11: [strategy] is for a desk that is alone, and [desks.*] is there",
        ),
        (
            "[desk]\nmode = 'sim'\nsymbols = ['X']\n[run]\nmode = 'sim'\n",
            "desk.toml:5 and desk.toml:2 both give mode: keep one",
        ),
        (
            TWO + "duration_s = 5\n",
            "desk.toml:11: [desks.perp] duration_s is the same for all desks: write it into [run]",
        ),
        (TWO + "guards = 1\n", "desk.toml:11: [desks.perp] guards: guards watch the account, not"),
        (TWO + "risk = 1\n", "desk.toml:11: expected a table such as [desks.perp.risk.NAME]"),
        (
            TWO + "[desks.perp.risk]\nmax_order = 1\n",
            "desk.toml:12: expected a table such as [desks.perp.risk.NAME]",
        ),
        (TWO + "[desks]\nx = 1\n", "desk.toml:12: expected a table such as [desks.NAME]"),
        ("desks = { x = 1 }\n", "desk.toml:1: expected a table such as [desks.NAME]"),
        (TWO + "[desks.empty]\nvenue = 'hedge'\n", "desk.toml:11: [desks.empty]: nothing to quote"),
        (
            TWO + "[desks.again]\nvenue = 'hedge'\nsymbols = ['X', 'eth-perpetual']\n",
            "desk.toml:13: desk again quotes eth-perpetual on hedge, and so does desk perp "
            "(desk.toml:10): an instrument has one desk",
        ),
        (
            TWO + "[desks.perp.strategy.improve_top]\n[desks.perp.strategy.simple_spread]\n",
            "desk.toml:12: a desk has one strategy, here are improve_top, simple_spread",
        ),
        (
            TWO + "[desks.perp.strategy.improvetop]\n",
            "desk.toml:11: unknown strategy 'improvetop'; did you mean 'improve_top'?",
        ),
        (
            TWO + "[risk.cost_floor]\n[desks.perp.risk.cost_floor]\noff = true\n",
            "desk.toml:13: [desks.perp.risk.cost_floor] off: [risk.cost_floor] judges every desk "
            "(desk.toml:11): drop one of them",
        ),
        (
            TWO + "[desks.perp.risk.cost_floor]\noff = 1\n",
            "desk.toml:12: [desks.perp.risk.cost_floor] off = 1: expected true or false",
        ),
        (TWO + "[desks.'a:b']\n", "desk.toml:11: 'a:b' is no name of a desk: letters, digits, -"),
        (TWO + "[desks.'']\n", "desk.toml:11: '' is no name of a desk"),
        (TWO + "[venues.'a.b']\n", "desk.toml:11: 'a.b' is no name of a venue"),
        (
            TWO + "[sim]\nurl = 'http://127.0.0.1:8800'\n",
            "desk.toml:12: one address, and the venues are deribit, hedge: give each its own",
        ),
        (
            TWO + "[venues.third]\nkind = 'deribit'\nurl = 'https://www.deribit.com'\n",
            "desk.toml:13: [venues.third] url: 'https://www.deribit.com' is not the address of a",
        ),
        (TWO + "[desks.perp.strategy.improve_top]\ntoken = 1\n", "token looks like a secret"),
    ],
)
def test_a_file_that_does_not_fit_is_told_with_its_line(
    desk_file: Any, text: str, said: str
) -> None:
    assert said in refusal(desk_file(text))


def test_a_table_may_have_any_name_that_says_something(desk_file: Any) -> None:
    text = TWO.replace("perp", "token_key").replace("hedge", "secret-2")
    config = load_config({}, desk_file(text))
    assert [d.name for d in config.desks] == ["options", "token_key"]
    assert [v.name for v in config.venues] == ["deribit", "secret-2"]


def with_addresses(first: str, second: str) -> str:
    return TWO.replace("[venues.hedge]", f"url = '{first}'\n[venues.hedge]\nurl = '{second}'")


@pytest.mark.parametrize(
    "second", ["http://127.0.0.1:8801", "http://localhost:8801", "http://127.0.0.1:8801/"]
)
def test_two_venues_are_at_two_addresses(desk_file: Any, second: str) -> None:
    path = desk_file(with_addresses("http://127.0.0.1:8801", second))
    said = refusal(path)
    assert said.startswith("desk.toml:4: [venues.hedge] url: [venues.deribit] is at that address")
    assert load_config({"--testnet": True}, path).run.mode is Mode.TESTNET


def test_venues_that_run_already_have_a_seed(desk_file: Any) -> None:
    text = with_addresses("http://127.0.0.1:8801", "http://127.0.0.1:8802")
    config = load_config({}, desk_file(text))
    assert [v.url for v in config.venues] == ["http://127.0.0.1:8801", "http://127.0.0.1:8802"]
    assert "runs already with a seed and a date of its own: drop seed" in refusal(
        desk_file(text + "[sim]\nseed = 2\n")
    )


def test_the_address_of_the_only_venue_is_that_of_the_simulated_world(desk_file: Any) -> None:
    text = "[venues.deribit]\nurl = 'http://127.0.0.1:8801'\n[desk]\n" + SYMBOL
    path = desk_file(text)
    config = load_config({}, path)
    assert config.sim.url == config.lone_venue.url == "http://127.0.0.1:8801"
    assert config.origin("sim.url") == f"{path}:2"
    flagged = load_config({"--sim-url": "http://127.0.0.1:8802"}, path)
    assert flagged.sim.url == flagged.lone_venue.url == "http://127.0.0.1:8802"
    twice = desk_file(text + "[sim]\nurl = 'http://127.0.0.1:8803'\n")
    assert "desk.toml:6 and desk.toml:2 contradict each other: give one" in refusal(twice)


def test_an_instrument_that_two_desks_have_chosen_is_refused() -> None:
    with pytest.raises(ConfigError) as error:
        check_disjoint({"a": [a_perpetual(), an_option()], "b": [an_option()]})
    said = str(error.value)
    assert said.startswith("desks a and b both quote ETH-6JUN25-2800-C (deribit:ETH-6JUN25-2800-C)")


# --- commands that ask one venue --------------------------------------------------------------


def test_a_command_that_asks_one_venue_is_told_which(desk_file: Any) -> None:
    path = desk_file(with_addresses("http://127.0.0.1:8801", "http://127.0.0.1:8802"))
    config = load_venue({"--exchange": "hedge"}, path)
    assert config.lone_venue.name == "hedge"
    assert config.sim.url == "http://127.0.0.1:8802"
    assert [d.name for d in config.desks] == ["perp"]
    for flags, said in (
        ({}, "there are several venues: add --exchange NAME, one of deribit, hedge"),
        ({"--exchange": "hegde"}, "--exchange: unknown venue 'hegde'; did you mean 'hedge'?"),
    ):
        with pytest.raises(ConfigError, match=said):
            load_venue(flags, path)


def test_of_one_venue_it_need_not_be_told(desk_file: Any) -> None:
    config = load_venue({}, desk_file(VENUES.partition("[venues.hedge]")[0] + OPTIONS))
    assert config.lone_venue.name == "deribit"
    assert load_venue({"--symbols": "X"}).lone_venue.name == "deribit"
