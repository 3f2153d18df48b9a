"""Standard output and standard error of a process that must not depend on who reads them."""

from __future__ import annotations

import atexit
import io
import os
import queue
import select
import sys
import threading
import time
from contextlib import suppress
from typing import TextIO

MOST_TEXTS = 10_000
"""So many texts wait for a reader who is slow; what comes on top is lost."""
TOGETHER_SECONDS = 0.05
"""How long a text waits for others."""
LAST_SECONDS = 1.0
"""How long the end of the process waits for what is still to be written."""


class Output(io.TextIOBase):
    """Text for a descriptor, written by a thread: nobody waits for it, and it never fails.

    What cannot be written is lost: a closed pipe, a full one that nobody reads, a full disk, a
    terminal that is gone.
    """

    def __init__(self, stream: TextIO | None) -> None:
        # None: it was closed when the process began, and its number may be another file's by now.
        self._stream = stream
        self._encoding = stream.encoding if stream else "utf-8"
        self._texts: queue.SimpleQueue[bytes | threading.Event] = queue.SimpleQueue()
        threading.Thread(target=self._write_all, name="output", daemon=True).start()
        atexit.register(self.drain, LAST_SECONDS)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the stream."""
        return self._encoding

    def write(self, text: str) -> int:
        """Hand over text to be written; returns its length."""
        if self._texts.qsize() < MOST_TEXTS:
            self._texts.put(text.encode(self._encoding, errors="replace"))
        return len(text)

    def drain(self, seconds: float) -> bool:
        """Wait until all that was handed over is written or lost; False after `seconds`."""
        written = threading.Event()
        self._texts.put(written)
        return written.wait(seconds)

    def writable(self) -> bool:
        """It is."""
        return True

    def isatty(self) -> bool:
        """Whether a terminal shows it."""
        return self._stream is not None and self._stream.isatty()

    def fileno(self) -> int:
        """Of the stream; raises OSError when it was closed."""
        if self._stream is None:
            raise OSError("closed")
        return self._stream.fileno()

    def _write_all(self) -> None:
        while True:
            texts = [self._texts.get()]
            # Written together with what comes soon: each write hands the interpreter over.
            time.sleep(TOGETHER_SECONDS)
            with suppress(queue.Empty):
                while True:
                    texts.append(self._texts.get_nowait())
            text = b"".join(each for each in texts if isinstance(each, bytes))
            if text and self._stream is not None:
                _write(self._stream.fileno(), text)
            for each in texts:
                if isinstance(each, threading.Event):
                    each.set()


def _write(descriptor: int, text: bytes) -> None:
    """Write as much as can be, waiting for a reader if there is one."""
    while text:
        try:
            text = text[os.write(descriptor, text) :]
        except BlockingIOError:  # somebody else who has this file has said that it never waits
            select.select([], [descriptor], [])
        except OSError:
            return


def never_wait_for_output() -> None:
    """Have all that this process prints, logs or complains of written by threads from here on."""
    _fill_closed()
    sys.stdout, sys.stderr = Output(sys.__stdout__), Output(sys.__stderr__)


def _fill_closed() -> None:
    """Open what was closed of the standard streams, before anything else has their numbers."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest free number
