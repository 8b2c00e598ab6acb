"""One configuration from flags and files, and one clear line for everything wrong with it."""

from dataclasses import fields
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from mmbot.config import Config, Mode, load_config
from mmbot.config.desks import trading_desk
from mmbot.config.rules import DEFAULT_GUARDS
from mmbot.core.sizes import LOTS, Size, amount_of
from mmbot.errors import ConfigError
from mmbot.pricing.mid import Mid
from mmbot.risk.max_position import MaxPosition
from mmbot.venues.plugin import credentials_of
from mmbot.venues.site import Site
from tests.builders import an_option

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.toml"))
OPTIONS = {"--expiry": "20250606", "--strikes": "2800,2900"}
DESK = "[desk]\nexpiry = 2025-06-06\nstrikes = [2800, 2900]\n"


def from_flags(**flags: str | bool) -> Config:
    return load_config(OPTIONS | {f"--{k.replace('_', '-')}": v for k, v in flags.items()})


def refusal(flags: dict[str, str | bool], path: Path | None = None) -> str:
    with pytest.raises(ConfigError) as error:
        load_config(flags, path)
    message = str(error.value)
    assert "\n" not in message
    return message.replace(f"{path}:", "desk.toml:") if path else message


def test_the_founding_command_line_needs_nothing_else() -> None:
    config = load_config({"--exchange": "deribit", **OPTIONS})
    assert config.run.mode is Mode.SIM
    assert (config.lone.settings.venue, config.lone.settings.underlying) == ("deribit", "ETH")
    assert config.lone.settings.expiry == date(2025, 6, 6)
    assert config.lone.settings.strikes == (Decimal(2800), Decimal(2900))
    assert config.sim.at == datetime(2025, 6, 2, 12, tzinfo=UTC)
    assert config.lone.strategy.name == "improve_top"
    assert [rule.name for rule in config.lone.rules] == [
        "stale_market",
        "price_band",
        "min_spread",
        "cost_floor",
        "max_order",
        "max_position",
        "max_exposure",
    ]


def test_the_coin_may_be_written_small() -> None:
    assert from_flags(underlying="btc").lone.settings.underlying == "BTC"


@pytest.mark.parametrize("written", ["20250606", "2025-06-06", "6JUN25", "06jun25", "6Jun25"])
def test_a_date_is_written_as_one_likes(written: str, desk_file: Any) -> None:
    day = date(2025, 6, 6)
    assert from_flags(expiry=written).lone.settings.expiry == day
    path = desk_file(f"[desk]\nexpiry = '{written}'\nstrikes = [2800]\n[sim]\nat = '{written}'\n")
    config = load_config({}, path)
    assert (config.lone.settings.expiry, config.sim.at) == (day, datetime(2025, 6, 6, tzinfo=UTC))
    assert from_flags(at=written).sim.at == config.sim.at


def test_a_file_and_flags_that_say_the_same_build_the_same(desk_file: Any) -> None:
    path = desk_file(
        DESK + "refresh_s = 2.5\n[strategy.improve_top]\nsize = 0.5\nimprovement = 0.2\n"
        "max_position = 4\n"
    )
    written = load_config({"--max-position": "4"}, path)
    flagged = from_flags(size="0.5", improvement="0.2", max_position="4", refresh="2.5")
    assert written.lone.settings == flagged.lone.settings
    assert written.sim == flagged.sim
    assert written.lone.strategy.build() == flagged.lone.strategy.build()
    assert [r.build() for r in written.lone.rules] == [r.build() for r in flagged.lone.rules]


def test_a_flag_wins_over_the_file_and_the_file_over_the_default(desk_file: Any) -> None:
    path = desk_file(DESK + "[strategy.improve_top]\nsize = 0.5\nimprovement = 0.2\n")
    config = load_config({"--size": "3", "--strikes": "3000"}, path)
    assert config.lone.strategy.table["size"] == Decimal(3)
    assert config.lone.strategy.table["improvement"] == Decimal("0.2")
    assert config.lone.settings.strikes == (Decimal(3000),)
    assert config.origin("strategy.improve_top.size") == "--size"
    assert config.origin("strategy.improve_top.improvement") == f"{path}:6"
    assert config.origin("desk.refresh_s") == "default"


