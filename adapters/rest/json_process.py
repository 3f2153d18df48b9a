"""A process that parses large JSON, so that the one that serves everybody does not."""

from __future__ import annotations

import asyncio
import atexit
import gc
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from typing import IO, TypeVar, cast

from adapters.errors import BadBody, Unavailable
from adapters.fair_semaphore import FairSemaphore

MOST_WAITING = 100
WAIT_SECONDS = 20.0
LARGEST_BYTES = 8 * 1024 * 1024
"""After more than this another process is begun."""
SIZE_BYTES = 8
"""What stands before each message: how long it is."""
INHERITED = frozenset(
    {
        *("HOME", "LANG", "LC_ALL", "PATH", "TZ", "PYTHONDONTWRITEBYTECODE"),
        # By these `up` knows what belongs to a part.
        *("PREFECT_PHANTOM_HOME", "PREFECT_PHANTOM_PART"),
    }
)
"""What it sees of the environment: no secret."""
Answer = TypeVar("Answer")


class JsonProcess:
    """One process, started when it is first needed. Callers have their turns in it.

    What it is asked for is a function of a module, and what that returns comes back as a copy. It
    ends with this process, by the end of its standard input.
    """

    def __init__(self) -> None:
        self._turns = FairSemaphore(1, most_waiting=MOST_WAITING, seconds=WAIT_SECONDS)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="json")
        self._process: subprocess.Popen[bytes] | None = None

    async def call(
        self, key: Hashable, function: Callable[..., Answer], *arguments: object
    ) -> Answer:
        """What `function` returns for `arguments`, asked for by `key`.

        Raises:
            BadBody: the function did.
            TooMany: too many wait.
            Unavailable: the process ended meanwhile.
        """
        async with self._turns.place(key):
            loop = asyncio.get_running_loop()
            work = loop.run_in_executor(self._thread, self._ask, function, arguments)
            answer = await asyncio.shield(work)
        if isinstance(answer, BadBody):
            raise answer
        return cast("Answer", answer)

    def _ask(self, function: Callable[..., Answer], arguments: tuple[object, ...]) -> object:
        try:
            process = self._process or self._start()
            assert process.stdin is not None  # noqa: S101 - for mypy: both are pipes
            assert process.stdout is not None  # noqa: S101
            sent = pickle.dumps((function, arguments), pickle.HIGHEST_PROTOCOL)
            process.stdin.write(len(sent).to_bytes(SIZE_BYTES, "big"))
            process.stdin.write(sent)
            process.stdin.flush()
            size = int.from_bytes(_read(process.stdout, SIZE_BYTES), "big")
            reason, answer = _load(_read(process.stdout, size))
        except OSError as error:
            self._end()
            raise Unavailable from error
        if size + len(sent) > LARGEST_BYTES:
            self._end()  # it would keep the memory
        return answer if reason is None else BadBody(reason)

    def _start(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "adapters.rest.json_reader"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={name: value for name, value in os.environ.items() if name in INHERITED},
        )
        atexit.register(self._end)
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        atexit.unregister(self._end)
        if process is not None:
            process.kill()
            process.communicate()


def _read(stream: IO[bytes], size: int) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise BrokenPipeError
    return content


def _load(written: bytes) -> tuple[str | None, object]:
    """What was written; looking at it for cycles while it grows would take longer than that."""
    collected = gc.isenabled()
    gc.disable()
    try:
        loaded: tuple[str | None, object] = pickle.loads(written)  # noqa: S301 - it is our own
        return loaded
    finally:
        if collected:
            gc.enable()
