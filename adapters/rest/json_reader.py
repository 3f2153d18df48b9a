"""What `JsonProcess` runs: it answers calls from its standard input until that ends."""

from __future__ import annotations

import gc
import pickle
import signal
import sys

from adapters.errors import BadBody
from adapters.niceness import give_way
from adapters.stop_signals import STOP_SIGNALS

SIZE_BYTES = 8
NICENESS = 5
"""Whoever sends much waits for whoever sends little."""


def main() -> None:
    """Carry out one call after the other: ``(function, arguments)``, ``(reason, answer)``."""
    # It ends with the process that started it, not with a signal to their group.
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    give_way(NICENESS)
    gc.disable()  # nothing that is parsed refers to itself
    calls, answers = sys.stdin.buffer, sys.stdout.buffer
    while size := int.from_bytes(calls.read(SIZE_BYTES), "big"):
        function, arguments = pickle.loads(calls.read(size))  # noqa: S301 - it is the gateway's
        answer: tuple[str | None, object]
        try:
            answer = None, function(*arguments)
        except BadBody as error:
            answer = error.reason, None
        written = pickle.dumps(answer, pickle.HIGHEST_PROTOCOL)
        answers.write(len(written).to_bytes(SIZE_BYTES, "big"))
        answers.write(written)
        answers.flush()
        del function, arguments, answer, written


if __name__ == "__main__":
    main()
