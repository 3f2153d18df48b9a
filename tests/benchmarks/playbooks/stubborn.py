"""What is hard to kill. Each says that it is there by writing the file `inputs.file`."""

from __future__ import annotations

import ctypes
import subprocess
import time
from pathlib import Path

from prefect_phantom import PlaybookRun, playbook

OWN_SESSIONS = "setsid sleep 600 & setsid sleep 600 & echo; wait"


@playbook
def blocked(run: PlaybookRun) -> None:
    """Wait in C for what never comes, with the interpreter's lock: deaf for SIGTERM."""
    lock, library = ctypes.create_string_buffer(64), ctypes.PyDLL(None)
    library.pthread_mutex_lock(lock)
    Path(run.inputs["file"]).touch()
    library.pthread_mutex_lock(lock)


@playbook
def grandchildren(run: PlaybookRun) -> None:
    """Wait beside a child whose children lead sessions of their own."""
    with subprocess.Popen(["/bin/sh", "-c", OWN_SESSIONS], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        Path(run.inputs["file"]).touch()
        time.sleep(600)
