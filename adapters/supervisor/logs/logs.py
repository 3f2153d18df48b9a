"""What the parts print into: pipes, which a process of its own reads into files of bounded size."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from prefect_phantom.adapters.supervisor.failure import CannotStart

PROGRAM = (sys.executable, "-I", str(Path(__file__).with_name("log_writer.py")))
FILE_BYTES = 16 * 1024 * 1024
"""A log is put aside when it is larger; see `log_writer` for how many are kept."""
END_SECONDS = 2.0
RESTART_SECONDS = 0.5
ANSWER_BYTES = 64


class Logs:
    """Keeps that process: whatever becomes of it, no part's pipe is ever without a reader."""

    def __init__(
        self,
        environment: Mapping[str, str],
        report: Callable[[str], object],
        file_bytes: int = FILE_BYTES,
    ) -> None:
        """`report` is told, in a sentence, when it cannot be started again."""
        self._environment = environment
        self._report = report
        self._file_bytes = file_bytes
        self._pipes: dict[Path, tuple[int, int]] = {}
        self._control: socket.socket | None = None
        self._process: Process | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._asked = 0
        self._asking = asyncio.Lock()

    async def start(self) -> None:
        """Start the process. Raises `CannotStart`."""
        try:
            await self._launch()
        except OSError as error:
            raise CannotStart(f"What writes the logs cannot be started ({error})") from error
        self._keeping = asyncio.create_task(self._keep(), name="keep logs")

    def writer(self, path: Path) -> int:
        """The descriptor to print into for the log at `path`."""
        if path not in self._pipes:
            self._pipes[path] = os.pipe()
            self._send(path)
        return self._pipes[path][1]

    async def flush(self) -> None:
        """Return when all that parts have printed by now is written."""
        if self._control is None:
            return
        loop = asyncio.get_running_loop()
        with suppress(OSError, TimeoutError):
            # One at a time: of two who read at once, the loop would wake one.
            async with self._asking, asyncio.timeout(END_SECONDS):
                self._asked += 1
                question = str(self._asked).encode()
                self._control.send(question)
                # The answer to an earlier one may have come too late for it.
                while await loop.sock_recv(self._control, ANSWER_BYTES) not in (question, b""):
                    pass

    async def close(self) -> None:
        """Let the process write what is left, and end."""
        if self._keeping is None or self._process is None or self._control is None:
            return
        self._keeping.cancel()
        await asyncio.gather(self._keeping, return_exceptions=True)
        for pipe in self._pipes.values():
            for descriptor in pipe:
                os.close(descriptor)
        self._pipes.clear()
        self._control.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                await self._process.wait()
        if self._process.returncode is None:  # something that escaped could still print
            self._process.kill()
            await self._process.wait()

    async def _launch(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        try:
            with theirs:
                self._process = await asyncio.create_subprocess_exec(
                    *(*PROGRAM, str(theirs.fileno()), str(self._file_bytes)),
                    pass_fds=[theirs.fileno()],
                    env=dict(self._environment),
                    stdin=DEVNULL,
                    stdout=DEVNULL,
                    stderr=DEVNULL,
                    start_new_session=True,
                )
        except BaseException:
            ours.close()
            raise
        if self._control is not None:
            self._control.close()
        self._control = ours
        for path in self._pipes:
            self._send(path)

    async def _keep(self) -> None:
        """Start it again whenever it ends; parts wait meanwhile, and lose nothing."""
        failed = False
        while self._process is not None:
            await self._process.wait()
            await asyncio.sleep(RESTART_SECONDS)
            try:
                await self._launch()
            except Exception as error:  # noqa: BLE001 - whatever it is, parts wait for a reader
                if not failed:
                    self._report(f"What writes the logs cannot be started again yet ({error!r})")
                failed = True
            else:
                failed = False

    def _send(self, path: Path) -> None:
        if self._control is not None:
            with suppress(OSError):  # it has just ended: the next one is told of all
                socket.send_fds(self._control, [os.fsencode(path)], [self._pipes[path][0]])
