"""Start a program of ours that no other process of the same user can look into.

``python -P undumpable.py MODULE ARGUMENT...``: it closes itself first, then asks for its secrets
over the socket whose descriptor is in its environment, and only then becomes the program.
It is of the standard library alone, since all else takes a second to import, in which anybody could
look.
"""

from __future__ import annotations

import ctypes
import json
import os
import runpy
import sys
from pathlib import Path

DESCRIPTOR = "PREFECT_PHANTOM_SECRETS_FROM"
"""Variable with the descriptor of a socket, over which further variables come as a JSON object."""
SOUGHT = ("PREFECT_PHANTOM_PART", "PREFECT_PHANTOM_STARTED_BY")
"""Variables of processes that others of their user must find: parts of `up`, and of a worker."""
SET_DUMPABLE = 4
MOUNTS = Path("/proc/self/mounts")


def become_undumpable(*, sought: bool = False) -> None:
    """Close this process, and whatever it forks: its memory and what is in ``/proc`` about it.

    Only root may look there then. Executing another program opens a process again. Where ``/proc``
    shows processes to those alone who may look into them, one that others of its user must find
    would be lost to them, as its runs to a worker that is not root's: so nothing is done, and other
    users see nothing all the same. `sought`, or a variable of `SOUGHT`, says that it is one.
    """
    sought = sought or any(name in os.environ for name in SOUGHT)
    if sought and os.geteuid() != 0 and is_hidden(MOUNTS.read_text()):
        return
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(SET_DUMPABLE, 0, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_DUMPABLE)")


def is_hidden(mounts: str) -> bool:
    """Whether ``/proc`` is mounted with the option ``hidepid``; `mounts` is ``/proc/mounts``."""
    lines = (line.split() for line in mounts.splitlines())
    options = [words[3].split(",") for words in lines if words[1:3] == ["/proc", "proc"]]
    # The last one lies over those before it.
    hiding = [option for option in (options or [[]])[-1] if option.startswith("hidepid=")]
    return any(option not in {"hidepid=0", "hidepid=off"} for option in hiding)


def receive_secrets() -> None:
    """Ask for further variables; others never see them in this process's environment."""
    descriptor = os.environ.pop(DESCRIPTOR, None)
    if descriptor is not None:
        with os.fdopen(int(descriptor), "r+b", buffering=0) as channel:
            channel.write(b".")  # closed from now on
            os.environ.update(json.loads(channel.read()))


if __name__ == "__main__":
    become_undumpable()
    receive_secrets()
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
