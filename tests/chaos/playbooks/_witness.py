"""What happened, told to nobody but a file: a second memory beside the database's."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "witness"


def witness(run: int, attempt: int, what: str, process_id: int | None = None) -> None:
    """Append one line to the run's file; `process_id` is of a process that the run has started."""
    process_id = process_id or os.getpid()
    line = {
        "run": run,
        "attempt": attempt,
        "what": what,
        "time": time.monotonic(),
        "process_id": process_id,
        "process_start": process_start(process_id),
    }
    file = os.open(FOLDER / str(run), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, f"{json.dumps(line)}\n".encode())
    os.close(file)


def process_start(process_id: int) -> int:
    """When the process began, in ticks since the machine did: numbers are given out again."""
    return int(Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[19])