def test_rules_are_asked_in_the_order_of_the_file_and_the_other_defaults_after_them(
    desk_file: Any,
) -> None:
    path = desk_file(DESK + "[risk.max_exposure]\n[risk.stale_market]\n[risk.max_position]\n")
    names = [rule.name for rule in load_config({}, path).lone.rules]
    assert names[:3] == ["max_exposure", "stale_market", "max_position"]
    assert names[3:] == ["price_band", "min_spread", "cost_floor", "max_order"]


def test_a_table_changes_its_own_settings_and_no_other_rule(desk_file: Any) -> None:
    default = load_config(OPTIONS)
    config = load_config({}, desk_file(DESK + "[risk.max_order]\nlimit = 3\n"))
    changed = {rule.name: rule.build() for rule in config.lone.rules}
    assert changed.keys() == {rule.name for rule in default.lone.rules}
    assert [r.name for r in default.lone.rules if r.build() != changed[r.name]] == ["max_order"]
    assert config.off == ()


def test_a_default_rule_goes_only_where_the_file_says_off(desk_file: Any) -> None:
    config = load_config({}, desk_file(DESK + "[risk.max_position]\noff = true\n"))
    assert "max_position" not in [rule.name for rule in config.lone.rules]
    assert [rule.name for rule in config.off] == ["max_position"]
    assert len(config.lone.rules) == len(load_config(OPTIONS).lone.rules) - 1
    on = load_config({}, desk_file(DESK + "[risk.max_position]\noff = false\nlimit = 3\n"))
    assert (len(on.lone.rules), on.off) == (len(config.lone.rules) + 1, ())


@pytest.mark.parametrize(
    ("text", "flags", "said"),
    [
        ("[risk.max_position]\noff = 1", {}, "desk.toml:5: [risk.max_position] off = 1: expected"),
        ("[risk.max_position]\noff = true\nlimit = -1", {}, "desk.toml:6: [risk.max_position] li"),
        ("[guards.position]\noff = true", {}, "desk.toml:5: [guards.position] off: a guard cannot"),
        (
            "[risk.max_position]\noff = true",
            {"--max-position": "3"},
            "--max-position: [risk.max_position] is switched off (desk.toml:5): drop one of them",
        ),
    ],
)
def test_what_cannot_be_switched_off_is_refused_with_a_reason(
    desk_file: Any, text: str, flags: dict[str, str | bool], said: str
) -> None:
    assert said in refusal(flags, desk_file(DESK + text + "\n"))


def test_a_limit_also_scales_the_skew_of_the_strategy(desk_file: Any) -> None:
    assert from_flags(max_position="4").lone.strategy.table["max_position"] == Decimal(4)
    path = desk_file(DESK + "[risk.max_position]\nlimit = 6\n")
    assert load_config({}, path).lone.strategy.table["max_position"] == 6


def test_a_scale_the_file_gives_the_strategy_stays(desk_file: Any) -> None:
    path = desk_file(
        DESK + "[strategy.improve_top]\nmax_position = 3\n[risk.max_position]\nlimit = 6\n"
    )
    assert load_config({}, path).lone.strategy.table["max_position"] == 3


def test_the_flag_chooses_among_the_strategies_of_a_file(desk_file: Any) -> None:
    path = desk_file(DESK + "[strategy.improve_top]\n[strategy.simple_spread]\nspread_bps = 30\n")
    chosen = load_config({"--strategy": "simple_spread"}, path).lone.strategy
    assert (chosen.name, chosen.table["spread_bps"]) == ("simple_spread", 30)
    assert "a desk has one strategy" in refusal({}, path)


