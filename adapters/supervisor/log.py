"""The log file of one part: what was written since its last start."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import BinaryIO

from adapters.supervisor.home import PRIVATE_FILE

ROTATION_BYTES = 16 * 1024 * 1024
TAIL_BYTES = 64 * 1024
_TROUBLE = re.compile(r"fatal|error|exception|unshare:|refused|denied|in use", re.IGNORECASE)


class Log:
    """Appended to by the process itself, so that it goes on whatever happens to the supervisor."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._start = 0

    def open(self) -> BinaryIO:
        """Open for a new process; a large file is put aside first, replacing the one before."""
        if self.path.exists() and self.path.stat().st_size > ROTATION_BYTES:
            self.path.replace(self.path.with_suffix(".log.1"))
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        file = os.fdopen(os.open(self.path, flags, PRIVATE_FILE), "ab")
        self._start = file.tell()
        return file

    def has_line(self, line: str) -> bool:
        """Whether the process wrote exactly this line, among its first ones."""
        with self.path.open("rb") as file:
            file.seek(self._start)
            return line.encode() in (each.strip() for each in file.read(TAIL_BYTES).splitlines())

    def last_words(self) -> str:
        """The last line that tells of trouble, else the last that says anything."""
        with self.path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(self._start, end - TAIL_BYTES))
            text = file.read().decode(errors="replace")
        lines = [line for each in text.splitlines() if any(map(str.isalnum, line := each.strip()))]
        troubles = [line for line in lines if _TROUBLE.search(line)]
        return (troubles or lines or ["it wrote nothing"])[-1]
