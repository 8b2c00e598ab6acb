"""`make quote` from nothing: what a person sees while it installs. The real Makefile, a pip that is
played."""

import subprocess
from pathlib import Path

import pytest

from tests.cli.terminal import Terminal

ROOT = Path(__file__).parents[2]

PIP = """#!/bin/sh
# Both the python that makes .venv and the one in it.
if [ "$2" = venv ]; then mkdir -p .venv/bin; cp "$0" .venv/bin/python; exit; fi
for number in 1 2 3 4 5 6 7 8 9 10 11 12; do
    echo "Collecting package-$number==1.0 (from mmbot==0.1.0)"
    echo "  Downloading package-$number-1.0.whl (1 kB)"
done
if [ -e broken ]; then echo "ERROR: no such thing" >&2; exit 3; fi
echo "Installing collected packages: package-1"
echo "Successfully installed package-1-1.0"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that nothing was installed in."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "python").write_text(PIP)
    (tmp_path / "python").chmod(0o755)
    return tmp_path


def install(checkout: Path) -> subprocess.CompletedProcess[str]:
    command = ["make", "-C", str(checkout), "install", "PYTHON=./python"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_every_step_is_a_line_and_packages_are_counted(checkout: Path) -> None:
    done = install(checkout)
    assert done.returncode == 0, done.stderr
    lines = [line.strip() for line in done.stdout.splitlines() if not line.startswith("make")]
    assert lines == [
        "installing into .venv, once: a minute or two",
        "1/3  making .venv with ./python",
        "2/3  downloading what it needs",
        "10 packages",
        "12 packages",
        "3/3  installing them: half a minute",
        "installed",
    ]
    assert "once" not in install(checkout).stdout, "it is there"


def test_on_a_terminal_one_line_counts(checkout: Path) -> None:
    with Terminal("make", "-C", str(checkout), "install", "PYTHON=./python") as terminal:
        assert terminal.exit_code() == 0
        text = terminal.text()
    assert text.count(" packages") == 1
    assert "      12 packages\n" in text
    assert "package-" not in text


def test_what_goes_wrong_is_told_and_tried_again(checkout: Path) -> None:
    (checkout / "broken").touch()
    done = install(checkout)
    assert done.returncode != 0
    assert "ERROR: no such thing" in done.stderr
    assert "not installed: all that pip said is in .venv/install.log" in done.stderr
    (checkout / "broken").unlink()
    assert "installed" in install(checkout).stdout.splitlines()[-2:]
