"""What `JsonProcess` runs: ``json_reader FD`` answers calls from that socket until it ends."""

from __future__ import annotations

import gc
import pickle
import signal
import socket
import sys
import traceback
from typing import TypeAlias

from prefect_phantom.adapters.errors import BadBody
from prefect_phantom.adapters.process.niceness import give_way
from prefect_phantom.adapters.process.stop_signals import STOP_SIGNALS

SIZE_BYTES = 8
"""What stands before each message: how long it is."""
NICENESS = 5
"""Whoever sends much waits for whoever sends little."""
Outcome: TypeAlias = tuple[object, str | None, str | None]
"""What a function returned; else the reason of its `BadBody`, or the traceback of any other."""


def main(descriptor: int) -> None:
    """Carry out one call ``(function, arguments)`` after the other."""
    # It ends with the process that started it, not with a signal to their group.
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    give_way(NICENESS)
    gc.disable()  # nothing that is parsed refers to itself
    with socket.socket(fileno=descriptor) as channel, channel.makefile("rb") as calls:
        while size := int.from_bytes(calls.read(SIZE_BYTES), "big"):
            written = _outcome(calls.read(size))
            channel.sendall(len(written).to_bytes(SIZE_BYTES, "big"))
            channel.sendall(written)
            del written


def _outcome(call: bytes) -> bytes:
    outcome: Outcome
    try:
        function, arguments = pickle.loads(call)  # noqa: S301 - it is the gateway's
        outcome = function(*arguments), None, None
    except BadBody as error:
        outcome = None, error.reason, None
    except Exception:  # noqa: BLE001 - it is raised where it was asked for
        outcome = None, None, traceback.format_exc()
    return pickle.dumps(outcome, pickle.HIGHEST_PROTOCOL)


if __name__ == "__main__":
    main(int(sys.argv[1]))