def test_numbers_of_a_file_are_read_as_written(desk_file: Any) -> None:
    config = load_config({}, desk_file(DESK + "[strategy.improve_top]\nimprovement = 0.1\n"))
    assert config.lone.strategy.table["improvement"] == Decimal("0.1")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"--expiry": "6.6.25"}, "--expiry: '6.6.25' is not a date: write it like 20250606, 2025-"),
        ({"--expiry": "20250631"}, "--expiry: '20250631' is not a date"),
        ({"--strikes": "2800;2900"}, "--strikes: strike '2800;2900' is not a number"),
        ({"--strikes": "2800,-1"}, "--strikes: strike '-1' is not a number greater than 0"),
        ({"--strikes": "nan"}, "--strikes: strike 'nan' is not a number greater than 0"),
        ({"--strikes": ","}, "--strikes: no strike given"),
        ({"--size": "big"}, "size = 'big': expected an amount greater than 0"),
        ({"--size": "-1"}, "size = -1: expected an amount greater than 0"),
        ({"--size": "nan"}, "size = NaN: expected an amount greater than 0"),
        ({"--refresh": "0"}, "--refresh: [desk] refresh_s = 0: expected a number at least 0.1"),
        ({"--duration": "-5"}, "--duration: [desk] duration_s = -5: expected a number at leas"),
        ({"--max-position": "0"}, "--max-position: [risk.max_position] limit = 0: expected"),
        ({"--seed": "1.5"}, "--seed: [sim] seed = 1.5: expected a whole number at least 0"),
        ({"--at": "yesterday"}, "--at: 'yesterday' is neither a date nor a moment in UTC"),
        ({"--at": "2025-06-02T12:00:00"}, "nor a moment in UTC: write it like 2025-06-02"),
        ({"--exchange": "deribitt"}, "unknown exchange 'deribitt'; did you mean 'deribit'?"),
        ({"--strategy": "improvetop"}, "unknown strategy 'improvetop'; did you mean 'improve_top'"),
        ({"--bid-only": True, "--ask-only": True}, "--bid-only and --ask-only contradict each"),
        ({"--all-strikes": True}, "--strikes and --all-strikes contradict each other"),
        ({"--sim": True, "--live": True}, "--sim and --live contradict each other"),
        ({"--spread": "3", "--min-spread": "5"}, "--spread and --min-spread contradict each other"),
        ({"--paper": True}, "--paper: mode paper is not available in this version"),
        ({"--live": True, "--seed": "2"}, "--seed is for the simulated venue, but --live says"),
        ({"--testnet": True, "--at": "2025-06-02T12:00:00Z"}, "--at is for the simulated venue"),
        ({"--live": True, "--sim-url": "http://127.0.0.1:8800"}, "--sim-url is for the simulated"),
        ({"--symbols": ","}, "--symbols: no symbol given: write them like BTC-PERPETUAL"),
        ({"--size": "1e13"}, "size = 1E+13: expected an amount greater than 0"),
        ({"--size": "9" * 99}, "size = 9999"),
        ({"--strikes": "1e99"}, "--strikes: strike '1e99' is not a number greater than 0"),
        ({"--at": "0001-01-01T00:00:00+14:00"}, "nor a moment in UTC"),
        ({"--sim-url": "http://127.0.0.1:8800", "--seed": "2"}, "--seed: the world at --sim-url"),
        ({"--sim-url": "https://www.deribit.com"}, "is not the address of a simulator on this"),
        ({"--sim-url": "http://127.0.0.1"}, "is not the address of a simulator on this machine"),
        ({"--sim-url": "http://127.0.0.1:x"}, "is not the address of a simulator on this machine"),
    ],
)
def test_a_bad_flag_is_one_clear_line(flags: dict[str, str | bool], said: str) -> None:
    assert said in refusal({**OPTIONS, **flags})


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({}, "nothing to quote: give --expiry YYYYMMDD with --strikes"),
        ({"--strikes": "2800"}, "--strikes: needs an expiry: add --expiry YYYYMMDD"),
        ({"--all-strikes": True}, "--all-strikes: needs an expiry"),
        ({"--expiry": "20250606"}, "--expiry: needs strikes: add --strikes 2800,2900"),
    ],
)
def test_half_a_selection_says_what_is_missing(flags: dict[str, str | bool], said: str) -> None:
    assert said in refusal(flags)


def test_a_flag_the_strategy_does_not_know_is_refused_not_ignored() -> None:
    said = refusal({**OPTIONS, "--strategy": "simple_spread", "--aggression": "0.5"})
    assert said.startswith("--aggression: strategy simple_spread has no such setting; it has ")


def test_a_limit_flag_finds_its_rule_whatever_the_file_names(desk_file: Any) -> None:
    config = load_config({"--max-position": "3"}, desk_file(DESK + "[risk.stale_market]\n"))
    assert {r.name: r.build() for r in config.lone.rules}["max_position"] == MaxPosition(
        limit=Size(Decimal(3))
    )


