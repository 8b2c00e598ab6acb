"""Files that an editor has put something into: read, or refused with the place and the cure."""

from pathlib import Path

import pytest

from mmbot.cli.fault_plan import fault_plan
from mmbot.config import Mode, load_config
from mmbot.errors import ConfigError
from mmbot.venues.plugin import credentials_of
from mmbot.venues.site import Site

DESK = "[desk]\nsymbols = ['ETH-PERPETUAL']\n"
NAMES = ("DERIBIT_API_KEY", "DERIBIT_API_SECRET")


@pytest.fixture(autouse=True)
def _no_keys_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)


def desk(folder: Path, content: bytes) -> Path:
    path = folder / "desk.toml"
    path.write_bytes(content)
    return path


def refused_desk(folder: Path, text: str, encoding: str = "utf-8") -> str:
    """What is said of a desk file, without its name."""
    path = desk(folder, text.encode(encoding))
    with pytest.raises(ConfigError) as refused:
        load_config({}, path)
    said = str(refused.value)
    assert said.startswith(f"{path}: ")
    return said.removeprefix(f"{path}: ")


# --- desk files -------------------------------------------------------------------------------


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_byte_order_mark_is_no_part_of_a_desk_file(tmp_path: Path, newline: str) -> None:
    text = "\ufeff" + DESK.replace("\n", newline) + "refresh_s = 2" + newline
    config = load_config({}, desk(tmp_path, text.encode()))
    assert config.lone.settings.symbols == ("ETH-PERPETUAL",)
    assert config.origin("desk.refresh_s") == f"{tmp_path / 'desk.toml'}:3"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_named(tmp_path: Path, encoding: str) -> None:
    said = refused_desk(tmp_path, DESK, encoding)
    assert said == "cannot be read: it is UTF-16 text; save it as UTF-8"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "refresh_s\u00a0= 2",
            "line 3: a no-break space (U+00A0) in column 10: replace it with a plain space",
        ),
        (
            "venue = \u201cderibit\u201d",
            'line 3: a left double quotation mark (U+201C) in column 9: replace it with a plain "',
        ),
        (
            "venue = \u2018deribit\u2019",
            "line 3: a left single quotation mark (U+2018) in column 9: replace it with a plain '",
        ),
        ("refresh_s = \u22122", "line 3: a minus sign (U+2212) in column 13: replace it with a"),
        ("re\u200bfresh_s = 2", "line 3: a zero width space (U+200B) in column 3: remove it"),
        ("venue = 'deri\u200bbit'", "line 3: a zero width space (U+200B) in column 14: remove it"),
        ("refresh_s = 2\u2028", "line 3: a line separator (U+2028) in column 14: remove it"),
        ("venue = 'deribit\ufeff'", "line 3: a zero width no-break space (U+FEFF) in column 17"),
        ("größe = 2", "line 3: a latin small letter o with diaeresis (U+00F6) in column 3: put"),
    ],
)
def test_what_nobody_sees_in_a_desk_file_is_named_by_place(
    tmp_path: Path, line: str, said: str
) -> None:
    assert refused_desk(tmp_path, f"{DESK}{line}\n").startswith(said)


def test_a_comment_may_hold_what_it_likes(tmp_path: Path) -> None:
    comment = "# \u201cquoted\u201d\u00a0\u2013 \u200b \u2028 größe\n"
    text = comment + DESK + "stop_file = '/tmp/größe \\' # and\u00a0so on\nrefresh_s = 2\n"
    config = load_config({}, desk(tmp_path, text.encode()))
    assert config.run.stop_file == "/tmp/größe \\"
    assert config.origin("desk.refresh_s").endswith(":5")


def test_a_quote_mark_that_is_escaped_does_not_end_a_text(tmp_path: Path) -> None:
    said = refused_desk(tmp_path, DESK + 'venue = "a\\"ö#\u00a0"\n')
    assert said.startswith("line 3: a no-break space (U+00A0) in column 15")


# --- fault plans ------------------------------------------------------------------------------


def test_a_plan_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_bytes(b"\xef\xbb\xbflost_reply = 0.25\r\n")
    assert fault_plan(str(tmp_path / "plan.toml"), None).lost_reply == 0.25


def test_what_nobody_sees_in_a_plan_is_named_by_place(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text("# a plan\nlost_reply =\u00a00.25\n")
    with pytest.raises(ConfigError, match=r"plan.toml: line 2: a no-break space \(U\+00A0\) in c"):
        fault_plan(str(tmp_path / "plan.toml"), None)


# --- .env -------------------------------------------------------------------------------------


def pair(folder: Path, content: bytes) -> tuple[str, str]:
    (folder / ".env").write_bytes(content)
    found = credentials_of(Site(Mode.LIVE, "deribit", "deribit"), folder)
    return found["key"], found["secret"]


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_pair_is_read_whatever_the_editor(tmp_path: Path, newline: bytes, mark: bytes) -> None:
    lines = (b"DERIBIT_API_KEY=ann", b"export DERIBIT_API_SECRET='se#cret' # mine", b"")
    assert pair(tmp_path, mark + newline.join(lines)) == ("ann", "se#cret")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            "DERIBIT_API_KEY=\u201cann\u201d",
            'line 2: a left double quotation mark (U+201C) in column 17: replace it with a plain "',
        ),
        ("DERIBIT_API_KEY=ann\u00a0", "line 2: a no-break space (U+00A0) in column 20: replace"),
        ("\u200bDERIBIT_API_KEY=ann", "line 2: a zero width space (U+200B) in column 1: remove"),
        ("DERIBIT_\u00adAPI_KEY=ann", "line 2: a soft hyphen (U+00AD) in column 9: remove it"),
    ],
)
def test_what_no_key_holds_is_named_and_the_key_is_not(
    tmp_path: Path, line: str, said: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        pair(tmp_path, f"DERIBIT_API_SECRET=bob\n{line}\n".encode())
    assert str(refused.value).startswith(f"{tmp_path / '.env'}: {said}")
    assert "ann" not in str(refused.value).removeprefix(str(tmp_path))


def test_what_other_programs_keep_in_the_file_is_their_affair(tmp_path: Path) -> None:
    text = "GREETING=\u201cgrüß\u00a0Gott\u201d\nDERIBIT_API_KEY=ann # m\u00e9moire\n"
    assert pair(tmp_path, f"{text}DERIBIT_API_SECRET=bob\n".encode()) == ("ann", "bob")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"DERIBIT_API_KEY=\xe9\n", "cannot be read: not UTF-8 text"),
        ("DERIBIT_API_KEY=a\n".encode("utf-16"), "cannot be read: it is UTF-16 text; save it as U"),
    ],
)
def test_a_file_of_another_encoding_is_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        pair(tmp_path, content)
    assert str(refused.value).startswith(f"{tmp_path / '.env'}: {said}")


def test_a_folder_named_env_holds_no_pair(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    with pytest.raises(ConfigError, match="DERIBIT_API_KEY and DERIBIT_API_SECRET are not set"):
        credentials_of(Site(Mode.LIVE, "deribit", "deribit"), tmp_path)
