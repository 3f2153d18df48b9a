"""What a program prints, passed on for as long as it or any of its children may print."""

from __future__ import annotations

import asyncio
import codecs
import os
import sys
from collections.abc import Callable
from contextlib import suppress

from prefect_phantom.flows.inside.display.visible_text import visible

CHUNK = 65_536
MOST_CHUNKS = 16
"""Far more than a pipe holds."""
LONGEST_LINE = 16_384
"""Characters: of a longer line each further part stands on a line of its own."""


class ProgramOutput:
    """Passes on to standard output what comes from a pipe, a line at a time.

    `hear` is called with each line. Whatever goes wrong with one, the pipe stays open and is read:
    who prints to a pipe without a reader dies of it, or waits for ever.
    """

    def __init__(self, descriptor: int, hear: Callable[[str], None]) -> None:
        self._descriptor = descriptor
        self._hear = hear
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._rest = ""
        self.ended = asyncio.Event()
        """Nobody holds the other side any more."""
        os.set_blocking(descriptor, False)
        asyncio.get_running_loop().add_reader(descriptor, self._read)

    def close(self) -> None:
        """Pass on what is there, and read no more."""
        asyncio.get_running_loop().remove_reader(self._descriptor)
        for _ in range(MOST_CHUNKS):
            if self.ended.is_set() or not self._read():
                break
        os.close(self._descriptor)

    def _read(self) -> bool:
        """Pass on what is there; False when there is nothing."""
        with suppress(BlockingIOError):
            chunk = os.read(self._descriptor, CHUNK)
            if not chunk:
                asyncio.get_running_loop().remove_reader(self._descriptor)
                self.ended.set()
            text = self._rest + self._decoder.decode(chunk, final=not chunk)
            *lines, self._rest = text.split("\n")
            if self._rest and (not chunk or len(self._rest) >= LONGEST_LINE):
                lines.append(self._rest)
                self._rest = ""
            for line in lines:
                self._pass_on(line)
            return True
        return False

    def _pass_on(self, line: str) -> None:
        for start in range(0, len(line) or 1, LONGEST_LINE):
            sys.stdout.write(visible(line[start : start + LONGEST_LINE] + "\n"))
        sys.stdout.flush()
        self._hear(line)
