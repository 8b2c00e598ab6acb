"""What the documentation takes from the code is what the code says now."""

import re
from pathlib import Path

import pytest

from mmbot.core.order_life import Trigger
from tests.house.generated import ARCHITECTURE, BEGIN, END, pages
from tests.house.pages import DOCS, PAGES, PROJECT, README, code, title

LINK = re.compile(r"\]\((?!https?:)([^)#]+)[^)]*\)")
FILE = re.compile(r"(?:mmbot|tests|configs|docs)/[\w./-]*\w|\.env\.example")
MADE_UP = ("mmbot/venues/NAME", "mmbot/sim/wire/NAME", "tests/venues/NAME")


@pytest.mark.parametrize(
    ("page", "text"), pages().items(), ids=lambda one: getattr(one, "name", "")
)
def test_a_page_says_what_the_code_says_or_make_docs_writes_it(page: Path, text: str) -> None:
    assert page.read_text() == text


def test_an_order_table_of_old_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = ARCHITECTURE.read_text()
    table = whole.partition(BEGIN)[2].partition(END)[0]
    monkeypatch.setattr(Path, "read_text", lambda _: whole.replace("| LOST | UNKNOWN", "| LOST |"))
    assert table in pages()[ARCHITECTURE]


def test_every_trigger_of_an_order_is_put_into_words() -> None:
    words = ARCHITECTURE.read_text().partition(END)[2]
    assert [one.name for one in Trigger if not re.search(rf"\b{one.name}\b", words)] == []


def test_the_readme_is_short_and_leads_to_every_page() -> None:
    text = README.read_text()
    assert len(text.splitlines()) < 200
    named = {PROJECT / target for target in LINK.findall(text)}
    assert [title(page) for page in PAGES if page != README and page not in named] == []


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_what_a_page_leads_to_is_there(page: Path) -> None:
    links = list(LINK.findall(page.read_text()))
    assert [target for target in links if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=title)
def test_a_file_that_a_page_names_is_there(page: Path) -> None:
    named = {name for span in code(page.read_text()) for name in FILE.findall(span)}
    named = {name for name in named if not name.startswith(MADE_UP)}
    assert sorted(name for name in named if not (PROJECT / name).exists()) == []


def test_the_glossary_is_in_order_and_says_each_thing_once() -> None:
    terms = re.findall(r"^\* \*\*(.+?)\*\*: .+\.$", (DOCS / "glossary.md").read_text(), re.M)
    assert len(terms) >= 60
    assert terms == sorted(set(terms))
