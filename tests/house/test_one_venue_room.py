"""A venue is a plug-in that the rest does not know: its name stands in its own two rooms, and in a
few lines elsewhere (what is usual, an example, where a rule was taken from)."""

from pathlib import Path

ROOT = Path(__file__).parents[2]

NAME = "deribit"
ROOMS = ("mmbot/venues/deribit/", "mmbot/sim/wire/deribit/")
LINES_MAX = 15


def lines_that_name_it(files: dict[str, str]) -> list[str]:
    """Every line outside its rooms with the venue's name in it, in whatever case."""
    return [
        f"{path}:{number} {line.strip()}"
        for path, text in files.items()
        if not path.startswith(ROOMS)
        for number, line in enumerate(text.splitlines(), 1)
        if NAME in line.lower()
    ]


def test_the_name_of_a_venue_stands_in_its_own_rooms() -> None:
    files = {
        str(path.relative_to(ROOT)): path.read_text()
        for path in sorted((ROOT / "mmbot").rglob("*.py"))
    }
    assert all(any(path.startswith(room) for path in files) for room in ROOMS)
    found = lines_that_name_it(files)
    assert len(found) <= LINES_MAX, "\n".join(found)


def test_a_line_that_names_it_is_found() -> None:
    files = {
        "mmbot/engine/x.py": "import os\nfrom mmbot.venues.deribit import venue\n# Deribit's\n",
        "mmbot/venues/deribit/x.py": "# Deribit\n",
        "mmbot/venues/x.py": "NAME = 'DERIBIT'\n",
    }
    assert lines_that_name_it(files) == [
        "mmbot/engine/x.py:2 from mmbot.venues.deribit import venue",
        "mmbot/engine/x.py:3 # Deribit's",
        "mmbot/venues/x.py:1 NAME = 'DERIBIT'",
    ]
