"""Ctrl+C and worse, at the moments when it is least expected."""

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.terminal import MMBOT, Terminal
from tests.cli.test_quote import QUOTE


@contextmanager
def silence() -> Iterator[tuple[str, threading.Event]]:
    """A server that takes connections and never answers: its URL, and "somebody has come"."""
    kept: list[socket.socket] = []
    came = threading.Event()

    def accept() -> None:
        while True:
            try:
                kept.append(server.accept()[0])
            except OSError:
                return
            came.set()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", came
        server.shutdown(socket.SHUT_RDWR)
    thread.join(10)
    for connection in kept:
        connection.close()


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_ctrl_c_while_the_venue_does_not_answer_is_one_line(more: list[str]) -> None:
    with silence() as (url, came):
        bot = subprocess.Popen(
            [MMBOT, *QUOTE, "--sim-url", url, *more], stderr=subprocess.PIPE, text=True
        )
        assert came.wait(60)
        bot.send_signal(signal.SIGINT)
        _, err = bot.communicate(timeout=9)  # sooner than the request would give up by itself
    assert bot.returncode == 130
    first, last = err.splitlines()
    assert first.startswith("SIM")
    assert last in ("mmbot: interrupted", "mmbot: stopped before it had begun: nothing was sent")


def test_ctrl_c_while_it_is_still_importing_is_one_line(tmp_path: Path) -> None:
    # A plug-in that hangs stands for everything that takes time before the loop runs.
    (tmp_path / "slow.py").write_text("print('here', flush=True)\nimport time\ntime.sleep(60)\n")
    (tmp_path / "desk.toml").write_text("plugins = ['slow']\n[desk]\nsymbols = ['BTC-PERPETUAL']\n")
    bot = subprocess.Popen(
        [MMBOT, "quote", "--config", "desk.toml"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}"},
    )
    assert bot.stdout is not None
    assert bot.stdout.readline() == "here\n"
    bot.send_signal(signal.SIGINT)
    _, err = bot.communicate(timeout=30)
    assert (bot.returncode, err) == (130, "mmbot: interrupted\n")


def test_after_kill_9_the_terminal_echoes_again(tmp_path: Path) -> None:
    number = tmp_path / "pid"
    # A shell that lives on, as a person's does.
    shell = f"sh -c 'echo $$ > {number}; exec {MMBOT} {' '.join(QUOTE)}'; read line"
    with Terminal("/bin/sh", "-c", shell) as terminal:
        terminal.wait_for("2900-P", deadline_s=60)
        terminal.until(lambda: not terminal.echoes(), "the table keeps keys out of itself")
        os.kill(int(number.read_text()), signal.SIGKILL)
        terminal.until(terminal.echoes, "keys are seen again")
        terminal.until(lambda: not terminal.cursor_hidden(), "the cursor is seen again")
        terminal.type("\n")
        assert terminal.exit_code() == 0
