"""`mmbot simulate`: what it prints, how it ends, and that it is the same on one core or two."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from mmbot.cli.simulate import _again as again
from mmbot.core.books import Market
from mmbot.research.simulate import Wish
from mmbot.sim.models.faults import Harshness
from mmbot.sim.models.finality import Finality
from tests.cli.inprocess import Mmbot
from tests.cli.terminal import MMBOT

DESK = """\
[desk]
symbols = ["ETH-PERPETUAL"]

[strategy.improve_top]
size = 1000

[risk.stale_market]

[risk.max_position]
limit = 3000
"""


@pytest.fixture
def mmbot(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Mmbot:
    return Mmbot(monkeypatch, capsys)


@pytest.fixture
def desk(tmp_path: Path) -> str:
    path = tmp_path / "desk.toml"
    path.write_text(DESK)
    return str(path)


def test_it_prints_what_has_been_done(mmbot: Mmbot, desk: str) -> None:
    page = mmbot.page("simulate", desk, "--seeds", "2", "--from", "5")
    for said in ("2 of 2, from 5", "ETH-PERPETUAL", "simulated time", "hash of hashes"):
        assert said in page


def test_json_is_one_object_and_the_same_every_time(mmbot: Mmbot, desk: str) -> None:
    said = mmbot.json("simulate", desk, "--seeds", "2")
    again = mmbot.json("simulate", desk, "--seeds", "2")
    assert said["seeds"] == 2
    assert said["instruments"] == ["ETH-PERPETUAL"]
    assert said["turns"] > 500
    assert said["violations"] == []
    for measured in ("turns_per_s",):
        said.pop(measured)
        again.pop(measured)
    assert again == said


def test_without_faults_nothing_goes_wrong(mmbot: Mmbot, desk: str) -> None:
    said = mmbot.json("simulate", desk, "--seeds", "1", "--faults", "none")
    assert said["faults_injected"] == {}
    assert said["crashes"] == 0


def test_fills_may_be_voided_and_the_command_that_shows_it_again_says_so(
    mmbot: Mmbot, desk: str
) -> None:
    said = mmbot.json("simulate", desk, "--seeds", "4", "--finality", "late")
    assert (said["finality"], said["violations"]) == ("late", [])
    assert said["faults_injected"]["voided_fill"] > 0
    final = mmbot.json("simulate", desk, "--seeds", "4")
    assert (final["finality"], final["faults_injected"].get("voided_fill")) == ("final", None)
    wish = Wish(Path(desk), 1, 4, Harshness.HARSH, finality=Finality.LATE)
    assert " --finality late" in again(7, wish)


def test_manners_are_drawn_or_fixed(mmbot: Mmbot, desk: str) -> None:
    """Seed 1 draws odd manners: fixed, they are the same history, and plain ones another one."""
    asked = ("simulate", desk, "--seeds", "1", "--hours", "0.005")
    drawn = mmbot.json(*asked)
    fixed = {how: mmbot.json(*asked, "--manners", how) for how in ("plain", "thin", "odd")}
    assert drawn["manners"] is None
    assert [one["manners"] for one in fixed.values()] == ["plain", "thin", "odd"]
    assert fixed["odd"]["hash"] == drawn["hash"]
    assert fixed["plain"]["hash"] != drawn["hash"]
    assert all(one["violations"] == [] for one in fixed.values())


def test_hours_say_how_long_a_history_is(mmbot: Mmbot, desk: str) -> None:
    said = mmbot.json("simulate", desk, "--seeds", "1", "--hours", "0.02", "--faults", "none")
    assert 72 <= said["simulated_s"] < 80


def test_of_fills_that_may_be_taken_back_some_are_and_everything_holds(
    mmbot: Mmbot, desk: str
) -> None:
    said = mmbot.json("simulate", desk, "--seeds", "6", "--faults", "harsh", "--finality", "late")
    assert (said["finality"], said["failed"], said["violations"]) == ("late", 0, [])
    assert said["faults_injected"]["voided_fill"] > 0


def test_two_processes_say_the_same_as_one(mmbot: Mmbot, desk: str) -> None:
    """Nine seeds are shared out; one of them alone has the hash it has among them."""
    from mmbot.research import simulate

    wish = simulate.Wish(Path(desk), 1, 9, Harshness.MILD, hours=0.005)  # 162 s
    assert wish.lasts_s > simulate.ALONE_S
    shared = [outcome.hash for outcome in simulate.outcomes(wish)]
    assert shared == [simulate.run(wish, seed).hash for seed in wish.seeds]


def test_a_violation_names_seed_event_and_command(
    mmbot: Mmbot, desk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Market, "lose_book", lambda self, why: None)
    command = ("simulate", desk, "--seeds", "4", "--from", "3", "--faults", "harsh")
    code, out, err = mmbot.run(*command)
    assert code == 1
    assert "book: " in err
    assert "turn " in err
    seed = int(err.split()[1].rstrip(":"))
    assert f"again: mmbot simulate {desk} --seeds 1 --from {seed} --faults harsh" in err
    assert "violations" in out
    said = mmbot.json(*command, code=1)
    [first, *_] = said["violations"]
    assert (first["seed"], first["check"]) == (seed, "book")
    assert first["reproduce"].endswith(f"--seeds 1 --from {seed} --faults harsh")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--seeds", "0"], "--seeds: seeds = 0: expected a whole number at least 1"),
        (["--seeds", "many"], "--seeds: seeds = 'many': expected a whole number"),
        (["--from", "-1"], "--from: first = -1: expected a whole number at least 0"),
        (["--faults", "hrsh"], "did you mean 'harsh'?"),
        (["--hours", "0"], "--hours: hours = 0: expected a number greater than 0"),
        (["--move", "edit"], "--move: move = 'edit': expected one of same_id, replace, none"),
        (["--echo", "id"], "--echo: echo = 'id': expected one of label, none"),
    ],
)
def test_bad_flags_are_one_line(mmbot: Mmbot, desk: str, flags: list[str], said: str) -> None:
    assert said in mmbot.refusal("simulate", desk, *flags)


def test_how_orders_live_is_asked_for_and_part_of_the_command_that_shows_a_seed_again(
    mmbot: Mmbot, desk: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lives = ("--move", "replace", "--echo", "none")
    said = mmbot.json("simulate", desk, "--seeds", "6", "--faults", "harsh", *lives)
    assert (said["move"], said["echo"], said["failed"]) == ("replace", "none", 0)
    assert said["requests"]["Replace"] > 0
    assert "Amend" not in said["requests"]
    monkeypatch.setattr(Market, "lose_book", lambda self, why: None)
    said = mmbot.json("simulate", desk, "--seeds", "4", "--from", "3", *lives, code=1)
    assert said["failed"] == len(said["violations"])
    assert said["violations"][0]["reproduce"].endswith("--move replace --echo none")


def test_a_file_that_names_what_is_not_listed_is_one_line(mmbot: Mmbot, tmp_path: Path) -> None:
    path = tmp_path / "desk.toml"
    path.write_text(DESK.replace("ETH-PERPETUAL", "ETH-PERPETUALS"))
    assert "did you mean ETH-PERPETUAL?" in mmbot.refusal("simulate", str(path))


def test_a_file_that_is_not_there_is_one_line(mmbot: Mmbot, tmp_path: Path) -> None:
    assert "cannot be read" in mmbot.refusal("simulate", str(tmp_path / "none.toml"))


TWO = str(Path(__file__).parents[2] / "configs" / "two-accounts.toml")


def test_of_several_desks_one_is_simulated_on_whichever_account(mmbot: Mmbot) -> None:
    perp = mmbot.json("simulate", TWO, "--desk", "perp", "--seeds", "1")
    assert (perp["desk"], perp["instruments"]) == ("perp", ["ETH-PERPETUAL"])
    assert perp["requests"]["Place"] > 0
    assert perp["violations"] == []
    options = mmbot.json("simulate", TWO, "--desk", "options", "--seeds", "1")
    assert len(options["instruments"]) == 4


def test_several_desks_run_together_on_their_accounts(mmbot: Mmbot) -> None:
    said = mmbot.json("simulate", TWO, "--seeds", "2")
    assert said["desk"] is None
    assert [(name, len(here)) for name, here in said["accounts"].items()] == [
        ("deribit", 4),
        ("hedge", 1),
    ]
    assert said["instruments"] == [*said["accounts"]["deribit"], "ETH-PERPETUAL"]
    assert (said["failed"], said["violations"]) == (0, [])
    page = mmbot.page("simulate", TWO, "--seeds", "1")
    [line] = [line for line in page.splitlines() if "hedge" in line]
    assert "deribit (4), hedge (1)" in line


def test_a_desk_that_is_not_in_the_file_is_one_line(mmbot: Mmbot) -> None:
    assert "did you mean 'perp'?" in mmbot.refusal("simulate", TWO, "--desk", "pert")


def test_a_violation_of_one_of_several_desks_is_shown_again_by_its_name(
    mmbot: Mmbot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Market, "lose_book", lambda self, why: None)
    said = mmbot.json("simulate", TWO, "--desk", "perp", "--seeds", "4", "--from", "3", code=1)
    for violation in said["violations"]:
        again = f"--desk perp --seeds 1 --from {violation['seed']} --faults harsh"
        assert violation["reproduce"] == f"mmbot simulate {TWO} {again}"


def test_ctrl_c_ends_it_with_what_has_been_done(desk: str) -> None:
    process = subprocess.Popen(
        [MMBOT, "simulate", desk, "--seeds", "100000"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline_s = time.monotonic() + 60
    try:
        while len(children.read_text().split()) < 2:
            assert time.monotonic() < deadline_s, "no worker"
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130
    assert "of 100,000" in out
    assert err == "mmbot: interrupted\n"


def test_nothing_is_imported_that_it_does_not_use() -> None:
    code = "import sys; import mmbot.research.simulate; print('ccxt' in sys.modules)"
    said = subprocess.run(
        [Path(MMBOT).parent / "python", "-c", code], capture_output=True, text=True, check=True
    )
    assert said.stdout == "False\n"
