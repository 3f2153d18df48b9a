"""Reads what runs have left in their witness files, and asks the kernel about their processes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Line:
    """One line: what a run did, when (monotonic seconds), and in which process."""

    run: int
    attempt: int
    what: str
    time: float
    process_id: int
    process_start: int

    def is_alive(self) -> bool:
        """Whether that very process runs still; one that only waits to be collected does not."""
        try:
            words = Path(f"/proc/{self.process_id}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return False
        return words[0] not in {"Z", "X"} and int(words[19]) == self.process_start


class Witnesses:
    """A folder with one file per run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def of(self, run: int) -> list[Line]:
        """The lines of one run, in their order."""
        file = self.folder / str(run)
        if not file.exists():
            return []
        return [Line(**json.loads(line)) for line in file.read_text().splitlines()]

    def alive(self, run: int) -> list[Line]:
        """Of each living process of one run, its first line."""
        first = {line.process_id: line for line in reversed(self.of(run))}
        return [line for line in first.values() if line.is_alive()]

    def runs(self) -> Iterator[int]:
        """Ids of all runs that left something."""
        return (int(file.name) for file in self.folder.iterdir())
