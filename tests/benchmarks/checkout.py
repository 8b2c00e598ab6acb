"""The mmbot of a commit, in a work tree of its own under a temporary folder, with our packages."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory


@dataclass(frozen=True, slots=True)
class Checkout:
    """A source tree whose mmbot is measured."""

    name: str
    root: Path

    def environment(self, **more: str) -> Mapping[str, str]:
        """The environment in which `import mmbot` finds this tree."""
        return {**os.environ, "PYTHONPATH": str(self.root), **more}


OURS = Checkout("mmbot", Path(__file__).parents[2])


@contextmanager
def checked_out(commit: str) -> Iterator[Checkout]:
    """The tree of a commit, as long as it is needed. Raises RuntimeError if git cannot."""
    with TemporaryDirectory(prefix="mmbot-bench-") as folder:
        root = Path(folder) / "base"
        _git("worktree", "add", "--detach", str(root), commit)
        try:
            yield Checkout(_git("rev-parse", "--short", f"{commit}^{{commit}}"), root)
        finally:
            _git("worktree", "remove", "--force", str(root))


def _git(*words: str) -> str:
    command = ["git", "-C", str(OURS.root), *words]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip() or f"git {words[0]} failed")
    return done.stdout.strip()
