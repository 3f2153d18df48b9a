"""Work that takes as long as whoever wrote its input wants: it is ended with its process.

A regular expression can be busy with a few thousand characters for minutes, and nothing in its own
process ends that, least of all in a thread. What is small is done here, where it costs nothing.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import select
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from prefect_phantom.apps import _work
from prefect_phantom.apps._web.deadline import Deadline
from prefect_phantom.flows.process.warm.reaper import keep_until_end

SMALL = 2_000
"""In characters: what the slowest of these libraries does in less than a second, as measured."""
AT_ONCE = 2
"""So many pieces of work at once; further ones wait. More would only share the processors."""
LONGEST_WAIT = 0.5
"""In seconds, at a time: a time limit of the action's own is noticed in a thread in between."""
KEPT_VARIABLES = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "LANG", "LC_ALL")
"""What the process sees of this one's environment, which may hold secrets."""
_LOOP = str(Path(_work.__path__[0]) / "__main__.py")


class WorkFailed(Exception):
    """The work raised an exception, or ended its process."""


def in_time(deadline: Deadline, work: str, *arguments: Any, size: int, small: int = SMALL) -> Any:  # noqa: ANN401 - whatever it returns
    """What a piece of work returns.

    Args:
        deadline: When it is given up.
        work: The module beside this one and the function in it: ``indicators.find``.
        arguments: What it is called with, of types that JSON knows.
        size: How large that is.
        small: Up to which size it is done in this process.

    Raises:
        TimeoutError: it is not done in time.
        WorkFailed: it failed.

    """
    seconds = deadline.left()
    if size <= small:
        module, _, function = work.partition(".")
        try:
            found = importlib.import_module(f"{_work.__name__}.{module}")
            return getattr(found, function)(*arguments)
        except TimeoutError:
            raise  # a time limit of the action's own
        except Exception as error:
            raise WorkFailed(f"{type(error).__name__}: {error}") from error
    asked = {"function": work, "arguments": arguments, "seconds": seconds}
    answer = _PROCESSES.ask(deadline, json.dumps(asked).encode())
    if "error" in answer:
        raise WorkFailed(answer["error"])
    return answer["value"]


class _Gone(Exception):
    """A process ended before it answered; with code 0 because it had been idle for long."""


class _Process:
    """Does one piece of work after the other, until it is idle for long."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own file
            [sys.executable, "-P", _LOOP],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ},
            bufsize=0,
        )
        self._input, self._output = map(_descriptor, (self._process.stdin, self._process.stdout))
        os.set_blocking(self._input, False)

    def ask(self, deadline: Deadline, said: bytes) -> dict[str, Any]:
        """Its answer. Raises `TimeoutError` and `_Gone`, and is not to be asked again then."""
        rest = memoryview(len(said).to_bytes(8) + said)
        try:
            while rest:
                self._wait(deadline, write=True)
                rest = rest[os.write(self._input, rest) :]
            length = int.from_bytes(self._read(deadline, 8))
            answer: dict[str, Any] = json.loads(self._read(deadline, length))
        except BrokenPipeError:
            raise _Gone from None
        return answer

    def _read(self, deadline: Deadline, length: int) -> bytes:
        octets = bytearray()
        while len(octets) < length:
            self._wait(deadline)
            piece = os.read(self._output, min(length - len(octets), 1 << 20))
            if not piece:
                raise _Gone
            octets += piece
        return bytes(octets)

    def _wait(self, deadline: Deadline, *, write: bool = False) -> None:
        poll = select.poll()
        poll.register(*((self._input, select.POLLOUT) if write else (self._output, select.POLLIN)))
        while not poll.poll(deadline.left(LONGEST_WAIT) * 1000):
            pass

    def end(self, patience: float = 0) -> int:
        """End it, by force if it does not within so many seconds; its exit code."""
        with self._process:
            with suppress(subprocess.TimeoutExpired):
                return self._process.wait(patience)
            self._process.kill()
            return self._process.wait()


def _descriptor(pipe: IO[bytes] | None) -> int:
    assert pipe is not None  # noqa: S101 - it was asked for
    return pipe.fileno()


class _Processes:
    """The processes that work for this one; each is started when it is needed."""

    def __init__(self) -> None:
        self._begin()
        os.register_at_fork(after_in_child=self._begin)  # those of a parent are not ours
        atexit.register(self.end)
        keep_until_end(self.end)

    def _begin(self) -> None:
        self._idle: list[_Process] = []
        self._places = threading.BoundedSemaphore(AT_ONCE)

    def end(self) -> None:
        """End those that have nothing to do."""
        while self._idle:
            self._idle.pop().end()

    def ask(self, deadline: Deadline, said: bytes) -> dict[str, Any]:
        while not self._places.acquire(timeout=deadline.left(LONGEST_WAIT)):
            pass
        try:
            while True:
                process = self._idle.pop() if self._idle else _Process()
                try:
                    answer = process.ask(deadline, said)
                except _Gone:
                    code = process.end(patience=1)
                    if code != 0:
                        raise WorkFailed(f"its process ended with code {code}") from None
                except BaseException:
                    process.end()
                    raise
                else:
                    self._idle.append(process)
                    return answer
        finally:
            self._places.release()


_PROCESSES = _Processes()
