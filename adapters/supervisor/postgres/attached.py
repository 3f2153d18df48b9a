"""A program that is not ours, ended with whoever started it: ``python -I attached.py COMMAND...``.

This process becomes the command. A small one beside it reads the pipes of `adapters.parent`, and
stops PostgreSQL by SIGINT, since it waits for its clients at SIGTERM. Of the standard library
alone, so that it is there at once.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from contextlib import suppress

FOLLOWERS_SECONDS = 30.0  # as in prefect_phantom.adapters.process.parent
STOPS = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0))
"""Fast shutdown, which writes all memory to the disk; immediate shutdown; kill."""


def _watch(program: int, parent: int, followers: int) -> None:
    """End the program, held by a descriptor, after its parent and those that need it."""
    if program in select.select([program, parent], [], [])[0]:
        return
    if program in select.select([program, followers], [], [], FOLLOWERS_SECONDS)[0]:
        return
    for number, seconds in STOPS:
        with suppress(ProcessLookupError):  # it has ended at this moment
            signal.pidfd_send_signal(program, number)
            signal.pidfd_send_signal(program, signal.SIGCONT)  # frozen, it would hear nothing else
        if select.select([program], [], [], seconds)[0]:
            return


def _main() -> None:
    # A shell that starts `up` in the background has it ignore these, and Python would note one that
    # comes just before the command, and lose it with this program.
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    text = os.environ.pop("PREFECT_PHANTOM_PARENT_PIPES", None)
    if text is not None:
        _attach(text.split(","))
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606 - no shell; the words are ours


def _attach(words: list[str]) -> None:
    pipes = [int(word) for word in words[:2]]  # the third is for programs of ours
    os.set_inheritable(int(words[2]), False)
    program = os.pidfd_open(os.getpid())
    child = os.fork()
    if child == 0:
        # Forked twice: the program does not know the child, and would wonder about its end.
        if os.fork() == 0:
            os.closerange(0, min(program, *pipes))
            _watch(program, *pipes)
        os._exit(0)
    os.waitpid(child, 0)
    for descriptor in (program, *pipes):
        os.set_inheritable(descriptor, False)


if __name__ == "__main__":
    _main()
