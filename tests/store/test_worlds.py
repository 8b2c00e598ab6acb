"""What a store knows of the simulated worlds that were started for its runs."""

from pathlib import Path

from mmbot.config import Mode
from mmbot.store import worlds
from mmbot.store.database import open_store
from mmbot.store.locations import locate
from mmbot.store.worlds import World

AT = "2025-06-02T12:00:00+00:00"
ALONE = World(1, AT, "100", 7, {"deribit": "http://127.0.0.1:1"})
BOTH = World(
    1, AT, "200", 8, {"deribit": "http://127.0.0.1:2", "deribit:hedge": "http://127.0.0.1:3"}
)
ANOTHER_SEED = World(2**63 - 1, AT, "300", 9, {"deribit": "http://127.0.0.1:4"})
ANOTHER_DATE = World(1, "2025-06-03", "400", 9, {"deribit": "http://127.0.0.1:5"})


def test_worlds_of_a_seed_and_date_are_known_with_their_venues_the_last_one_first(
    tmp_path: Path,
) -> None:
    database = open_store(locate(Mode.SIM, {"MMBOT_HOME": str(tmp_path)}))
    assert worlds.known(database, 1, AT) == []
    for number, world in enumerate((ALONE, BOTH, ANOTHER_SEED, ANOTHER_DATE)):
        worlds.remember(database, world, number)
    assert worlds.known(database, 1, AT) == [BOTH, ALONE]
    assert list(worlds.known(database, 1, AT)[0].urls) == ["deribit", "deribit:hedge"]
    assert worlds.known(database, 2**63 - 1, AT) == [ANOTHER_SEED]
