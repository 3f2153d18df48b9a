"""A worker as the first process of a container."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import require

CONTAINER = ["unshare", "--pid", "--fork", "--mount-proc"]
# Root needs no user namespace, which some machines allow to nobody.
if os.geteuid() != 0:
    CONTAINER += ["--user", "--map-root-user"]
SCRIPT = """
import os, signal, sys, time
from pathlib import Path
from prefect_phantom.adapters.process.first_process import leave_first_process

leave_first_process()
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
reader, writer = os.pipe()
if os.fork() == 0:
    orphan = os.fork()
    if orphan == 0:
        while os.getppid() != 1:
            time.sleep(0.01)
    else:
        os.write(writer, str(orphan).encode())
    os._exit(0)
os.wait()
orphan = Path("/proc") / os.read(reader, 100).decode()
deadline = time.monotonic() + 30
while orphan.exists() and time.monotonic() < deadline:
    time.sleep(0.01)
print("left behind" if orphan.exists() else "collected", flush=True)
os.kill(1, signal.SIGTERM)
signal.pause()
"""


def test_it_collects_what_loses_its_parent_and_passes_signals_and_exit_code_on() -> None:
    require(*CONTAINER, "true")
    done = subprocess.run(
        [*CONTAINER, sys.executable, "-c", SCRIPT],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (7, "collected\n", "")


def test_elsewhere_there_is_nothing_to_leave() -> None:
    script = (
        "from prefect_phantom.adapters.process.first_process import leave_first_process as leave\n"
        "leave()\nprint(1)"
    )
    words = [sys.executable, "-c", script]
    done = subprocess.run(words, cwd=Path(__file__).parents[2], capture_output=True, check=True)
    assert done.stdout == b"1\n"
