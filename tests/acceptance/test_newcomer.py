"""A clone in a folder with a blank, of a user who is not root, has no home and lets nobody read."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOBODY = 65534
PATH = "/usr/local/bin:/usr/bin:/bin"
"""Without folders of this user's own, which another one cannot enter."""
SECONDS = 1200

pytestmark = [pytest.mark.long, pytest.mark.timeout(2 * SECONDS)]


class Newcomer:
    """Runs commands in a clone of its own."""

    def __init__(self, clone: Path) -> None:
        self.clone = clone
        own = re.compile("HOME|XDG_|PYTHON|VIRTUAL_ENV|PREFECT|MAKE|ARGUMENTS$|CI$")
        kept = {name: text for name, text in os.environ.items() if not own.match(name)}
        self.environment = kept | {"PATH": PATH}

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """What a command prints, and its exit code."""
        somebody = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if _is_root() else {}
        return subprocess.run(
            command, cwd=self.clone, env=self.environment, umask=0o077, timeout=SECONDS,
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **somebody,
        )  # fmt: skip


@pytest.fixture(scope="module")
def newcomer() -> Iterator[Newcomer]:
    # Not below pytest's temporary folder, which is for its own user alone.
    folder = Path(tempfile.mkdtemp(prefix="new comer ", dir="/tmp"))
    try:
        clone = folder / "prefect phantom"
        subprocess.run(["git", "clone", "--quiet", "--no-hardlinks", ROOT, clone], check=True)
        if _is_root():
            for place in [folder, clone, *clone.rglob("*")]:
                os.chown(place, NOBODY, NOBODY, follow_symlinks=False)
        yield Newcomer(clone)
    finally:
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def python(newcomer: Newcomer) -> str:
    """A Python which that user may use, and which can make virtual environments."""
    asked = "import sys, ensurepip; sys.exit(sys.version_info < (3, 11))"
    for each in ("python3", sys.executable):
        if newcomer.run("sh", "-c", f"'{each}' -c '{asked}'").returncode == 0:
            return each
    assert not os.environ.get("CI"), "`.ci/run` installs a Python for other users"
    pytest.skip("no Python that another user may use: python3-venv of Debian is one")


def test_the_demo_holds(newcomer: Newcomer, python: str) -> None:
    done = newcomer.run("make", "demo", f"PYTHON={python}")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    assert "All of it held" in done.stdout


def test_tests_of_every_kind_pass(newcomer: Newcomer, python: str) -> None:
    half = "tests/contract/test_rates.py tests/integration/test_run.py tests/deployments"
    rest = "tests/unit/test_home.py tests/acceptance/test_up.py"
    # In two halves at a time, as without any argument.
    done = newcomer.run("make", "test", f"PYTHON={python}", f"HALF={half}", f"REST={rest}")
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    assert len(re.findall(r"\d+ passed", done.stdout)) == 2


def _is_root() -> bool:
    return os.geteuid() == 0
