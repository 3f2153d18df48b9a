"""`make` says what there is, and `make test` shows both halves while they run."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.system import HEARING, OWN_ENVIRONMENT, RUN_SECONDS

ROOT = Path(__file__).parents[2]
INSTALLED = [
    f"--assume-old=.venv/{name}complete" for name in ("", "infrastructure/", "deployments/")
]
"""Nothing is installed anew while other tests use it."""
ENVIRONMENT = OWN_ENVIRONMENT | {"MAKEFLAGS": "", "MAKELEVEL": ""}

pytestmark = pytest.mark.timeout(3 * RUN_SECONDS)


@pytest.fixture
def halves(tmp_path: Path) -> list[str]:
    """Two halves: the first passes when the second has begun, which fails in the end."""
    begun = tmp_path / "begun"
    os.mkfifo(begun)
    (tmp_path / "test_first.py").write_text(
        f"def test_first():\n    assert open({str(begun)!r}).read() == 'begun'\n"
    )
    (tmp_path / "test_second.py").write_text(
        f"def test_second():\n    open({str(begun)!r}, 'w').write('begun')\n    assert 0\n"
    )
    return [f"HALF={tmp_path}/test_first.py", f"REST={tmp_path}/test_second.py"]


def test_make_alone_names_each_target_with_what_it_does() -> None:
    done = subprocess.run(
        ["make"], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=True
    )
    phony = re.findall(r"^\.PHONY: (help .*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    told = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert sorted(told) == sorted(phony[0].split())


def test_both_halves_are_shown_with_their_names_and_one_that_fails_is_told(
    halves: list[str],
) -> None:
    done = subprocess.run(
        ["make", *INSTALLED, "test", *halves],
        cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert re.search(r"^half: .*1 passed", done.stdout, re.MULTILINE), done.stdout + done.stderr
    assert re.search(r"^rest: .*1 failed", done.stdout, re.MULTILINE), done.stdout + done.stderr


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_halves_that_are_interrupted_end_and_say_so(
    halves: list[str], number: signal.Signals
) -> None:
    # Without the second half the first waits for ever.
    empty = ROOT / "tests" / "runtime_key.py"
    with subprocess.Popen(
        [*HEARING, "make", *INSTALLED, "test", halves[0], f"REST={empty}"],
        cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    ) as program:  # fmt: skip
        assert program.stdout is not None
        try:
            assert any("half: collected 1" in line for line in program.stdout)
            os.killpg(program.pid, number)
            # Its output ends with the last process that holds it.
            assert "Error 130" in program.stdout.read()
            assert program.wait(RUN_SECONDS) != 0
        finally:
            if program.poll() is None:
                os.killpg(program.pid, signal.SIGKILL)
