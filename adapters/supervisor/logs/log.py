"""What a part has printed since its last start, read from its log."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from prefect_phantom.adapters.supervisor.home.home import PRIVATE_FILE

TAIL_BYTES = 64 * 1024
_TROUBLE = re.compile(r"fatal|error|exception|unshare:|refused|denied|in use", re.IGNORECASE)


class Log:
    """The log file of one part, which `logs.Logs` has written and puts aside when it is large."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._start = 0

    def begin(self) -> None:
        """A new process begins."""
        with suppress(OSError):
            self._start = self.path.stat().st_size

    def open(self) -> BinaryIO:
        """Open for a program that is over in a moment."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        file = os.fdopen(os.open(self.path, flags, PRIVATE_FILE), "ab")
        self._start = file.tell()
        return file

    def last_words(self) -> str:
        """The last line that tells of trouble, else the last that says anything."""
        with self._read() as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(min(self._start, end), end - TAIL_BYTES))
            text = file.read().decode(errors="replace")
        lines = [line for each in text.splitlines() if any(map(str.isalnum, line := each.strip()))]
        troubles = [line for line in lines if _TROUBLE.search(line)]
        return (troubles or lines or ["it wrote nothing"])[-1]

    @contextmanager
    def _read(self) -> Iterator[BinaryIO]:
        """The file from the last start on; an empty one when it could not be written."""
        if not self.path.exists():
            yield io.BytesIO()
            return
        with self.path.open("rb") as file:
            if self._start > file.seek(0, os.SEEK_END):  # it was put aside since
                self._start = 0
            file.seek(self._start)
            yield file
