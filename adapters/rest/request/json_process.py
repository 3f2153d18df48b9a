"""A process that parses large JSON, so that the one that serves everybody does not."""

from __future__ import annotations

import asyncio
import atexit
import gc
import os
import pickle
import socket
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import IO, TypeVar, cast

from prefect_phantom.adapters.errors import BadBody, BodyNotRead
from prefect_phantom.adapters.process.private_program import INHERITED, command
from prefect_phantom.adapters.rest.request.json_reader import SIZE_BYTES, Outcome

ANSWER_SECONDS = 15.0
"""A process that takes longer than this is killed, so that nobody waits for it for ever."""
LARGEST_BYTES = 8 * 1024 * 1024
"""After more than this another process is begun."""
Answer = TypeVar("Answer")


class ReaderFailed(Exception):
    """What was asked for failed there, with this traceback: a fault of ours."""


class JsonProcess:
    """One process, started when it is first needed, that does one thing after the other.

    What it is asked for is a function of a module, and what that returns comes back as a copy. It
    ends with this process, by the end of its socket.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="json")
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None

    async def call(self, function: Callable[..., Answer], *arguments: object) -> Answer:
        """What `function` returns for `arguments`.

        Raises:
            BadBody: the function did.
            ReaderFailed: it raised anything else.
            BodyNotRead: the process ended meanwhile, or did not answer in time.
        """
        loop = asyncio.get_running_loop()
        work = loop.run_in_executor(self._thread, self._ask, function, arguments)
        answer, reason, failure = await asyncio.shield(work)
        if reason is not None:
            raise BadBody(reason)
        if failure is not None:
            raise ReaderFailed(failure)
        return cast("Answer", answer)

    def _ask(self, function: Callable[..., Answer], arguments: tuple[object, ...]) -> Outcome:
        sent = pickle.dumps((function, arguments), pickle.HIGHEST_PROTOCOL)
        try:
            channel = self._running() or self._start()
            with channel.makefile("rb") as answers:
                channel.sendall(len(sent).to_bytes(SIZE_BYTES, "big"))
                channel.sendall(sent)
                size = int.from_bytes(_read(answers, SIZE_BYTES), "big")
                outcome = _load(_read(answers, size))
        except OSError as error:  # it has ended, or the time is over
            self._end()
            raise BodyNotRead from error
        if size + len(sent) > LARGEST_BYTES:
            self._end()  # it would keep the memory
        return outcome

    def _running(self) -> socket.socket | None:
        if self._process is None or self._process.poll() is not None:
            self._end()
        return self._channel

    def _start(self) -> socket.socket:
        self._channel, theirs = socket.socketpair()
        self._channel.settimeout(ANSWER_SECONDS)
        with theirs:
            # Closed to others of its user: a body may hold the secret of an asset.
            program = command(
                os.environ,
                "prefect_phantom.adapters.rest.request.json_reader",
                str(theirs.fileno()),
            )
            self._process = subprocess.Popen(  # noqa: S603 - our own
                program,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={name: value for name, value in os.environ.items() if name in INHERITED},
            )
        atexit.register(self._end)
        return self._channel

    def _end(self) -> None:
        atexit.unregister(self._end)
        channel, self._channel = self._channel, None
        process, self._process = self._process, None
        if channel is not None:
            channel.close()
        if process is not None:
            process.kill()
            process.wait()


def _read(stream: IO[bytes], size: int) -> bytes:
    content = stream.read(size)
    if len(content) < size:
        raise BrokenPipeError
    return content


def _load(written: bytes) -> Outcome:
    """What was written; looking at it for cycles while it grows would take longer than that."""
    collected = gc.isenabled()
    gc.disable()
    try:
        loaded: Outcome = pickle.loads(written)  # noqa: S301 - it is our own
        return loaded
    finally:
        if collected:
            gc.enable()