def test_a_desk_is_priced_by_the_best_there_is_or_by_what_its_file_names(desk_file: Any) -> None:
    assert from_flags().lone.pricer.name == "auto"
    config = load_config({}, desk_file(DESK + "[pricer.mid]\nweighted = true\n"))
    assert trading_desk(config.lone).pricer == Mid(weighted=True)
    assert trading_desk(config.lone).pricer_name == "mid"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("strikess = [2800]", "desk.toml:4: [desk] unknown setting 'strikess'; did you mean 'str"),
        ("[risk.max_position]\nlimit = -1", "desk.toml:5: [risk.max_position] limit = -1: expect"),
        ("[risk.max_position]\nlimt = 1", "desk.toml:5: [risk.max_position] unknown setting 'li"),
        ("[risk.max_postion]", "desk.toml:4: unknown risk 'max_postion'; did you mean 'max_pos"),
        (
            "[pricer.mod]",
            "desk.toml:4: unknown pricer 'mod'; did you mean 'mid'? There is: auto, mark, mid",
        ),
        ("[pricer.mid]\nweighted = 1", "desk.toml:5: [pricer.mid] weighted = 1: expected true or"),
        ("[pricer.mid]\n[pricer.mark]", "desk.toml:5: a desk has one pricer, here are mid, mark"),
        ("[risks.max_order]", "desk.toml:4: unknown table 'risks'; did you mean 'risk'?"),
        ("[risk]\nmax_position = 3", "desk.toml:5: expected a table such as [risk.NAME]"),
        ("mode = 'paper'", "desk.toml:4: mode paper is not available in this version"),
        ("[store]\nurl = 'postgresql://me:hush@db/x'", "desk.toml:5: [store] url has a password"),
        ("[store]\nurl = 'postgresql://db/x?password=hush'", "[store] url has a password in it"),
        ("[store]\nurll = 'x'", "desk.toml:5: [store] unknown setting 'urll'; did you mean 'url'"),
        ("refresh_s = " + "[" * 5000, "desk.toml: not valid TOML: "),
        ("refresh_s = 1" + "0" * 5000, "not valid TOML: a number too long"),
        ("refresh_s = 1e" + "9" * 30, "not valid TOML: a number too long"),
        ("refresh_s = 1e13", "desk.toml:4: [desk] refresh_s = 1E+13: expected a number at least"),
        ("mode = 'simm'", "desk.toml:4: [desk] mode = 'simm': expected one of sim, paper, test"),
        ("refresh_s = inf", "desk.toml:4: [desk] refresh_s = Infinity: expected a number at"),
        ("symbols = 'BTC-PERPETUAL'", "desk.toml:4: [desk] symbols = 'BTC-PERPETUAL': expected a"),
        ("[sim]\nseed = '1'", "desk.toml:5: [sim] seed = '1': expected a whole number at least"),
        ("[strategy.improve_top]\nbid_only = true\nask_only = true", "contradict each other"),
        ("refresh_s = ", "not valid TOML: Invalid value (at line 4"),
        ("expiry = 20250607", "not valid TOML: Cannot overwrite a value (at line 4"),
    ],
)
def test_a_bad_file_is_told_with_its_line(desk_file: Any, text: str, said: str) -> None:
    assert said in refusal({}, desk_file(DESK + text + "\n"))


def test_the_line_of_a_key_is_found_behind_values_of_many_lines(desk_file: Any) -> None:
    text = (
        "# limit = 1\n[desk]\nexpiry = 2025-06-06\nstrikes = [\n  2800, # one\n  2900,\n]\n"
        "underlying = '''\nlimit = -1'''\n\n[risk]\nmax_position = { limit = -1 }\n"
    )
    assert "desk.toml:12: [risk.max_position] limit = -1" in refusal({}, desk_file(text))


@pytest.mark.parametrize(
    "line",
    [
        "api_secret = 'abc123'",
        "apiKey = 'abc123'",
        "[venue.deribit]\nkey = 'abc123'",
        "private_key = 'abc123'",
        "[strategy.improve_top]\npassword = 'abc123'",
    ],
)
def test_a_secret_in_a_file_is_refused_and_not_repeated(desk_file: Any, line: str) -> None:
    said = refusal({}, desk_file(DESK + line + "\n"))
    assert "looks like a secret; secrets are read from the environment or .env only" in said
    assert "abc123" not in said


def test_a_file_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in refusal({}, tmp_path / "missing.toml")
    assert "cannot be read: Is a directory" in refusal({}, tmp_path)


