"""The `mmbot` command in the test's own process."""

import json
import sys
from typing import Any

import pytest

from mmbot.cli import app


class Mmbot:
    """Runs commands; each ends like the real one."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self._monkeypatch, self._capsys = monkeypatch, capsys

    def run(self, *arguments: str) -> tuple[object, str, str]:
        """Exit code, stdout, stderr."""
        self._capsys.readouterr()
        self._monkeypatch.setattr(sys, "argv", ["mmbot", *arguments])
        with pytest.raises(SystemExit) as end:
            app.run()
        written = self._capsys.readouterr()
        return end.value.code, written.out, written.err

    def page(self, *arguments: str, code: int = 0) -> str:
        """What it prints for people: at most 100 columns."""
        ended, out, err = self.run(*arguments)
        assert ended == code, err
        assert max(map(len, out.splitlines()), default=0) <= 100, out
        return out

    def json(self, *arguments: str, code: int = 0) -> Any:
        """What it prints with --json: one object or array."""
        ended, out, err = self.run(*arguments, "--json")
        assert ended == code, err
        assert out.count("\n") == 1
        return json.loads(out)

    def refusal(self, *arguments: str, code: int = 2) -> str:
        """The one line it ends with."""
        ended, out, err = self.run(*arguments)
        assert (ended, out) == (code, ""), err
        assert err.startswith("mmbot: ")
        assert err.count("\n") == 1, err
        return err.removeprefix("mmbot: ").rstrip()