def test_a_plug_in_of_ones_own_needs_one_line(
    tmp_path: Path, desk_file: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_rule.py").write_text(
        "from dataclasses import dataclass\n"
        "from mmbot.plugins.registry import Family, register\n"
        "@register(Family.RULE, 'own_rule')\n"
        "@dataclass(frozen=True, slots=True)\n"
        "class OwnRule:\n"
        "    share: float = 0.5\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    path = desk_file("plugins = ['own_rule']\n" + DESK + "[risk.own_rule]\nshare = 0.25\n")
    rules = load_config({}, path).lone.rules
    assert "OwnRule(share=0.25)" in repr(rules[0].build())
    assert [rule.name for rule in rules[1:]] == [r.name for r in load_config(OPTIONS).lone.rules]


def guard_of(config: Config, name: str) -> Any:
    return next(guard.build() for guard in config.guards if guard.name == name)


def test_every_guard_watches_whatever_the_file_sets(desk_file: Any) -> None:
    path = desk_file(DESK + "[guards.session_loss]\nlimit_usd = 100\n")
    config = load_config({}, path)
    assert sorted(guard.name for guard in config.guards) == sorted(DEFAULT_GUARDS)
    assert guard_of(config, "session_loss").limit_usd == 100
    assert config.origin("guards.session_loss.limit_usd") == f"{path}:5"


def test_the_guard_of_positions_stands_at_twice_the_rules_limit(desk_file: Any) -> None:
    assert guard_of(load_config(OPTIONS), "position").limit == Size(Decimal(20), LOTS)
    assert guard_of(load_config(OPTIONS | {"--max-position": "7"}), "position").limit == Size(
        Decimal(14)
    )
    in_usd = load_config(OPTIONS | {"--max-position": "7000 USD"})
    assert guard_of(in_usd, "position").limit == Size(Decimal(14000), "USD")
    own = desk_file(DESK + "[risk.max_position]\nlimit = 7\n[guards.position]\nlimit = 9\n")
    assert guard_of(load_config({}, own), "position").limit == Size(Decimal(9))


def test_a_bad_limit_is_told_where_it_was_written_and_not_as_the_guards() -> None:
    assert "[risk.max_position]" in refusal({**OPTIONS, "--max-position": "-1"})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[guards.sesion_loss]", "unknown guards 'sesion_loss'; did you mean 'session_loss'?"),
        ("[guards]\nsession_loss = 5", "expected a table such as [guards.NAME]"),
        ("[guards.clock_skew]\nlimit_s = 2", "[guards.clock_skew] limit_s = 2: expected"),
    ],
)
def test_a_guard_written_wrong_is_one_line(desk_file: Any, text: str, said: str) -> None:
    assert said in refusal({}, desk_file(DESK + text + "\n"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_every_desk_in_configs_is_valid(path: Path) -> None:
    assert load_config({}, path).run.mode is Mode.SIM


def test_the_options_desk_in_configs_is_the_default_one() -> None:
    written = load_config({}, next(p for p in CONFIGS if p.name == "deribit-eth-options.toml"))
    default = load_config(OPTIONS)
    assert (written.run, written.sim) == (default.run, default.sim)
    assert written.lone.settings == default.lone.settings
    for one, other in zip(
        (written.lone.strategy, *written.lone.rules),
        (default.lone.strategy, *default.lone.rules),
        strict=True,
    ):
        assert on_an_option(one.build()) == on_an_option(other.build())


def on_an_option(built: Any) -> dict[str, object]:
    """The settings, with every size as the amount it is there."""
    settings = {field.name: getattr(built, field.name) for field in fields(built)}
    option = an_option()
    return {
        name: amount_of(value, option, 2850.0, 0.02) if isinstance(value, Size) else value
        for name, value in settings.items()
    }


def test_the_simulator_gets_a_key_pair_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DERIBIT_API_SECRET", "real")
    monkeypatch.delenv("MMBOT_SIM_KEY", raising=False)
    monkeypatch.delenv("MMBOT_SIM_SECRET", raising=False)
    pair = credentials_of(Site(Mode.SIM, "deribit", "deribit"), tmp_path)
    assert (pair["key"], pair["secret"]) == ("sim", "sim")


def test_the_environment_wins_over_the_env_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("MMBOT_SIM_KEY=filed\nMMBOT_SIM_SECRET=filed-secret\n")
    monkeypatch.setenv("MMBOT_SIM_KEY", "set")
    monkeypatch.delenv("MMBOT_SIM_SECRET", raising=False)
    pair = credentials_of(Site(Mode.SIM, "deribit", "deribit"), tmp_path)
    assert (pair["key"], pair["secret"]) == ("set", "filed-secret")
    assert "filed-secret" not in repr(pair)
